"""Which configs a command line is made of: defaults always, the embedded recipe only when no other is named, options last."""

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from apps.base.card import Card
from apps.base.engine import add_engine
from apps.base.errors import UserError
from apps.base.export import FORMATS
from apps.base.options import add_run
from apps.base.places import expanded
from apps.base.recipe_file import check_recipe
from apps.base.shell import Parser, Shell, flags_of, named, nearest, positive, threads

__all__ = ["Words", "recipe_path", "recipes", "take_words"]


@dataclass
class Words:
    """The options of a training verb that are not keys of the recipe."""

    recipes: list[str] = field(default_factory=list)
    ckpt: str | None = None
    run: str | None = None
    init: Path | None = None
    seeds: int = 1
    jobs: int | None = None
    engine: str = "local"
    ray_address: str | None = None
    threads: int | None = None  # of a training; None: with `seeds` as many as one training has
    name: str | None = None
    no_diff: bool = False
    hash: bool = False
    allow: list[str] = field(default_factory=list)
    program: str | None = None
    output: Path | None = None
    format: str | None = None
    rest: list[str] = field(default_factory=list)
    help: bool = False
    flags: tuple[str, ...] = ()  # what these options are called: a wrong key may be one of them misspelt


def words_parser(shell: Shell, card: Card, verb: str, doc: str) -> Parser:
    parser = shell.parser(f"{card.name} {verb}", doc, add_help=False)
    parser.add_argument("-c", "--config", dest="recipes", action="append", default=[], metavar="NAME|FILE",
                        help=f"a recipe ({', '.join(recipes(card))}) or a YAML file; several are laid over each other")  # fmt: skip
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="let configs name classes of this package")
    add_run(parser)
    if verb == "fit":
        parser.add_argument("--ckpt", metavar="last|PATH", help="resume from this checkpoint")
        parser.add_argument("--init", type=Path, metavar="FILE", help="start from these weights (.safetensors, .ckpt, state dict)")
        parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="train N seeds as child runs of one")
        add_engine(parser, "of --seeds: trainings")
        parser.add_argument("--threads", type=threads, metavar="N",
                            help="of --seeds: of a training; the result may depend on it (default: all; with --jobs or ray 1)")  # fmt: skip
        parser.add_argument("--name", type=named, help="a name for the run; with --seeds that of an earlier call goes on with it")
        parser.add_argument("--no-diff", action="store_true", help="do not keep the uncommitted changes of the source with the run")
        parser.add_argument("--hash", action="store_true", help="fingerprint the data by content, not by names, sizes and dates")
    else:
        parser.add_argument("--ckpt", default="best", metavar="best|last|PATH", help="the checkpoint to use (default: best)")
    if verb == "export":
        parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=".ts (TorchScript), .pt2, .onnx or .safetensors (weights)")
        parser.add_argument("--format", choices=tuple(FORMATS.values()), help="by default what -o says, or else torchscript")
        parser.add_argument("--program", choices=card.programs, help="which program to export; by default the first that the task has")
    parser.add_argument("-h", "--help", action="store_true", help="this text and the keys of the recipe")
    return parser


def take_words(shell: Shell, card: Card, verb: str, doc: str, argv: list[str]) -> tuple[Words, str]:
    """Split a command line into our words and the recipe's keys; also the help text of our words."""
    parser = words_parser(shell, card, verb, doc)
    options, rest = parser.parse_known_args(argv)
    words = Words(**vars(options), rest=rest, flags=flags_of(parser))
    if words.seeds == 1 and (words.jobs or words.threads or words.ray_address or words.engine != "local"):
        raise UserError("--jobs, --engine, --ray-address and --threads go with --seeds of 2 or more")
    return words, parser.format_help()


def recipes(card: Card) -> list[str]:
    """Names of the recipes that come with an application."""
    folder = files(card.recipes or f"configs.{card.name}")
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def recipe_path(card: Card, name: str) -> Path:
    """A recipe by its name, or a YAML file by its path."""
    if name in recipes(card):
        return Path(str(files(card.recipes or f"configs.{card.name}") / f"{name}.yaml"))
    path = expanded("--config", name)
    if path.is_dir():
        raise UserError(f"--config {name}: is a folder; name a YAML file in it")
    if path.is_file():
        check_recipe(path)
        return path
    if path.suffix in (".yaml", ".yml") or "/" in name:
        raise UserError(f"--config {name}: no such file")
    raise UserError(
        f"--config {name}: no recipe of that name{nearest(name, recipes(card))}; there are {', '.join(recipes(card))}, or give a file"
    )


def config_arguments(card: Card, names: list[str], base: str | None) -> list[str]:
    """`--config` arguments in the order in which they are laid over each other. `base` is the resolved recipe of a checkpoint, as YAML."""
    if base is not None:
        first = ["--config", base]
    else:
        # The card's classes stand until a recipe names others.
        first = ["--config", str(files("configs") / "defaults.yaml"), "--model", card.task, "--data", card.data]
        names = names or ["embedded"]
    return [*first, *(word for name in names for word in ("--config", str(recipe_path(card, name))))]
