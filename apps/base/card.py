"""A card says what an application offers without loading it: the command reads cards, so `discern --help` imports no torch."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from apps.base.errors import UserError
from apps.base.shell import nearest

__all__ = ["APPS", "Card", "Verb", "find_card", "find_cards", "importable", "left_out", "why_not"]

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
        return sorted({extra for module, extra in self.requires if not importable(module)})


def importable(module: str) -> bool:
    """Whether it is there; to look below a package is to import the package, and that may fail in any way."""
    try:
        return find_spec(module) is not None
    except Exception:
        return False


def find_cards() -> dict[str, Card]:
    """All cards, ours first, then those of installed packages that can be used."""
    from apps.base.outside import outside_cards  # what it checks cards against is made of cards

    cards = {name: import_module(f"apps.{name}.card").CARD for name in APPS}
    return cards | {card.name: card for card in outside_cards()[0]}


def left_out() -> list[str]:
    """Why the cards of some installed packages cannot be used, a line each."""
    from apps.base.outside import outside_cards

    return [one.why for one in outside_cards()[1]]


def why_not(name: str) -> str | None:
    """The line about an application of that name that is left out."""
    from apps.base.outside import outside_cards

    return next((one.why for one in outside_cards()[1] if name in one.names), None)


def find_card(name: str) -> Card:
    cards = find_cards()
    if name not in cards:
        raise UserError(why_not(name) or f"no application {name!r}{nearest(name, list(cards))} (see 'discern apps')")
    return cards[name]
