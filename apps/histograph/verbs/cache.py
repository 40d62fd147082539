"""`discern histograph cache`: every state of a trained network, for every graph of its data, in one file."""

import json
import time
from pathlib import Path
from typing import Any

from apps.base.advice import advice
from apps.base.beginning import begin_beside
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Shell
from apps.histograph.cache import HistoryCache
from apps.histograph.card import CARD
from datamodules.histograph.history_file import DTYPES

__all__ = ["cache"]


def cache(shell: Shell, argv: list[str]) -> int:
    """Run the network of a checkpoint once over all graphs of its data and keep its states, for 'discern histograph finetune'.

    The file knows which network and which data it is of, and is refused with others. The other options are those of `test`.
    """
    parser = shell.parser("histograph cache", cache.__doc__, add_help=False)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: histories.safetensors beside the checkpoint's run")
    parser.add_argument("--dtype", choices=list(DTYPES), default="float32", help="float16 halves the file; default: float32")
    parser.add_argument("-h", "--help", action="store_true", help="this text and the other options")
    args, rest = parser.parse_known_args(argv)
    beginning = begin_beside(shell, CARD, "test", parser, rest, args.help)
    if beginning is None:
        return 0
    if args.output is None and beginning.run is None:
        raise UserError("a checkpoint outside of a run: say with -o where the histories go")
    path = output_file("-o", args.output or beginning.run.exports / "histories.safetensors")  # type: ignore[union-attr]
    recipe, task, _ = beginning.restore()
    data: Any = recipe.datamodule
    if not hasattr(data, "items"):
        raise UserError(f"{type(data).__name__} shows the network other edges in training and measuring: there is no one history to keep")
    if data.history is not None:
        raise UserError("this checkpoint was trained on kept states already; cache the one that they were made with")
    task.check_data(data)
    said, began = time.monotonic(), time.monotonic()
    count = len(data.items())

    def tick(done: int) -> None:
        nonlocal said
        if time.monotonic() - said > 30:
            said = time.monotonic()
            shell.say(f"{done:,} of {count:,} graphs")

    made = HistoryCache.build(task.model, data, path, args.dtype, tick)
    shell.say(
        f"{count:,} graphs in {time.monotonic() - began:.1f} s; next: " + advice(shell, CARD.name, "finetune", "--history", str(path))
    )
    nodes = int(made.ptr[-1])
    print(
        json.dumps(
            {"file": str(path), "graphs": len(made), "nodes": nodes, "states": made.states, "width": made.width, "dtype": args.dtype}
        )
    )
    return 0
