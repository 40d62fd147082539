"""Applications of other packages. Their cards are checked when they are found: none takes a word of ours away, none breaks one."""

import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any, NamedTuple, get_origin

from apps.base.card import APPS, Card, Verb, importable
from apps.base.words import HOUSE, SHARED

__all__ = ["LeftOut", "outside_cards"]


class LeftOut(NamedTuple):
    names: frozenset[str]  # by which somebody may ask for it
    why: str  # in one line


def outside_cards() -> tuple[list[Card], list[LeftOut]]:
    """The cards that can be used, and why the others cannot."""
    cards: list[Card] = []
    left: list[LeftOut] = []
    for point in entry_points(group="discern.apps"):
        found = _load(point)
        if isinstance(found, Card) and any(card.name == found.name for card in cards):
            found = _left_out(point, f"another package brings an application {found.name!r}, too", found.name)
        if isinstance(found, Card):
            cards.append(found)
        else:
            left.append(found)
    return cards, left


@cache  # a card is read once a process
def _load(point: EntryPoint) -> Card | LeftOut:
    try:
        card = point.load()
        if not isinstance(card, Card):
            return _left_out(point, f"{point.value} is no Card")
        faults = list(_faults(card))
    except Exception as error:  # whatever their code does
        return _left_out(point, f"{type(error).__name__}: {error}")
    return _left_out(point, "; ".join(faults), str(card.name)) if faults else card


def _left_out(point: EntryPoint, why: str, *names: str) -> LeftOut:
    owner = point.dist.name if point.dist else "an unknown distribution"
    return LeftOut(frozenset({point.name, *names}), f"app {point.name!r} of {owner} is left out: {' '.join(why.split())}")


def _faults(card: Card) -> Iterator[str]:
    """What would break a word of ours later: `runs`, `data check`, `completion`, `demo`."""
    kinds: dict[str, Any] = {field.name: tuple if get_origin(field.type) is tuple else field.type for field in fields(card)}
    wrong = [name for name, kind in kinds.items() if not isinstance(getattr(card, name), kind)]
    if wrong:
        yield f"its {', '.join(wrong)} is of another type than Card says"
        return
    if card.name in {*APPS, "help", *(verb.name for verb in HOUSE)}:
        yield f"{card.name!r} is a word of discern already"
    elif not re.fullmatch(r"[a-z][a-z0-9_-]*", card.name):
        yield f"{card.name!r} is no word for a command"
    if not card.programs:
        yield "it names no program"
    if strange := [str(one) for one in card.requires if not (isinstance(one, tuple) and len(one) == 2)]:
        yield f"requires is of pairs (import name, extra), not {strange[0]}"
    yield from _wrong_verbs(card.verbs)
    if taken := sorted({verb.name for verb in SHARED} & {verb.name for verb in card.verbs if isinstance(verb, Verb)}):
        yield f"every application has a verb {taken[0]!r} already"
    for name in ("examples", "reader", "expander", "drawer"):
        if (target := getattr(card, name)) is not None and not _is_target(target):
            yield f"its {name} {target!r} is not written module:function"
    recipes = card.recipes or f"configs.{card.name}"
    if not importable(recipes):
        yield f"its recipes lie in {recipes!r}, which is not there"
    elif not (files(recipes) / "embedded.yaml").is_file():
        yield f"there is no embedded.yaml among its recipes in {recipes!r}"
    if card.layouts and not importable(card.layouts):
        yield f"its layouts {card.layouts!r} are not there"


def _wrong_verbs(verbs: tuple[Verb, ...]) -> Iterator[str]:
    for verb in verbs:
        if not isinstance(verb, Verb):
            yield f"{verb!r} is no Verb"
        elif verb.words:
            yield from _wrong_verbs(verb.words)
        elif not _is_target(verb.target):
            yield f"the target {verb.target!r} of its verb {verb.name!r} is not written module:function"


def _is_target(text: str) -> bool:
    return re.fullmatch(r"[\w.]+:\w+", text) is not None
