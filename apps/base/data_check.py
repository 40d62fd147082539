"""`discern data check PATH`: what lies there, what is wrong with it, and the command to train on it."""

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from apps.base.advice import advice
from apps.base.card import APPS, find_card, find_cards, importable
from apps.base.errors import UserError
from apps.base.shell import Shell
from datamodules.checks import Report

__all__ = ["check"]

LOOKED = "looked for "  # in the words of every application that recognises nothing, before its layouts with "; " between them
FEW = 2  # layouts of an application


def check(shell: Shell, argv: list[str]) -> int:
    """Tell a data set's format, counts, splits and problems. Leaves with 0 when it is clean, 1 with problems, 2 when not recognised."""
    parser = shell.parser("data check", check.__doc__)
    parser.add_argument("path", help="folder or index file")
    parser.add_argument(
        "--app", metavar="APP", help="ask this application alone; where it reads nothing, all layouts that it knows are told"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, one line an application that can read it")
    parser.add_argument("--near", action="store_true", help="look for near-copies, too (thumbnails compared pair by pair)")
    words = parser.parse_args(argv)
    if not Path(words.path).exists():
        raise UserError(f"{words.path}: no such file or folder")
    cards = find_cards() if words.app is None else {words.app: find_card(words.app)}
    refusals, problems, found = {}, 0, []
    recognised = 0
    for name, card in cards.items():
        layouts = card.layouts or f"datamodules.{name}.layouts"
        if not importable(layouts):
            continue  # an application from elsewhere that reads no data of others
        try:
            found.append((name, import_module(layouts).detect(words.path)))
        except ValueError as error:
            refusals[name] = str(error)
        except Exception as error:
            if name in APPS:
                raise
            shell.complain(f"{name}: its layouts fail ({type(error).__name__}: {' '.join(str(error).split())}); the others are asked")
    # a layout that any folder of pictures has is the answer where no other one is
    for name, layout in sorted(found, key=lambda pair: getattr(pair[1], "general", False)):
        if recognised and getattr(layout, "general", False):
            break
        try:
            # what looks like an application's at first sight may hold something else: then it is another one's
            report = layout.check(near=words.near)
        except ValueError as error:
            refusals[name] = str(error)
            continue
        recognised += 1
        problems += len(report.problems)
        training = ("--config", report.recipe, f"--data.path={words.path}", *report.options)
        command = advice(shell, name, report.verb, *(training if report.verb == "fit" else (words.path,)))
        if words.json:
            print(json.dumps({"app": name, **asdict(report), "command": command}))
        else:
            print("\n".join(_lines(name, report, command)))
    if not recognised:
        raise UserError(_refused(words.path, refusals, advice(shell, "data", "check", words.path, "--app", "APP")))
    return 1 if problems else 0


def _refused(path: str, refusals: dict[str, str], ask: str) -> str:
    """What is broken, where it looked like an application's; else a few of the layouts that were looked for, and how to see all."""
    if len(refusals) < 2:
        return "; ".join(f"{name}: {text}" for name, text in refusals.items()) or f"{path}: no application can read data"
    broken = [f"{name}: {text}" for name, text in refusals.items() if LOOKED not in text]
    if broken:
        return f"{'; '.join(broken)}; what the other applications read: {ask}"
    few = "; ".join(f"{name}: {_few(text.partition(LOOKED)[2])}" for name, text in refusals.items())
    return f"{path}: not recognised; looked for, among others, {few}; all that one application reads: {ask}"


def _few(layouts: str) -> str:
    names = [layout.removeprefix("or ").partition(" (")[0] for layout in layouts.split("; ")]
    return ", ".join(name if len(name) <= 40 else f"{name[:37]}..." for name in names[:FEW])


def _lines(app: str, report: Report, command: str) -> list[str]:
    use = "train on it" if report.verb == "fit" else f"{report.verb} it"
    counts = ", ".join(f"{split} {count:,}" for split, count in report.counts.items())
    return [
        f"{report.source}: {app} ({report.format}), {report.classes} {report.unit}, {counts}",
        *(f"  problem: {problem}" for problem in report.problems),
        *(f"  note: {note}" for note in report.notes),
        f"  fingerprint: {report.fingerprint}",
        f"  {f'{use} once the problems are solved' if report.problems else use}: {command}",
    ]
