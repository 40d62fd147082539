"""The command. It reads the cards and imports a verb's code only when that verb is asked for: `discern --help` loads no torch."""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.base.dispatch import dispatch
from apps.base.errors import UserError
from apps.base.explained import explained
from apps.base.leaving import leave
from apps.base.places import expanded
from apps.base.shell import Shell

__all__ = ["main", "run"]


class Terminated(BaseException):
    """SIGTERM, raised where the program stands, so that open files and child processes are put in order."""


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code (0 done, 1 failed under way, 2 the user's mistake, 70 a bug of ours)."""
    shell, words = Shell(), list(argv)
    try:
        shell, words = _take_globals(words)
        signal.signal(signal.SIGTERM, _terminate)
        return dispatch(shell, words)
    except SystemExit as leaving:  # argparse after --help
        return leaving.code if isinstance(leaving.code, int) else 0
    except KeyboardInterrupt:
        shell.complain("interrupted")
        return 130
    except Terminated:
        shell.complain("terminated")
        return 143
    except BrokenPipeError:  # `discern predict ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if shell.debug:
            traceback.print_exc()
        line, code = explained(error)
        shell.complain(line)
        return code


def run() -> None:
    leave(main(sys.argv[1:]))


def _terminate(*_: Any) -> None:
    raise Terminated


def _take_globals(words: list[str]) -> tuple[Shell, list[str]]:
    """The options that belong to no verb, wherever they stand before a bare `--`."""
    end = words.index("--") if "--" in words else len(words)
    kept, home, flags = [], Path(), {"--quiet": False, "--debug": False}
    place = iter(range(end))
    for i in place:
        word = words[i]
        if word in flags:
            flags[word] = True
        elif word == "--home" or word.startswith("--home="):
            if word == "--home" and i + 1 >= end:
                raise UserError("--home needs a folder")
            home = expanded("--home", words[next(place)] if word == "--home" else word.split("=", 1)[1])
        else:
            kept.append(word)
    if not home.is_dir():
        raise UserError(f"--home {home}: no such folder; make it first")
    return Shell(home=home, quiet=flags["--quiet"], debug=flags["--debug"]), kept + words[end:]


if __name__ == "__main__":
    run()
