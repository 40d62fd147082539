"""`discern otsnet read PICTURE...`: what does it say?"""

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from apps.base.errors import UserError
from apps.base.options import add_device, add_run, add_trust
from apps.base.places import output_file, output_folder
from apps.base.shell import Parser, Shell, positive
from apps.otsnet.crops import Crops, crops_of
from apps.otsnet.lexicon import read_lexicon
from apps.otsnet.one_case import in_one_case
from apps.otsnet.pattern import compile_pattern
from apps.otsnet.photos.photo import add_photo_options, how_of, open_how
from apps.otsnet.reading import Asks, read_crops
from apps.otsnet.rows import FORMATS, Rows
from apps.otsnet.source import Source, is_program, open_source
from apps.otsnet.word_folder import WordFolder
from datamodules.otsnet.charset import NAMED, Charset
from datamodules.whole import write_whole

__all__ = ["add_model", "read"]


def read(shell: Shell, argv: list[str]) -> int:
    """Read the word in each picture: its text, how sure of it, and where each letter stands.

    INPUT is a picture of one word, a folder, a pattern such as 'words/*.png', a zip, a tar, an LMDB, or - for a list of paths on stdin.
    With --boxes, --detector or --find inputs are whole photographs, and their words are read one by one, named PHOTO#1, PHOTO#2, ...
    Without --model the starter model reads that comes with the package. TSV shows what people read; csv and jsonl carry everything:
    probability and box of every character, the verifier's word on it, what refinement changed.

    Warnings: empty; overlap (one letter may have been read twice); long (the word may go on); tall (an upright word? see --rotate);
    unsure (see --min-confidence); misfit (the picture says something that --pattern or --charset does not let through).
    """
    args = _parser(shell).parse_args(argv)
    form = _form(args)
    if args.folder is not None:
        output_folder("--folder", args.folder)
    how = how_of(args, args.trust)
    if how is not None:
        open_how(how)
    trust = args.trust and (args.detector is None or is_program(args.model))  # else it was meant for the detector
    source = open_source(shell, args.model, run=args.run, trust=trust, device=args.device, iterations=args.iterations)
    asks = _asks(shell, source, args, how is not None)
    crops, failed, total, first = crops_of(args.inputs, how), 0, 0, ""
    with ExitStack() as stack:
        rows = Rows(stack.enter_context(_output(args.out)), form, asks)
        folder = stack.enter_context(WordFolder(Path(args.folder), asks)) if args.folder is not None else None
        for reading in read_crops(source, crops, asks, args.batch):
            rows.add(reading)
            total += 1
            if reading.error is not None:
                failed += 1
                first = first or f"{reading.path}: {reading.error}"
            elif folder is not None:
                folder.add(reading)
        if total == 0 and not crops.wordless:
            raise UserError(f"no inputs match: {', '.join(crops.unmatched)}")  # here, so that no file is left behind
        rows.begin()
    return _end(shell, crops, total, failed, first)


def add_model(parser: Parser) -> None:
    """Which reader: read and verify ask alike."""
    parser.add_argument("--model", metavar="FILE|best|last", help="an exported program, weights or a checkpoint; default: the starter")
    add_run(parser)
    parser.add_argument("--iterations", type=_count, metavar="K", help="rounds of refinement, 0 to 5; default: the model's")
    parser.add_argument("--batch", type=positive, default=32, metavar="N", help="how many go through together; default: 32")
    add_device(parser)
    add_trust(parser)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 5:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count of 0 to 5")
    return int(text)


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("otsnet read", read.__doc__)
    parser.add_argument("inputs", metavar="INPUT", nargs="+")
    add_model(parser)
    add_photo_options(parser)
    parser.add_argument("-o", dest="out", metavar="OUT", help="write the rows to this file, whole; .tsv, .csv or .jsonl says how")
    parser.add_argument("--format", choices=FORMATS, help="of the rows; default: as OUT says, else tsv")
    parser.add_argument("--folder", metavar="DIR", help="also write pictures with labels.tsv, to correct and train on, and all.csv")
    parser.add_argument("--lexicon", type=Path, metavar="FILE", help="words that are expected, a line each: tells the nearest one beside")
    parser.add_argument("--pattern", metavar="REGEX", help="what the whole word must match, such as '[A-Z]{2}\\d{4}'")
    parser.add_argument(
        "--charset",
        metavar="CHARS",
        help="only these: 36, 62, 94, 95 by name, or characters such as 0123456789; one case means both",
    )
    parser.add_argument("--case", choices=("keep", "lower", "upper"), default="keep", help="of the text; default: keep")
    parser.add_argument("--rotate", choices=("none", "auto"), default="none", help="auto: a tall picture is read in all four directions")
    parser.add_argument("--min-confidence", type=_share, default=0.0, metavar="P", help="below it a word is kept, and called unsure")
    return parser


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 to 1")
    return value


def _form(args: argparse.Namespace) -> str:
    if args.out is None:
        return args.format or "tsv"
    named = output_file("-o", args.out).suffix.removeprefix(".")
    if args.format is None and named not in FORMATS:
        raise UserError(f"-o {args.out}: the suffix names the format, one of .tsv, .csv, .jsonl; or give --format")
    if args.format is not None and named in FORMATS and named != args.format:
        raise UserError(f"-o {args.out} means {named} and --format says {args.format}; leave one of them out")
    return args.format or named


def _asks(shell: Shell, source: Source, args: argparse.Namespace, photos: bool) -> Asks:
    charset, longest = source.charset, source.about["max_length"]
    if args.charset is not None and args.pattern is not None:
        raise UserError("--charset and --pattern both say which characters may be read; write them into the pattern")
    pattern = None if args.pattern is None else compile_pattern(args.pattern, charset, longest)
    if args.charset is not None:
        asked = _charset(args.charset, charset)
        # a capital is not denied where there are small letters alone, or a digit that looks like it would be read instead
        pattern = replace(compile_pattern(_word_of(asked), charset, longest), counts_as_K=in_one_case(charset, asked))
    lexicon = None
    if args.lexicon is not None:
        lexicon, said = read_lexicon(args.lexicon, charset, longest, pattern)
        if said:
            shell.say(f"{args.lexicon}: {said}")
    return Asks(args.rotate, args.case, args.min_confidence, pattern, lexicon, photos)


def _charset(asked: str, known: Charset) -> Charset:
    """Characters by name (36, 62, 94, 95) or themselves, all of which the reader knows."""
    characters = NAMED.get(asked, "".join(dict.fromkeys(asked)))
    if not characters:
        raise UserError("--charset names no character; give 36, 62, 94, 95 or the characters, or leave it out")
    if asked not in NAMED and (span := re.search(r"[0-9A-Za-z]-[0-9A-Za-z]", asked)):
        raise UserError(f"--charset: {span[0]} is no range here; write its characters out, or give --pattern '[{asked}]+'")
    if unknown := sorted(set(characters) - set(known.characters)):
        raise UserError(f"--charset: the reader does not know {unknown[0]!r}; it knows {known.characters}")
    return Charset(characters)


def _word_of(asked: Charset) -> str:
    """The pattern of a word of these characters."""
    return "[" + "".join(f"\\{one}" if not one.isalnum() else one for one in sorted(asked.characters)) + "]+"


@contextmanager
def _output(out: str | None) -> Iterator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    with write_whole(out, "w") as file:
        yield file


def _end(shell: Shell, crops: Crops, total: int, failed: int, first: str) -> int:
    if crops.skipped:
        shell.say(f"{crops.skipped} files are no pictures and were skipped")
    if crops.wordless:
        shell.say(f"no word was found in {len(crops.wordless)} photographs, such as {crops.wordless[0]}")
    for word in crops.unmatched:
        shell.complain(f"{word}: nothing there to read")
    if failed:
        shell.complain(f"{failed} of {total} inputs could not be read; the first: {first}")
    return 1 if failed or crops.unmatched else 0
