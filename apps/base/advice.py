"""Commands told to people, such that pasting them into the same shell does what was meant."""

import shlex
from pathlib import Path

from apps.base.shell import Shell

__all__ = ["advice"]


def advice(shell: Shell, *words: str) -> str:
    """`discern` with these words, quoted, and with the --home that they were found under."""
    elsewhere = shell.home.resolve() != Path.cwd()
    return shlex.join(["discern", *(["--home", str(shell.home)] if elsewhere else []), *words])
