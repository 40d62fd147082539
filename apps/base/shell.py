"""What every verb gets besides its words: where paths hang, how loud to be, and a parser whose mistakes are one line."""

import argparse
import difflib
import inspect
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from apps.base.errors import UserError

__all__ = ["Parser", "Shell", "flags_of", "named", "nearest", "positive", "threads"]


def positive(text: str, largest: int = 2**31 - 1) -> int:
    """The type of an option that counts something."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count of 1 or more")
    return _up_to(largest, text)


def threads(text: str) -> int:
    """The type of an option that counts threads: asked for too many, the libraries below end the process without a word of ours."""
    return positive(text, 1024)


def named(text: str) -> str:
    """The type of an option that names something new."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a name is not empty; leave the option out for one that is made up")
    return text


def _up_to(largest: int, text: str) -> int:
    if int(text) > largest:
        raise argparse.ArgumentTypeError(f"{text[:20]} is too large; at most {largest}")
    return int(text)


def nearest(word: str, words: "list[str] | tuple[str, ...]") -> str:
    """ ", did you mean X?" when something is near, else nothing."""
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def flags_of(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    """The long ones."""
    return tuple(flag for action in parser._actions for flag in action.option_strings if flag.startswith("--"))


class Help(argparse.HelpFormatter):
    """Paragraphs filled to the terminal's width; what is indented stays as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = re.split(r"\n\s*\n", text)
        return "\n\n".join(part if "\n " in f"\n{part}" else textwrap.fill(part, width) for part in paragraphs)


class Parser(argparse.ArgumentParser):
    """argparse that raises a UserError naming the nearest right flag, instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        flags = [flag for action in self._actions for flag in action.option_strings]
        unknown = message.removeprefix("unrecognized arguments: ").split() if message.startswith("unrecognized arguments") else []
        hint = nearest(unknown[0].split("=")[0], flags) if unknown else ""
        raise UserError(f"{self.prog}: {message}{hint} (see '{self.prog} --help')")


@dataclass(frozen=True)
class Shell:
    home: Path = Path()
    quiet: bool = False
    debug: bool = False
    example: str = ""  # of the word that runs

    def parser(self, words: str, description: str | None = None, **options) -> Parser:
        epilog = f"example:\n  {self.example}" if self.example else None
        description = inspect.cleandoc(description or "")
        return Parser(prog=f"discern {words}", description=description, epilog=epilog, formatter_class=Help, allow_abbrev=False, **options)

    def say(self, text: str) -> None:
        """For people: stderr, silent under --quiet. Machine-readable output is printed to stdout by the verb itself."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def complain(self, text: str) -> None:
        """Errors and warnings: stderr, also under --quiet."""
        print(f"discern: {text}", file=sys.stderr, flush=True)

    @property
    def runs(self) -> Path:
        """Where run folders lie."""
        return self.home / "mlruns" / "runs"
