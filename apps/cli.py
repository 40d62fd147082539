"""The command. It reads the cards and imports a verb's code only when that verb is asked for: `discern --help` loads no torch."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from apps.base.card import Card, Verb, find_cards
from apps.base.errors import FailureError, UserError
from apps.base.shell import Shell, nearest

__all__ = ["main", "run"]

HOUSE = (
    Verb("apps", "list the applications", "apps.base.house:list_apps"),
    Verb("demo", "train, test, export and ask every application on its embedded set", "apps.base.demo:demo"),
    Verb("predict", "answer from an exported file: discern predict FILE INPUT...", "apps.base.predict:predict"),
    Verb("ui", "open the dashboard of all runs", "apps.base.ui:ui"),
    Verb("runs", "list, compare, best, delete, gc, send", "apps.base.runs_verb:runs"),
    Verb("report", "write a run as one HTML file", "apps.base.report:report"),
    Verb("data", "data check PATH: what a folder of data holds and what is wrong with it", "apps.base.data_verb:data"),
    Verb("bench", "what the parts cost on this machine; alone it lists its subjects", "apps.base.bench:bench"),
    Verb("doctor", "what this machine and this installation can do", "apps.base.doctor:doctor"),
)

SHARED = (  # every application has these; they take the card besides the words
    Verb("fit", "train (with no options: the embedded set, about a minute)", "apps.base.command:fit"),
    Verb("sweep", "train with every combination of some values; the best in validation", "apps.base.sweep:sweep"),
    Verb("validate", "measure a checkpoint on the validation split", "apps.base.command:validate"),
    Verb("test", "measure a checkpoint on the test split", "apps.base.command:test"),
    Verb("export", "write one file that answers without this package", "apps.base.command:export"),
    Verb("predict", "answer from an exported file", "apps.base.command:predict"),
)

GLOBALS = """\
  --home DIR     where mlruns/ lies (default: the current folder)
  --quiet        say nothing but errors
  --debug        show tracebacks
  --version      print the version
  -h, --help     this text; after a word: that word's own help"""


class Terminated(BaseException):
    """SIGTERM, raised where the program stands, so that open files and child processes are put in order."""


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code (0 done, 1 failed under way, 2 the user's mistake, 70 a bug of ours)."""
    shell, words = Shell(), list(argv)
    try:
        shell, words = _take_globals(words)
        signal.signal(signal.SIGTERM, _terminate)
        return _dispatch(shell, words)
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
        code = getattr(error, "exit_code", None)
        if code is None and isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            shell.complain(f"the disk is full{f': {error.filename}' if error.filename else ''}; make room and try again")
            return FailureError.exit_code
        if code is None:
            shell.complain(
                f"a bug of ours: {type(error).__name__}: {_one_line(error)} (run it again with --debug and report what it prints)"
            )
            return 70
        shell.complain(_one_line(error))
        return code


def run() -> None:
    sys.exit(main(sys.argv[1:]))


def _terminate(*_: Any) -> None:
    raise Terminated


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


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
            home = Path(words[next(place)] if word == "--home" else word.split("=", 1)[1]).expanduser()
        else:
            kept.append(word)
    if not home.is_dir():
        raise UserError(f"--home {home}: no such folder; make it first")
    return Shell(home=home, quiet=flags["--quiet"], debug=flags["--debug"]), kept + words[end:]


def _dispatch(shell: Shell, words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help(find_cards()))
        return 0 if words else 2
    if words[0] == "--version":
        print(f"discern {version('discern')}")
        return 0
    word, rest = words[0], words[1:]
    for verb in HOUSE:
        if verb.name == word:
            return _load(verb)(shell, rest)
    cards = find_cards()
    if word in cards:
        return _dispatch_app(shell, cards[word], rest)
    known = [verb.name for verb in HOUSE] + list(cards)
    raise UserError(f"no such word: {word!r}{nearest(word, known)} (see 'discern --help')")


def _dispatch_app(shell: Shell, card: Card, words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_app_help(card))
        return 0 if words else 2
    word, rest = words[0], words[1:]
    for verb in (*SHARED, *card.verbs):
        if verb.name == word:
            if missing := card.missing_extras():
                raise UserError(f"{card.name} needs what is not installed; run: pip install 'discern[{','.join(missing)}]'")
            function = _load(verb)
            return partial(function, card=card)(shell, rest) if verb in SHARED else function(shell, rest)
    known = [verb.name for verb in (*SHARED, *card.verbs)]
    raise UserError(f"{card.name} has no verb {word!r}{nearest(word, known)} (see 'discern {card.name} --help')")


def _load(verb: Verb) -> Any:
    module, name = verb.target.split(":")
    return getattr(import_module(module), name)


def _table(verbs: Sequence[Verb | Card]) -> str:
    return "\n".join(f"  {verb.name:<12} {verb.help}" for verb in verbs)


def _help(cards: dict[str, Card]) -> str:
    return (
        "discern: attention-based recognition\n\n"
        "usage: discern APP VERB [options]      discern WORD [options]\n\n"
        f"applications (discern APP --help):\n{_table(list(cards.values()))}\n\n"
        f"verbs of every application:\n{_table(SHARED)}\n\n"
        f"words of the house:\n{_table(HOUSE)}\n\n"
        f"options:\n{GLOBALS}\n"
    )


def _app_help(card: Card) -> str:
    own = f"\nits own verbs:\n{_table(card.verbs)}\n" if card.verbs else ""
    return f"discern {card.name}: {card.help}\n({card.paper})\n\nverbs:\n{_table(SHARED)}\n{own}\noptions:\n{GLOBALS}\n"


if __name__ == "__main__":
    run()
