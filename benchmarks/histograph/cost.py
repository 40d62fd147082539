"""What a readout costs: histograph against the mean, GMT and jumping knowledge, and folded against as written.

    OMP_NUM_THREADS=1 python -m benchmarks.histograph.cost [--rounds 7] [--smoke] [--out benchmarks/results/histograph_cost.json]

A batch of graphs of one size, about 4,000 nodes, width 64, L states; forward and backward. Interleaved rounds, medians of the rounds'
ratios. Memory: the most that one forward and backward holds beyond its inputs, by torch.profiler's allocation events. The textbook form is
both stages as the paper writes them; "stage 1" rows leave the nodes' attention out on both sides.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from apps.histograph.options import Read
from apps.histograph.readouts import build_readout
from apps.histograph.textbook import textbook_layer_attention
from benchmarks.dcal.cost import held_mib, median_ratios
from benchmarks.record import write
from core_attention.segments import Segments

NODES, WIDTH, HEADS = 4000, 64, 4
LAYERS, SIZES = (4, 16, 64), (20, 200, 2000)
ARMS = {
    "histo": Read(), "histo, induced": Read(node_attention="induced"),
    "histo, stage 1": Read(node_attention="none"), "mean": Read(name="mean"), "gmt": Read(name="gmt"),
    "jk-cat": Read(name="jk-cat"), "jk-lstm": Read(name="jk-lstm"),
}  # fmt: skip


def graphs(size: int) -> tuple[Segments, Tensor]:
    """(segments, edges): four edges a node, within its graph."""
    count = max(1, NODES // size)
    generator = torch.Generator().manual_seed(0)
    start = torch.arange(count).repeat_interleave(4 * size) * size
    return Segments.from_lengths([size] * count), start + torch.randint(0, size, (2, 4 * size * count), generator=generator)


def step(readout: nn.Module, history_NLC: Tensor, segments: Segments, edge_index: Tensor) -> None:
    readout.read_graph(history_NLC, segments, edge_index).graphs.square().sum().backward()  # type: ignore[operator]
    _forget(readout, history_NLC)


def textbook(readout: Any, history_NLC: Tensor, segments: Segments) -> None:
    """Stage 1 as written: all states are embedded and projected."""
    h_ND, _ = textbook_layer_attention(readout.layers, history_NLC, segments)
    h_ND.square().sum().backward()
    _forget(readout, history_NLC)


def folded(readout: Any, history_NLC: Tensor, segments: Segments) -> None:
    readout.layers(history_NLC, segments)[0].square().sum().backward()
    _forget(readout, history_NLC)


def _forget(readout: nn.Module, history_NLC: Tensor) -> None:
    readout.zero_grad(set_to_none=True)
    history_NLC.grad = None


def rows_at(layers: int, size: int, rounds: int) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    segments, edge_index = graphs(size)
    history_NLC = torch.randn(int(segments.offsets[-1]), layers, WIDTH, requires_grad=True)
    work: dict[str, Callable[[], None]] = {}
    for name, read in ARMS.items():
        readout = build_readout(read, WIDTH, layers)
        work[name] = lambda readout=readout: step(readout, history_NLC, segments, edge_index)
    stage = build_readout(ARMS["histo, stage 1"], WIDTH, layers)
    work["stage 1 alone, folded"] = lambda: folded(stage, history_NLC, segments)
    work["stage 1 alone, textbook"] = lambda: textbook(stage, history_NLC, segments)
    memory = {name: held_mib(one) for name, one in work.items()}
    seconds, over = median_ratios(work, rounds)
    textbook_over, folded_over = over["stage 1 alone, textbook"], over["stage 1 alone, folded"]
    return [
        {
            "layers": layers,
            "nodes_a_graph": size,
            "readout": name,
            "ms": round(1000 * seconds[name], 2),
            "over_histo": round(over[name], 3),
            "peak_mib": round(memory[name], 1),
            "textbook_over_folded": round(textbook_over / folded_over, 2) if name == "stage 1 alone, textbook" else "-",
        }
        for name in work
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--smoke", action="store_true", help="one small place, one round, nothing written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/histograph_cost.json"))
    options = parser.parse_args()
    rows = []
    for layers in LAYERS[: 1 if options.smoke else None]:
        for size in SIZES[: 1 if options.smoke else None]:
            for row in rows_at(layers, size, 1 if options.smoke else options.rounds):
                rows.append(row)
                print(row, flush=True)
    if not options.smoke:
        write(options.out, "histograph_cost", rows)


if __name__ == "__main__":
    main()
