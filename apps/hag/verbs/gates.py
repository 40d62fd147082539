"""`discern hag gates RUN`: what the gates of a run came to."""

import json
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from apps.base.columns import columns
from apps.base.places import output_file
from apps.base.shell import Parser, Shell, positive
from apps.hag.draw_histograms import histograms_figure
from apps.hag.verbs.opened import Opened, add_run_and_checkpoint, open_run
from core_attention.gates import GateRow, gate_report
from datamodules.whole import write_bytes

__all__ = ["gates"]

BATCHES = 8  # of validation, by which importance is measured


def gates(shell: Shell, argv: list[str]) -> int:
    """How open the gates of a run are, place by place, and what their channels are worth.

    A gate's value by itself says little, because the weights behind it can make up for it. Importance does not change with that: value
    times the weight of what reads the channel times how much the channel varies, over validation pictures; the mean of the place's
    channels. Entropy in bits: 1 where gates are half open, 0 where they are decided. Of several streams also: the share of what varies
    in the embedding that comes from each.
    """
    args = _parser(shell).parse_args(argv)
    output = output_file("-o", args.output) if args.output else None
    opened = open_run(shell, args)
    rows, shares = measured(opened, args.batches)
    if output is not None:
        values = {name: value.cpu().numpy() for name, value in opened.gates.values().items()}
        write_bytes(output, histograms_figure(values, shares))
    if args.json:
        print(json.dumps({"gates": [row._asdict() for row in rows], "streams": shares, "picture": args.output}))
        return 0
    print(table(rows))
    for stream, share in shares.items():
        print(f"stream {stream}: {share:.1%} of what varies in the embedding")
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("hag gates", gates.__doc__)
    add_run_and_checkpoint(parser)
    parser.add_argument("-o", dest="output", metavar="FILE.png", help="draw the histograms of all places")
    parser.add_argument(
        "--batches", type=positive, default=BATCHES, metavar="N", help=f"validation batches for the importance (default: {BATCHES})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def measured(opened: Opened, batches: int) -> tuple[list[GateRow], dict[str, float]]:
    """A row for each gate, and each stream's share of the embedding's variance where there are several streams."""
    model = opened.task.model.eval()
    seen: dict[str, list[Tensor]] = {name: [] for name in model.joins}
    handles = [join.register_forward_hook(_into(seen[name])) for name, join in model.joins.items()]

    def run() -> None:
        for inputs in opened.validation(batches):
            model(*inputs)

    try:
        with torch.no_grad():
            rows = gate_report(opened.gates, run)
    finally:
        for handle in handles:
            handle.remove()
    varies = {name: float(torch.cat(parts).double().var(0, correction=0).sum()) for name, parts in seen.items()}
    whole = sum(varies.values())
    return rows, {name: part / whole for name, part in varies.items()} if len(varies) > 1 and whole > 0 else {}


def _into(parts: list[Tensor]) -> Any:
    def note(_: nn.Module, __: Any, answer: Tensor) -> None:
        parts.append(answer.detach())

    return note


def table(rows: list[GateRow]) -> str:
    head = ("place", "kind", "channels", "mean", "least", "most", "open > 0.9", "closed < 0.1", "entropy", "importance")
    lines = [
        (
            row.name, row.site, str(row.channels), *(f"{value:.3f}" for value in (row.mean, row.least, row.most)),
            f"{row.open:.0%}", f"{row.closed:.0%}", f"{row.entropy:.2f}", "-" if row.importance is None else f"{row.importance:.3g}",
        )
        for row in rows
    ]  # fmt: skip
    count = sum(row.channels for row in rows)
    whole = [sum(getattr(row, name) * row.channels for row in rows) / count for name in ("mean", "open", "closed", "entropy")]
    least, most = min(row.least for row in rows), max(row.most for row in rows)
    last = (
        "all",
        "",
        str(count),
        f"{whole[0]:.3f}",
        f"{least:.3f}",
        f"{most:.3f}",
        f"{whole[1]:.0%}",
        f"{whole[2]:.0%}",
        f"{whole[3]:.2f}",
        "",
    )
    return columns(list(chain([head], lines, [last] if len(rows) > 1 else [])))
