"""`discern otsnet codes [WORD ...] -o OUT.png`: are the codes glyphs?"""

import argparse
import json
from collections.abc import Callable
from typing import Any

from apps.base.engine.progress import Progress
from apps.base.errors import FailureError, UserError
from apps.base.options import add_batch, add_device, add_run, seed
from apps.base.places import output_file
from apps.base.predict.answer import plain
from apps.base.predict.run import Result, run
from apps.base.shell import Parser, Shell, positive
from apps.otsnet.coded import Coded
from apps.otsnet.draw_glyphs import code_figure, sheet_figure, sheet_rows
from apps.otsnet.glyphs import Glyph, Glyphs, Use, cut, within
from apps.otsnet.known_words import Known, MadeOnes, NamedOnes
from apps.otsnet.source import is_program, open_source
from datamodules.otsnet.charset import Charset
from datamodules.whole import write_bytes

__all__ = ["codes"]

MADE = 2000


def codes(shell: Shell, argv: list[str]) -> int:
    """Draw the glyphs nearest to each code of the reader, the most used code first: whether codes are glyphs is seen at once.

    WORD is a set in any layout that 'discern data check' knows, or whatever 'discern otsnet read' takes: pictures, folders, patterns,
    archives, LMDBs, - for a list of paths. None: made words, those that training on made words begins with. A glyph is cut out by the
    true box of its letter where that is known and the word was read right, else by where its slot looked.

    Printed is a JSON line for each code: how many slots chose it, their share, which characters they were read as (the empty one is the
    end of a word, which has a code and no glyph), and how near they are on average: the cosine, or of gumbel the score. With --code its
    nearest glyphs, too. The last line says where the picture is.
    """
    args = _parser(shell).parse_args(argv)
    output = output_file("-o", args.output)
    if args.named and (args.words is not None or args.seed is not None):
        raise UserError("--words and --seed are of made words, and you named your own; leave one of them out")
    if is_program(args.model):
        raise UserError(f"{args.model}: an exported program does not tell what chose its codes; name a checkpoint or a .safetensors file")
    coded = Coded(open_source(shell, args.model, run=args.run, device=args.device))
    wanted = _wanted(args, *coded.size)
    words = NamedOnes(args.named, coded.metadata) if args.named else MadeOnes(args.words or MADE, args.seed or 0, coded.metadata)
    found, failed, first = _gather(shell, coded, words, args.batch)
    told = [use for use in found.uses(coded.metadata["labels"]) if wanted(use)]
    single = args.code is not None
    write_bytes(output, code_figure(told[0], found, coded.measure) if single else sheet_figure(told, found, coded.measure))
    for use in told:
        print(json.dumps(_row(use, coded.measure, single), ensure_ascii=False))
    drawn, unused = len(told if single else sheet_rows(told)), sum(not use.slots for use in told)
    print(json.dumps({"picture": args.output, "words": found.words, "slots": found.slots, "drawn": drawn, "unused": unused}))
    return _end(shell, words, failed, found.words + failed, first)


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("otsnet codes", codes.__doc__)
    parser.add_argument("named", metavar="WORD", nargs="*")
    parser.add_argument("-o", dest="output", metavar="OUT.png", required=True, help="where to draw")
    parser.add_argument("--code", type=int, metavar="N", help="this code alone, large")
    parser.add_argument("--group", type=int, metavar="G", help="the codes of this group alone, from 1; default: of all groups")
    parser.add_argument("--words", type=positive, metavar="N", help=f"how many words are made; default: {MADE}")
    parser.add_argument("--seed", type=seed, metavar="N", help="of made words; default: 0")
    parser.add_argument("--model", metavar="FILE|best|last", help="weights or a checkpoint; default: the starter")
    add_run(parser)
    add_batch(parser)
    add_device(parser)
    return parser


def _wanted(args: argparse.Namespace, groups: int, codes: int) -> Callable[[Use], bool]:
    """Which codes are asked about."""
    if args.group is not None and not 1 <= args.group <= groups:
        raise UserError(
            f"--group {args.group}: the reader has {groups} group{'s' if groups > 1 else ''} of codes; leave it out, or name one"
        )
    if args.code is not None and not 0 <= args.code < codes:
        raise UserError(f"--code {args.code}: the codes are 0 to {codes - 1}")
    if args.code is not None and args.group is None and groups > 1:
        raise UserError(f"--code {args.code}: the reader has {groups} groups of codes; say which with --group 1 to {groups}")
    return lambda use: args.group in (None, use.group + 1) and args.code in (None, use.code)


def _gather(shell: Shell, coded: Coded, words: NamedOnes | MadeOnes, batch: int) -> tuple[Glyphs, int, str]:
    """(what was found, how many words failed, the first of them and why)."""
    charset = Charset(coded.metadata["charset"])
    found, failed, first = Glyphs(*coded.size, charset.classes), 0, ""
    progress = Progress(words.total, "words", shell) if words.total else None
    try:
        for result in run(coded, ((word, word.picture, word.error) for word in words), batch):  # pyright: ignore[reportArgumentType]
            error = result.error or _add(found, result, charset)
            if error is not None:
                failed, first = failed + 1, first or f"{result.name.name}: {error}"
            if progress is not None:
                progress.add(failed=error is not None)
    finally:
        if progress is not None:
            progress.close()
    if not found.words and failed:
        raise FailureError(f"none of {failed} words could be read; the first: {first}")
    if not found.words:
        raise UserError(f"no words there: {', '.join(words.unmatched)}; name pictures of words, or none for made ones")
    return found, failed, first


def _add(found: Glyphs, result: Result, charset: Charset) -> str | None:
    """What is wrong with it, if anything."""
    assert result.outputs is not None
    known: Known = result.name
    out = {name: result.outputs[name][0].cpu() for name in ("characters", "codes", "near", "boxes")}
    if not bool(out["near"].isfinite().all() and out["boxes"].isfinite().all()):
        return "the reader's answer is not a number"
    read = charset.decode(out["characters"])
    slots = len(read) + 1  # with the end
    boxes_T4 = known.boxes_T4 if known.boxes_T4 is not None and read == known.truth else out["boxes"].numpy()

    def glyph(place: int) -> Glyph:
        assert known.picture is not None
        box = within(boxes_T4[place], known.picture)
        return Glyph(cut(known.picture, box), known.name, box, place, read, known.truth)

    tokens_V, codes_VG, near_VG = (out[name][:slots].numpy() for name in ("characters", "codes", "near"))
    found.add(tokens_V, codes_VG, near_VG, glyph)
    return None


def _row(use: Use, measure: str, single: bool) -> dict[str, Any]:
    characters = {character: plain(share) for character, share in use.characters.items()}
    row = {"code": use.code, "group": use.group + 1, "slots": use.slots, "share": plain(use.share), "characters": characters}
    row |= {f"mean_{measure}": plain(use.near) if use.slots else None}
    if single:
        row["nearest"] = [
            {"path": glyph.name, "box": list(glyph.box), "character": glyph.character, "word": glyph.word, measure: plain(near)}
            for near, glyph in use.nearest
        ]
    return row


def _end(shell: Shell, words: NamedOnes | MadeOnes, failed: int, total: int, first: str) -> int:
    if words.skipped:
        shell.say(f"{words.skipped} files are no pictures and were skipped")
    for problem in words.problems:
        shell.complain(problem)
    for word in words.unmatched:
        shell.complain(f"{word}: nothing there to read")
    if failed:
        shell.complain(f"{failed} of {total} words could not be read; the first: {first}")
    return 1 if failed or words.unmatched else 0
