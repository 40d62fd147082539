"""A card says what an application offers without loading it: the command reads cards, so `discern --help` imports no torch."""

import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from apps.base.errors import UserError
from apps.base.shell import nearest

__all__ = ["APPS", "Card", "Verb", "find_card", "find_cards"]

# The table of applications. A new one inside this repository adds its name here;
# outside it, a package registers its card under the entry point group `discern.apps`.
APPS = ("dcal", "ahan", "mil", "histograph", "otsnet", "hag", "accord")


@dataclass(frozen=True)
class Verb:
    """One word of the command: either a `target`, "module:function" called as function(shell, argv) -> exit code, or `words` of its own."""

    name: str
    help: str
    target: str = ""
    example: str = ""  # a whole line that runs as it stands, shown below the word's help; {app} is the application's name
    words: tuple["Verb", ...] = ()


@dataclass(frozen=True)
class Card:
    name: str
    help: str  # one line
    paper: str
    task: str  # dotted path of the task that the recipes default to
    data: str  # dotted path of its datamodule
    programs: tuple[str, ...]  # names that `export --program` takes; the first is the default
    metric: str  # what `make demo` shows, as logged by `test`
    baseline: str  # the trivial baseline's row, as logged by `test`
    higher_is_better: bool = True
    verbs: tuple[Verb, ...] = ()  # besides fit, validate, test, export, predict
    requires: tuple[tuple[str, str], ...] = ()  # (import name, extra that brings it)
    examples: str | None = None  # "module:function(folder, n) -> paths": embedded inputs as files, for the demo and the tests
    reader: str | None = None  # "module:function" reading one predict input; None reads pictures
    reader_asks: bool = False  # the reader is called as function(input, metadata of the exported file)
    expander: str | None = None  # "module:function(word)" -> the inputs that a word of predict stands for, or None: it is a path
    fast: tuple[str, ...] = ("--trainer.max_epochs", "1")  # options of `demo --fast`: the least that goes the whole way
    picture: str = ""  # the figure of a tested run that shows the application at a glance, in the demo's page
    drawer: str | None = None  # "module:function(input, item, answer, metadata) -> PNG" for predict --pictures; None draws pictures
    recipes: str = ""  # the package that its recipes lie in as NAME.yaml, `embedded` among them; "" means configs.<name>
    layouts: str = ""  # the module whose detect(path) `discern data check` asks; "" means datamodules.<name>.layouts, if that is there
    packages: tuple[str, ...] = ()  # import prefixes whose classes a config may name; () means apps.<name> and datamodules.<name>

    def missing_extras(self) -> list[str]:
        return sorted({extra for module, extra in self.requires if find_spec(module) is None})


def find_cards() -> dict[str, Card]:
    """All cards, ours first, then those of installed packages."""
    cards = {name: import_module(f"apps.{name}.card").CARD for name in APPS}
    for point in entry_points(group="discern.apps"):
        card = _load(point)
        if card is not None:
            cards.setdefault(card.name, card)
    return cards


def find_card(name: str) -> Card:
    cards = find_cards()
    if name not in cards:
        raise UserError(f"no application {name!r}{nearest(name, list(cards))} (see 'discern apps')")
    return cards[name]


@cache  # a card that fails is named once
def _load(point: EntryPoint) -> Card | None:
    """Somebody else's broken package must not take our own words away."""
    try:
        card = point.load()
        if not isinstance(card, Card):
            raise TypeError(f"{point.value} is no Card")
    except Exception as error:
        owner = point.dist.name if point.dist else "an unknown distribution"
        why = " ".join(str(error).split())
        print(f"discern: app {point.name!r} of {owner} is left out: {type(error).__name__}: {why}", file=sys.stderr, flush=True)
        return None
    return card
