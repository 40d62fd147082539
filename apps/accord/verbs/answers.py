"""Answers on their way out: lines of JSON or files of a format, pictures, traces, and a line for people."""

import csv
import re
import sys
from argparse import Namespace
from argparse import _ActionsContainer as Parser
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from apps.accord.draw_plan import draw_plan
from apps.accord.numbers import counted, plainly, scale_of
from apps.accord.reading import Given
from apps.accord.solver.fleet import fleet_words
from apps.accord.verbs.rows import answer_line
from apps.base.errors import UserError
from apps.base.places import output_file, output_folder
from apps.base.shell import Shell
from datamodules.accord.bounds import fewest_vehicles
from datamodules.accord.formats import FORMATS, solution_text
from datamodules.accord.formats.writing import format_for
from datamodules.accord.gaps import comparable_best, gap
from datamodules.accord.solution import Solution
from datamodules.whole import write_bytes, write_whole

__all__ = ["Answers", "add_answers", "file_name", "tell"]


def add_answers(parser: Parser) -> None:
    parser.add_argument(
        "-o", "--out", dest="out", metavar="OUT", help="a file; of many answers in a format other than ours a folder; default: stdout"
    )
    names = tuple(name for name, one in FORMATS.items() if one.write_solution is not None)
    parser.add_argument("--format", choices=names, help="ours is JSON, a line each; default: as the suffix of OUT says, else ours")
    parser.add_argument("--plot", metavar="SVG", help="draw the plan; of many answers a folder")
    parser.add_argument("--trace", metavar="CSV", help="each better answer: instance, seconds, objective, source")


class Answers:
    """Where each answer goes, looked at before the work begins. Files are whole or not there."""

    def __init__(self, args: Namespace, given: list[Given]) -> None:
        self.several = len(given) > 1
        if self.several:
            _one_file("--plot", args.plot, ".svg", len(given), "name a folder")
            for one in FORMATS.values():
                if one.write_solution is not None and one.name != "ours":
                    _one_file("-o", args.out, one.suffixes[0], len(given), f"name a folder with --format {one.name}, or a .jsonl")
        path = args.out if args.out is not None and not self.several else None
        forms = {format_for((one.instance, ()), path, args.format).name for one in given if one.instance is not None}
        self.form = forms.pop() if len(forms) == 1 else "ours"
        self.folder = self.out = self.plots = self.plot = None
        if args.out is not None and self.several and self.form != "ours":
            self.folder = output_folder("-o", args.out)
        elif args.out is not None:
            self.out = output_file("-o", args.out)
        if args.plot is not None and self.several:
            self.plots = output_folder("--plot", args.plot)
        elif args.plot is not None:
            self.plot = output_file("--plot", args.plot)
        self.trace = output_file("--trace", args.trace) if args.trace is not None else None
        self._texts: list[str] = []
        self._traced: list[tuple[Any, ...]] = []
        self._names: set[str] = set()

    def __enter__(self) -> "Answers":
        return self

    def add(self, given: Given, solution: Solution) -> None:
        text = answer_line(given, solution) if self.form == "ours" else ""
        if self.form != "ours" and solution.plan is not None and given.instance is not None:
            text = solution_text(given.instance, solution, self.form).rstrip("\n") + "\n"
        name = file_name(given.name, self._names)
        if self.folder is not None and text:
            write_bytes(self.folder / f"{name}{FORMATS[self.form].suffixes[0]}", text.encode())
        elif self.out is not None:
            self._texts.append(text)
        else:
            _out(sys.stdout, text)
        if (place := self.plot or (self.plots and self.plots / f"{name}.svg")) and given.instance is not None:
            write_bytes(place, draw_plan(given.instance, solution, comparable_best(given.instance)).encode())
        self._traced += [(given.name, f"{at:.4f}", objective, source) for at, objective, source in solution.trace]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            return
        if self.out is not None:
            with write_whole(self.out, "w") as file:
                file.write("".join(self._texts))
        if self.trace is not None:
            with write_whole(self.trace, "w") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(("instance", "seconds", "objective", "source"))
                rows.writerows(self._traced)


def tell(shell: Shell, given: Given, solution: Solution, *, several: bool) -> None:
    """One line for people: status, objective, bound, gap, wall, source."""
    if solution.status in ("invalid", "refused"):
        shell.complain(solution.reason)
        return
    words = [f"{given.name}: {solution.status}"]
    if solution.objective is not None and given.instance is not None:
        scale = scale_of(given.instance)
        words.append(f"objective {plainly(solution.objective, scale)}")
        if solution.bound is not None:
            words.append(f"bound {plainly(solution.bound, scale)}")
        if (best := comparable_best(given.instance)) is not None:
            words.append(f"gap {gap(given.instance, solution.objective, best):+.3f} % to {plainly(best, scale)}")
        if rule := fleet_words(given.instance):
            used = counted(len([route for route in solution.plan or () if route]), "vehicle")
            words.append(f"{used} of at least {fewest_vehicles(given.instance)} ({rule})")  # type: ignore[arg-type]
        words.append(f"{solution.wall:.2f} s")
        words.append(f"by {solution.source}")
    if solution.reason and solution.plan is None:
        words.append(solution.reason)
    shell.say(", ".join(words))


def file_name(name: str, taken: set[str]) -> str:
    """The name of an instance as a file's, told from those before it."""
    base = re.sub(r"[^\w.+-]+", "_", Path(name).name).strip("._") or "instance"
    base = re.sub(r"\.(tsp|vrp|json|jsonl|csv|txt|kp|bpp)$", "", base, flags=re.IGNORECASE)
    unique, count = base, 2
    while unique in taken:
        unique, count = f"{base}-{count}", count + 1
    taken.add(unique)
    return unique


def _one_file(option: str, path: str | None, suffix: str, count: int, remedy: str) -> None:
    """A file of one answer is no place for many, nor the name of a folder."""
    if path is not None and Path(path).suffix.lower() == suffix and not Path(path).is_dir():
        raise UserError(f"{option} {path}: one {suffix} holds one answer, and there are {count} inputs; {remedy}")


def _out(stream: IO[str], text: str) -> None:
    stream.write(text)
    stream.flush()
