"""`discern otsnet finetune --data.path=WORDS`: a reader goes on with own words."""

from pathlib import Path
from typing import Any

import yaml

from apps.base.advice import advice
from apps.base.beginning import Beginning, begin_at
from apps.base.checkpoint import read_about
from apps.base.compose import Words
from apps.base.errors import UserError
from apps.base.options import add_run
from apps.base.shell import Parser, Shell, named
from apps.base.training import train
from apps.otsnet.card import CARD
from apps.otsnet.source import starter_file
from datamodules.otsnet.charset import charset

__all__ = ["finetune"]

TASK, DATA = "apps.otsnet.task.Reading", "datamodules.otsnet.datamodule.Words"


def finetune(shell: Shell, argv: list[str]) -> int:
    """Train a reader further on your words, at a tenth of the usual rate: the recipe 'finetune' with the reader's own sizes.

    Give --data.path=WORDS, in any layout that 'discern data check' knows. Other keys of the recipe are options, too, as for fit:
    --trainer.max_epochs, --model.optim.lr, --data.generated_share, --data.max_length for longer words. What was learned of a character
    stays when the charset changes; new ones begin anew, and letters of one case as both of their cases.
    """
    args, rest = _parser(shell).parse_known_args(argv)
    if not any(word.startswith("--data.path") for word in rest):
        raise UserError("finetune needs your words: --data.path=WORDS")
    path, facts, model = _begun(shell, args.source, args.run)
    data = {
        "charset": _extended(facts["charset"], args.charset),
        "max_length": facts["slots"] - 1,
        "image_size": facts["preprocess"]["size"],
        "keep_ratio": facts["preprocess"]["fit"] == "pad",
    }
    laid = {"model": {"class_path": TASK, "init_args": model}, "data": {"class_path": DATA, "init_args": data}}
    options = ["--config", yaml.safe_dump(laid, allow_unicode=True), *rest]
    words = Words(recipes=["finetune"], init=path, name=args.name, no_diff=args.no_diff, rest=options)
    train(shell, Beginning(CARD, "fit", words, shell.say))
    shell.say("done; next: " + advice(shell, CARD.name, "test") + "    " + advice(shell, CARD.name, "read", "PICTURES", "--model", "best"))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("otsnet finetune", finetune.__doc__)
    parser.add_argument("--from", dest="source", metavar="FILE|best|last", help="a checkpoint or .safetensors; default: the starter")
    add_run(parser)
    parser.add_argument("--charset", metavar="CHARS", help="36, 62, 94, 95, all characters, or + and those to add; default: as it is")
    parser.add_argument("--name", type=named, help="a name for the new run")
    parser.add_argument("--no-diff", action="store_true", help="do not keep the uncommitted changes of the source with the run")
    return parser


def _begun(shell: Shell, source: str | None, run: str | None) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """The file to start from, what it says of its data, and the reader's options."""
    if source is None or Path(source).suffix == ".safetensors":
        if run is not None:
            raise UserError("--run goes with --from best or last")
        path = starter_file() if source is None else Path(source)
        if not path.is_file():
            raise UserError(f"--from {path}: no such file")
        about = read_about(path)
        if about.get("app") != CARD.name or "model" not in about:
            raise UserError(f"--from {path}: does not say what reader its weights are of; `discern otsnet export -o FILE.safetensors` does")
        return path, about, about["model"]
    if source not in ("best", "last") and Path(source).suffix != ".ckpt":
        raise UserError(f"--from {source}: training goes on from a checkpoint or a .safetensors file")
    found = begin_at(shell, CARD, "test", source, run)
    checkpoint = found.read()
    assert checkpoint is not None
    assert found.checkpoint is not None
    model = yaml.safe_load(checkpoint["discern"]["recipe"])["model"]["init_args"]
    return found.checkpoint, checkpoint["discern"]["facts"], {name: value for name, value in model.items() if name != "optim"}


def _extended(old: str, asked: str | None) -> str:
    """The characters of the new reader: those of the old one first, so that adding one moves none."""
    if asked is None:
        return old
    if asked == "+":
        raise UserError("--charset +: say behind it which characters to add, such as +€; or leave it out")
    if asked.startswith("+"):
        return charset(old + "".join(one for one in dict.fromkeys(asked[1:]) if one not in old)).characters
    return charset(asked).characters
