"""`discern histograph finetune`: a readout and a head, trained on the kept states of a frozen network."""

from pathlib import Path

from apps.base.advice import advice
from apps.base.beginning import Beginning, begin_at
from apps.base.compose import Words
from apps.base.options import add_run
from apps.base.shell import Shell, named
from apps.base.training import train
from apps.histograph.card import CARD
from datamodules.histograph.history_file import HistoryFile

__all__ = ["finetune"]


def finetune(shell: Shell, argv: list[str]) -> int:
    """Train a readout on the states that 'discern histograph cache' kept of a checkpoint; the network below stays as it is.

    The recipe is the checkpoint's; options lay other keys over it, such as --model.readout.name=histo. The new run is a whole model:
    test, export and predict take it as any other.
    """
    parser = shell.parser("histograph finetune", finetune.__doc__)
    parser.add_argument("--history", type=Path, required=True, metavar="FILE", help="made by 'discern histograph cache'")
    parser.add_argument("--ckpt", default="best", metavar="best|last|PATH", help="the checkpoint that it was made of; default: best")
    add_run(parser)
    parser.add_argument("--name", type=named, help="a name for the new run")
    parser.add_argument("--no-diff", action="store_true", help="do not keep the uncommitted changes of the source with the run")
    args, rest = parser.parse_known_args(argv)
    HistoryFile(args.history)  # unreadable: said before anything else
    found = begin_at(shell, CARD, "test", args.ckpt, args.run)
    recipe, task, _ = found.restore()
    groups = len(task.layers())
    options = ["--config", recipe.text, "--data.history", str(args.history.resolve()), "--model.optim.freeze", str(groups), *rest]
    words = Words(init=found.checkpoint, name=args.name, no_diff=args.no_diff, rest=options)
    train(shell, Beginning(CARD, "fit", words, shell.say))
    shell.say("done; next: " + advice(shell, CARD.name, "test"))
    return 0
