"""`discern predict FILE INPUT...`: answers from an exported file, one row an input."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from apps.base.card import Card
from apps.base.errors import UserError
from apps.base.options import add_batch, add_device, add_trust
from apps.base.places import output_file, output_folder
from apps.base.predict.answer import answer_rows
from apps.base.predict.inputs import Inputs
from apps.base.predict.picture import draw, write_drawn, write_picture
from apps.base.predict.program_file import ProgramBytes, ProgramFile, take, take_own
from apps.base.predict.reader import Item, drawer_of, expander_of, read_ahead, reader_of
from apps.base.predict.rows import Rows
from apps.base.predict.run import Result, run
from apps.base.progress import Line
from apps.base.shell import Parser, Shell, threads
from datamodules.whole import write_whole

__all__ = ["predict"]

DOC = "Answer for pictures from an exported file, as JSON lines. An input that cannot be read is a row with its error; the others go on."


def predict(shell: Shell, argv: list[str], card: Card | None = None) -> int:
    """card: the application whose files alone are taken."""
    args = _parser(shell, card).parse_args(argv)
    pictures = output_folder("--pictures", args.pictures) if args.pictures is not None else None
    if args.out is not None:
        output_file("-o", args.out, args.file, *args.inputs)
    form = _form(args.format, args.out)
    # The program is read and hashed, and the first pictures are decoded, while torch is imported: that is most of a cold start.
    with ThreadPoolExecutor(1, thread_name_prefix="open") as aside:
        opening = aside.submit(_open, args, card)
        import torch

        program, inputs, items = opening.result()
    with contextlib.closing(items):
        if args.threads:
            torch.set_num_threads(args.threads)
        answering = ProgramFile(program, args.device)
        results = run(answering, items, args.batch, keep=pictures is not None)
        # rows on a terminal are signs of life enough, and would tear a bar
        bar = args.out is not None or not sys.stdout.isatty()
        line = Line("inputs", _counted(args.inputs, answering.metadata), quiet=shell.quiet, bar=bar)
        tally = Tally(shell, line)
        with line, _output(args.out) as stream:
            rows = Rows(stream, form, answering.metadata, args.full)
            for result in results:
                answer = _answer(result, answering.metadata, args.full)
                rows.add(result.name, answer)
                tally.add(result.name, answer.get("error"))
                if pictures is not None and "error" not in answer:
                    _draw(pictures, tally.total, result, answering.metadata)
    return _end(shell, inputs, tally)


def _parser(shell: Shell, card: Card | None) -> Parser:
    parser = shell.parser(f"{card.name} predict" if card else "predict", DOC)
    whose = f"a program exported by {card.name}" if card else "an exported program"
    parser.add_argument("file", metavar="FILE", help=f"{whose}, .ts, .pt2 or .onnx")
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="pictures, folders, patterns, or - for a list of paths on stdin")
    parser.add_argument("--format", choices=("jsonl", "csv"), help="default: csv where -o names a .csv, else jsonl")
    parser.add_argument("-o", dest="out", metavar="OUT", help="write the rows to this file, whole, instead of stdout")
    add_batch(parser)
    add_device(parser)
    parser.add_argument("--threads", type=threads, metavar="N", help="CPU threads of the program; default: torch's choice")
    add_trust(parser)
    parser.add_argument("--full", action="store_true", help="also the long answers: features, maps")
    parser.add_argument("--pictures", metavar="DIR", help="write each input with its answer drawn to this folder")
    return parser


def _form(asked: str | None, out: str | None) -> str:
    suffix = Path(out or "").suffix.lower()
    says = {".csv": "csv", ".jsonl": "jsonl"}.get(suffix)
    if asked and says and asked != says:
        raise UserError(f"--format {asked} does not go into a {suffix} file; name another with -o, or leave out --format")
    return asked or says or "jsonl"


def _open(args: argparse.Namespace, card: Card | None) -> tuple[ProgramBytes, Inputs, Generator[Item]]:
    anywhere = "`discern predict` takes files of every application"
    program = take_own(card, args.file, args.trust, remedy=anywhere) if card else take(args.file, args.trust)
    metadata = program.metadata()
    if args.pictures and metadata["input"] != "image" and drawer_of(metadata) is None:
        raise UserError(f"--pictures draws pictures; this file takes {metadata['input']}")
    inputs = _inputs(args.inputs, metadata)
    items = _begun(
        read_ahead(
            _spared(inputs, args.out),
            reader_of(metadata),
            ahead=args.batch if args.device == "cpu" else 2 * args.batch,
            bursts=args.device == "cpu",
        ),
        begin="-" not in args.inputs,
    )
    return program, inputs, items


def _inputs(words: list[str], metadata: dict[str, Any]) -> Inputs:
    return Inputs(words, sys.stdin, pictures=metadata["input"] == "image", expand=expander_of(metadata))


def _counted(words: list[str], metadata: dict[str, Any]) -> Callable[[], int] | None:
    """What counts the inputs beforehand; a list on stdin can be read only once."""
    return None if "-" in words else lambda: sum(1 for _ in _inputs(words, metadata))


def _spared(inputs: Inputs, out: str | None) -> Iterator[str]:
    """The paths, none of which the rows may overwrite: folders and patterns hold what no word names."""
    there = Path(out) if out is not None and Path(out).exists() else None
    for path in inputs:
        if there is not None:
            output_file("-o", there, path)
        yield path


def _begun(items: Generator[Item], begin: bool) -> Generator[Item]:
    """The iterator, with its first item read. Stdin may have nothing to say for long, so it is not waited for in a thread."""
    first = list(islice(items, 1)) if begin else []

    def rest() -> Generator[Item]:
        with contextlib.closing(items):
            yield from chain(first, items)

    return rest()


@contextlib.contextmanager
def _output(out: str | None) -> Iterator[IO[str]]:
    """Stdout, or a file written whole. What ends the program from outside (Ctrl-C, SIGTERM) keeps the finished rows in both."""
    if out is None:
        try:
            yield sys.stdout
        except BrokenPipeError:  # `| head` has seen enough; Python would complain once more when it closes stdout
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    interrupted = None
    with write_whole(out, "w") as file:
        try:
            yield file
        except Exception:
            raise
        except BaseException as signal:
            interrupted = signal
    if interrupted:
        raise interrupted


class Tally:
    """Counts rows, and says from time to time how many; on a line that somebody else closes, or on lines of its own."""

    def __init__(self, shell: Shell, line: Line | None = None) -> None:
        self.line = line or Line("inputs", quiet=shell.quiet, bar=False)
        self.total = self.failed = 0
        self.first = ""

    def add(self, name: str, error: str | None) -> None:
        self.total += 1
        if error is not None:
            self.failed += 1
            self.first = self.first or f"{name}: {error}"
        self.line.at(self.total, f"{self.failed} failed" if self.failed else "")


def _answer(result: Result, metadata: dict[str, Any], full: bool) -> dict[str, Any]:
    if result.outputs is None:
        return {"error": result.error}
    return answer_rows(metadata, result.outputs, full)[0]


def _draw(folder: Path, number: int, result: Result, metadata: dict[str, Any]) -> None:
    """Maps are drawn even where they are too long to be printed."""
    answer = _answer(result, metadata, full=True)
    if "error" not in answer and (drawer := drawer_of(metadata)) is not None:
        write_drawn(folder, number, result.name, drawer(result.name, result.item, answer, metadata))
    elif "error" not in answer:
        maps = [row["output"] for row in metadata["answer"] if row["as"] == "map"]
        write_picture(folder, number, result.name, draw(result.item, answer, maps))


def _end(shell: Shell, inputs: Inputs, tally: Tally) -> int:
    if inputs.skipped:
        shell.say(f"{inputs.skipped} files in the folders are no pictures and were skipped")
    if tally.total == 0:
        raise UserError(f"no inputs match: {', '.join(inputs.unmatched)}")
    for word in inputs.unmatched:
        shell.complain(f"{word}: nothing there to answer for")
    if tally.failed:
        shell.complain(f"{tally.failed} of {tally.total} inputs failed; the first: {tally.first}")
    return 1 if tally.failed or inputs.unmatched else 0
