"""From words to what they mean. It reads the cards and imports a verb's code only when that verb is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any

from apps.base.card import Card, Verb, find_cards, left_out, why_not
from apps.base.errors import UserError
from apps.base.shell import Shell, nearest
from apps.base.words import HOUSE, SHARED

__all__ = ["dispatch"]

GLOBALS = """\
  --home DIR     where mlruns/ lies (default: the current folder)
  --quiet        say nothing but errors
  --debug        show tracebacks
  --version      print the version
  -h, --help     this text; after a word: that word's own help"""

HELP = ("-h", "--help", "help")


def dispatch(shell: Shell, words: Sequence[str]) -> int:
    """Do what the words say; what goes wrong is raised."""
    cards = find_cards()
    if words and words[0] in HELP and (asked := [word for word in words if word not in HELP]):
        return dispatch(shell, [*asked, "--help"])
    if not words or words[0] in HELP:
        print(_help(cards))
        for line in left_out():
            shell.complain(line)
        return 0 if words else 2
    word, rest = words[0], list(words[1:])
    if word == "--version":
        if rest:
            raise UserError(f"--version stands alone; leave out {' '.join(rest)}")
        print(f"discern {version('discern')}")
        return 0
    if word in cards:
        return _dispatch_app(shell, cards[word], rest)
    if verb := _verb(word, HOUSE):
        return _call(shell, verb, rest, [word])
    known = [verb.name for verb in HOUSE] + list(cards)
    raise UserError(why_not(word) or f"no such word: {word!r}{nearest(word, known)} (see 'discern --help')")


def _dispatch_app(shell: Shell, card: Card, words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_app_help(card))
        return 0 if words else 2
    word, rest = words[0], words[1:]
    shared = _verb(word, SHARED)
    if verb := shared or _verb(word, card.verbs):
        if missing := card.missing_extras():
            raise UserError(f"{card.name} needs what is not installed; run: pip install 'discern[{','.join(missing)}]'")
        return _call(shell, verb, rest, [card.name, word], card if shared else None)
    known = [verb.name for verb in (*SHARED, *card.verbs)]
    raise UserError(f"{card.name} has no verb {word!r}{nearest(word, known)} (see 'discern {card.name} --help')")


def _call(shell: Shell, verb: Verb, rest: list[str], said: list[str], card: Card | None = None) -> int:
    """`said` are the words up to this one; a shared verb is told the card."""
    if not verb.words:
        function = _load(verb)
        if card is not None:
            function = partial(function, card=card)
        return function(replace(shell, example=verb.example.format(app=said[0])), rest)
    if not rest or rest[0] in ("-h", "--help"):
        print(_group_help(verb, said))
        return 0 if rest else 2
    if inner := _verb(rest[0], verb.words):
        return _call(shell, inner, rest[1:], [*said, inner.name])
    known = [word.name for word in verb.words]
    raise UserError(f"{' '.join(said)} has no word {rest[0]!r}{nearest(rest[0], known)} (see 'discern {' '.join(said)} --help')")


def _verb(name: str, verbs: Sequence[Verb]) -> Verb | None:
    return next((verb for verb in verbs if verb.name == name), None)


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


def _group_help(verb: Verb, said: list[str]) -> str:
    words = " ".join(said)
    table = f"words (discern {words} WORD --help):\n{_table(verb.words)}"
    return f"discern {words}: {verb.help}\n\nusage: discern {words} WORD [options]\n\n{table}\n"


def _app_help(card: Card) -> str:
    own = f"\nits own verbs:\n{_table(card.verbs)}\n" if card.verbs else ""
    return f"discern {card.name}: {card.help}\n({card.paper})\n\nverbs:\n{_table(SHARED)}\n{own}\noptions:\n{GLOBALS}\n"
