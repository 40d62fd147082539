"""What gates cost: a training step by each routing over a plain one, an answer with gates folded and with closed channels cut out.

    python -m benchmarks.hag.cost [--rounds 15] [--smoke] [--out benchmarks/results/hag_cost.json]

Full size, about 15 minutes of one thread: ResNet-18 at 96 px with gates behind each stage, batch 16; ViT-T at 96 px in patches of 8 with
gates on each branch, batch 8. Interleaved rounds, medians of the rounds' ratios. Seconds are of CPU time on one thread, which other work
on the machine lengthens less than the clock's. Aims: `gr` at most 1.8 times a plain step, `shared` at most 1.03.

A step is all of it: forward, backward, AdamW. `release` is what the authors' code does: two full passes, nothing frozen. `every 2` is the
mean of two steps. Networks are random, batch statistics too; of what is cut, the channels are drawn.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from apps.hag.speed import NOISE
from benchmarks.dcal.cost import median_ratios
from benchmarks.record import write
from core_attention.gates import GateSet, Routing, fold, shrink, unwrap, wrap
from core_attention.trunks import build_trunk

CLASSES = 10
CLOSED = -1e4  # a logit whose sigmoid is exactly 0
SEED = 0


class Network(NamedTuple):
    name: str
    trunk: str
    options: dict[str, Any]
    site: str  # of the paper's gates
    side: int
    batch: int  # of a training step


FULL = (
    Network("ResNet-18, 96 px", "resnet18", {}, "stage", 96, 16),
    Network("ViT-T, 144 tokens", "vit_tiny", {"image": 96, "patch": 8}, "branch", 96, 8),
)
SMOKE = (
    Network("ResNet-18 of an eighth, 32 px", "resnet18", {"width": 0.125}, "stage", 32, 4),
    Network("ViT of two blocks", "vit_tiny", {"image": 16, "patch": 8, "width": 24, "depth": 2}, "branch", 16, 4),
)
ROUTINGS: dict[str, dict[str, Any]] = {
    "release": {"parity": ("leak", "bn_twice")},
    "gr": {},
    "gr, half the batch": {"gate_fraction": 0.5},
    "gr, every 2": {"every": 2},
    "shared": {"share_forward": True},
}
CUTS = (  # (network, site, share of its channels or of its branches that is closed)
    *((0, "stage", share) for share in (0.25, 0.5, 0.75)),
    *((1, "hidden", share) for share in (0.25, 0.5, 0.75)),
    (1, "heads", 2 / 3),
    (1, "branch", 0.5),
    *((1, "whole branches", share) for share in (0.25, 0.5)),
)


def built(network: Network, sites: str | None) -> nn.Module:
    """With weights and statistics unlike their beginnings: a norm that begins at zero would be a closed branch."""
    trunk = build_trunk(network.trunk, seed=SEED, **network.options)
    model = nn.Sequential(trunk, nn.Linear(trunk.dim, CLASSES))
    if sites is not None:
        wrap(model, sites, init="xavier", generator=torch.Generator().manual_seed(SEED))
    draw = torch.Generator().manual_seed(SEED)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5, generator=draw)
            nn.init.uniform_(part.running_var, 0.5, 1.5, generator=draw)  # type: ignore[arg-type]
            nn.init.normal_(part.running_mean, generator=draw)  # type: ignore[arg-type]
    return model


def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return cross_entropy(model(batch[0]), batch[1])


def plain_step(network: Network, batch: tuple[Tensor, Tensor]) -> Callable[[], Any]:
    model = built(network, None)
    weights = torch.optim.AdamW(model.parameters())

    def step() -> None:
        weights.zero_grad(set_to_none=True)
        loss_of(model, batch).backward()
        weights.step()

    return step


def routed_step(network: Network, batch: tuple[Tensor, Tensor], options: dict[str, Any]) -> Callable[[], Any]:
    model = built(network, network.site)
    routing = Routing(GateSet(model), **options)
    weights, gates = routing.optimizers(1e-3, 1e-2)
    return partial(routing.step, partial(loss_of, model), batch, weights=weights, gates=gates)


def step_rows(networks: tuple[Network, ...], rounds: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for network in networks:
        draw = torch.Generator().manual_seed(SEED)
        images = torch.randn(network.batch, 3, network.side, network.side, generator=draw)
        batch = images, torch.randint(CLASSES, (network.batch,), generator=draw)
        arms = {"plain": plain_step(network, batch)}
        arms |= {name: routed_step(network, batch, options) for name, options in ROUTINGS.items()}
        # each arm does two steps in its turn, so that "every 2" has one of either kind
        seconds, ratios = median_ratios({name: partial(twice, step) for name, step in arms.items()}, rounds)
        for name in arms:
            cells = {"routing": name, "step_ms": round(500 * seconds[name], 1), "over_plain": round(ratios[name], 3)}
            found.append({"network": network.name, "batch": network.batch, **cells})
    return found


def twice(step: Callable[[], Any]) -> None:
    step()
    step()


def answer_rows(networks: tuple[Network, ...], rounds: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for network in networks:
        for batch in (1, network.batch):
            images = torch.randn(batch, 3, network.side, network.side, generator=torch.Generator().manual_seed(SEED))
            gated = built(network, network.site).eval()
            folded, report = fold(gated, torch.randn(2, *images.shape[1:]))
            models = {"never gated": unwrap(built(network, network.site)).eval(), "gated": gated, "folded": folded}
            with torch.inference_mode():
                seconds, ratios = median_ratios({name: partial(model, images) for name, model in models.items()}, rounds)
                off = float((folded(images) - gated(images)).abs().max())
            for name in models:
                cells = {"answer_ms": round(1000 * seconds[name], 2), "over_never_gated": round(ratios[name], 3)}
                kept = {"gates_left": 0 if name == "never gated" else len(report.kept) + (len(report.folded) if name == "gated" else 0)}
                found.append(
                    {
                        "network": network.name,
                        "batch": batch,
                        "model": name,
                        **cells,
                        **kept,
                        "off": f"{off if name == 'folded' else 0:.1e}",
                    }
                )
    return found


def closed(model: nn.Module, share: float, whole: bool) -> None:
    """Close the share of each gate's channels, or of all gates whole, drawn."""
    draw, gates = torch.Generator().manual_seed(SEED), GateSet(model).gates
    with torch.no_grad():
        if whole:
            names = list(gates)
            for i in torch.randperm(len(names), generator=draw)[: round(share * len(names))]:
                gates[names[int(i)]].logits.fill_(CLOSED)
            return
        for gate in gates.values():
            gate.logits[torch.randperm(gate.channels, generator=draw)[: round(share * gate.channels)]] = CLOSED


def cut_rows(networks: tuple[Network, ...], rounds: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for which, site, share in CUTS:
        network, whole = networks[which], site == "whole branches"
        gated = built(network, "branch" if whole else site).eval()
        closed(gated, share, whole)
        images = torch.randn(network.batch, 3, network.side, network.side, generator=torch.Generator().manual_seed(SEED))
        folded, _ = fold(gated, images[:2])
        small, report = shrink(gated, images[:2])
        with torch.inference_mode():
            _, ratios = median_ratios({"folded": partial(folded, images), "small": partial(small, images)}, rounds)
            off = float((small(images) - gated(images)).abs().max())
        less = [round(100 * (1 - b / a), 1) for a, b in zip(report.before, report.after, strict=True)]
        row = {"network": network.name, "batch": network.batch, "site": site, "closed_percent": round(100 * share)}
        row |= {"parameters_less_percent": less[0], "macs_less_percent": less[1], "time_over_folded": round(ratios["small"], 3)}
        found.append({**row, "faster_percent": told(1 / ratios["small"] - 1), "off": f"{off:.1e}"})
    return found


def told(gain: float) -> int:
    """In per cent; what is within the noise is none."""
    return 0 if abs(gain) < NOISE else round(100 * gain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="the smallest networks, once each, nothing written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/hag_cost.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    networks, rounds = (SMOKE, 1) if options.smoke else (FULL, options.rounds)
    rows: list[dict[str, Any]] = []
    for make in (step_rows, answer_rows, cut_rows):
        for row in make(networks, rounds):
            rows.append(row)
            print(row, flush=True)
    if not options.smoke:
        write(options.out, "hag_cost", rows)


if __name__ == "__main__":
    main()
