"""Made texts to learn from and to be judged by: templates (templates.txt, outsiders.txt) filled with made problems.

Templates, and kinds of outsiders, of validation and test are never learned from.
"""

import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from apps.accord.router.written import make, write
from datamodules.accord.instances import KINDS, Instance

__all__ = ["PARTS", "Example", "examples", "templates"]

HERE = Path(__file__).parent
PARTS = ("train", "valid", "test")
EVERY = 5  # template 3, 8, 13, ... of a section is for validation, 4, 9, 14, ... for the test
BUILT = 0.4  # share of problems of training that are put together from sentences
SHOWN = 0.4  # share of other problems that come with the data of one of ours
PLAIN = 0.5  # share of texts with one or two sentences that change nothing


@dataclass(frozen=True)
class Example:
    text: str
    kind: str | None  # None: to be refused
    instance: Instance | None  # what the text says; None too where it does not say all
    source: str  # the template, or the name of the outsider


@dataclass(frozen=True)
class _Outsider:
    name: str
    kinds: tuple[str, ...]  # beside problems of these kinds; none: a whole text
    lines: tuple[str, ...]


@cache
def templates() -> dict[str, dict[str, list[str]]]:
    """By part, then by kind (and `plain`)."""
    found: dict[str, dict[str, list[str]]] = {part: {} for part in PARTS}
    for head, lines in _sections("templates.txt"):
        if head.startswith("told "):  # for training alone
            found["train"].setdefault(head.removeprefix("told "), []).extend(lines)
            continue
        if " " in head:  # sentences to put together, for training alone
            found["train"][head] = lines
            continue
        for k, line in enumerate(lines):
            part = {EVERY - 2: "valid", EVERY - 1: "test"}.get(k % EVERY, "train")
            found[part].setdefault(head, []).append(line)
    return found


@cache
def _outsiders() -> dict[str, list[_Outsider]]:
    found: dict[str, list[_Outsider]] = {part: [] for part in PARTS}
    for head, lines in _sections("outsiders.txt"):
        what, name, part = (word.strip() for word in head.split(";"))
        found[part].append(_Outsider(name, tuple(what.split()[1:]), tuple(lines)))
    return found


def _sections(file: str) -> list[tuple[str, list[str]]]:
    made: list[tuple[str, list[str]]] = []
    for line in (HERE / file).read_text("utf-8").splitlines():
        if line.startswith("== "):
            made.append((line[3:].strip(), []))
        elif line.strip() and not line.startswith("#"):
            made[-1][1].append(line.replace("\\n", "\n"))
    return made


def examples(part: str, count: int, seed: int, outside: float = 0.5) -> list[Example]:
    """`outside`: share of texts that are to be refused. Text k of a seed does not depend on the count."""
    return [_example(part, random.Random(f"{part}/{seed}/{k}"), outside) for k in range(count)]


def _example(part: str, rng: random.Random, outside: float) -> Example:
    if rng.random() >= outside:
        kind = rng.choice(list(KINDS))
        template = _template(part, kind, rng)
        text, instance = _filled(template, kind, rng)
        told = "{data}" in template and ("{cap}" in template or not hasattr(instance, "capacity"))
        return Example(_cased(_joined(text, part, rng), rng), kind, instance if told else None, template)
    outsider = rng.choice(_outsiders()[part])
    line = rng.choice(outsider.lines)
    if outsider.kinds:
        kind = rng.choice(outsider.kinds)
        text, _ = _filled(_template(part, kind, rng), kind, rng)
        extra = _worded(line, rng)
        text = f"{text} {extra}" if rng.random() < 0.7 else f"{extra} {text}"
    else:
        kept = line if rng.random() < SHOWN else line.replace("{data}", "")
        text, _ = _filled(kept, rng.choice(list(KINDS)), rng)
    return Example(_cased(_joined(text, part, rng), rng), None, None, outsider.name)


def _template(part: str, kind: str, rng: random.Random) -> str:
    """A whole one, or in training one put together."""
    if part != "train" or rng.random() >= BUILT:
        return rng.choice(templates()[part][kind])
    parts = [rng.choice(templates()["train"][f"{name} {kind}"]) for name in ("scene", "task", "rule") if rng.random() < 0.75]
    if not parts:
        return rng.choice(templates()[part][kind])
    if rng.random() < 0.4:
        rng.shuffle(parts)
    parts.insert(rng.randint(0, len(parts)), "{data}")
    return " ".join(parts)


def _joined(text: str, part: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 2) if rng.random() < PLAIN else 0):
        plain = rng.choice(templates()[part]["plain"])
        text = f"{plain} {text}" if rng.random() < 0.4 else f"{text} {plain}"
    return text


def _worded(template: str, rng: random.Random) -> str:
    return re.sub(r"\[([^\[\]]*\|[^\[\]]*)\]", lambda match: rng.choice(match[1].split("|")), template)


def _filled(template: str, kind: str, rng: random.Random) -> tuple[str, Instance]:
    instance, data = make(kind, rng)
    held = getattr(instance, "capacity", rng.randint(10, 200))
    machines = instance.times.shape[1] if kind == "pfsp" else getattr(instance, "machines", rng.randint(2, 5))  # type: ignore[union-attr]
    words = {"cap": write(held, rng), "n": str(instance.size), "m": str(machines), "data": data}
    return re.sub(r"\{(\w+)\}", lambda match: words[match[1]], _worded(template, rng)), instance


def _cased(text: str, rng: random.Random) -> str:
    """People write as they like."""
    how = rng.random()
    if "{" in text or how > 0.1:
        return text
    return text.lower() if how > 0.03 else text.replace(". ", ".\n")
