"""Gates on networks of timm, as they are: wrapped, routed, folded, closed and cut, unwrapped.

    PYTHONPATH=. TIMM_PYTHON -m benchmarks.hag.timm_gates [--smoke] [--out benchmarks/results/hag_timm.json]

TIMM_PYTHON: the interpreter of an environment with torch, psutil, timm and what timm imports; timm is no dependency of ours. Weights are
random, batch statistics too; the data is noise. One thread, about a minute. Each row says what was found:

wrapped_off: of answers with gates that are all 1 (unit) against those without; 0 means bit for bit. state_loads: the ungated state loads
into the wrapped network. apart: after pass A every weight and buffer has its old bits, after pass B every gate. folded, kept: gates.
fold_off_float64, fold_off: of folded against gated, over max(1, |answer|). plain_keys: names of the folded state are those of the original.
macs_less_percent, cut_off: after half of the channels of every gate were closed, and two branches of the transformer. unwrapped: structure,
names and values of the state are the original's where nothing was trained.
"""

import argparse
import copy
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.record import write
from core_attention.gates import GateSet, Routing, Site, fold, harden, shrink, unwrap, wrap

CLASSES, BATCH, STEPS = 10, 4, 3
BRANCHES = ["blocks.1.ls1", "blocks.2.ls2"]  # closed altogether
NETWORKS: dict[str, tuple[dict[str, Any], list[Site], int]] = {
    "resnet18": ({}, [Site("layer?", axis=1)], 64),
    "vit_tiny_patch16_224": (
        {"img_size": 64},
        [
            Site("blocks.*.ls?", axis=-1, channels=192),  # after the projection, before the sum
            Site("blocks.*.mlp.act", axis=-1),
            Site("blocks.*.attn.proj", axis=-1, side="input", channels=3, repeat=64),  # a gate for each head
        ],
        64,
    ),
}


def random_statistics(model: nn.Module) -> nn.Module:
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=draw)
            elif tensor.is_floating_point() and tensor.ndim == 1:
                tensor.add_(0.1 * torch.randn(tensor.shape, generator=draw))
    return model


def bits(tensors: Any) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def off(a: Tensor, b: Tensor) -> float:
    return float(((a - b).abs() / b.abs().clamp(min=1)).max())


def routed(model: nn.Module, gates: GateSet, images: Tensor) -> bool:
    """A few steps of gradient routing by hand; whether each pass left the other's tensors alone."""
    routing = Routing(gates, lam=0.1)
    weights, logits = routing.optimizers(lr_w=1e-3, lr_g=5e-2)
    assert weights is not None
    assert logits is not None
    labels, apart = torch.arange(len(images)) % CLASSES, True
    for _ in range(STEPS):
        before = bits([*routing.weight_parameters, *model.buffers()])
        with routing.gate_pass():
            logits.zero_grad()
            cross_entropy(model(images), labels).backward()
            logits.step()
        apart &= equal(before, [*routing.weight_parameters, *model.buffers()])
        before = bits(routing.gate_parameters)
        with routing.weight_pass():
            weights.zero_grad()
            cross_entropy(model(images), labels).backward()
            weights.step()
        apart &= equal(before, routing.gate_parameters)
    return apart


def row_of(name: str, timm: Any, smoke: bool) -> dict[str, Any]:
    options, sites, side = NETWORKS[name]
    options = {**options, **({"depth": 3} if smoke and "vit" in name else {})}
    model = random_statistics(timm.create_model(name, pretrained=False, num_classes=CLASSES, **options)).eval()
    images = torch.randn(BATCH, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain, state = model(images), copy.deepcopy(model.state_dict())
        gates = wrap(model, sites, unit=True, example=images)
        wrapped_off = off(model(images), plain)
    loaded = model.load_state_dict(state)
    unwrapped = unwrap(copy.deepcopy(model)).state_dict()
    same = unwrapped.keys() == state.keys() and equal(list(unwrapped.values()), list(state.values()))
    apart = routed(model.train(), gates, images)
    model.eval()
    with torch.no_grad():
        for logits in gates.gate_parameters():  # as far as a long training would have moved them
            logits.normal_(0, 2, generator=torch.Generator().manual_seed(2))
    folded, report = fold(model, images)
    branches = [name for name in BRANCHES if name in gates.gates]
    with torch.no_grad():
        for branch in branches:
            gates.gates[branch].logits.fill_(-9.0)
    harden(gates, quantile=0.5)
    harden(gates, threshold=0.01, may_close=branches)
    small, cut = shrink(model, images)
    with torch.no_grad():
        cut_off = off(small(images), model(images))
    return {
        "network": name,
        "timm": timm.__version__,
        "gates": len(gates),
        "channels": gates.channels,
        "wrapped_off": wrapped_off,
        "state_loads": not loaded.missing_keys and not loaded.unexpected_keys,
        "unwrapped": same,
        "apart": apart,
        "folded": len(report.folded),
        "kept": len(report.kept),
        "fold_off_float64": f"{report.error_double:.1e}",
        "fold_off": f"{report.error:.1e}",
        "plain_keys": folded.state_dict().keys() == state.keys(),
        "macs_less_percent": round(100 * (1 - cut.after.macs / cut.before.macs), 1),
        "cut_off": f"{cut_off:.1e}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a transformer of three blocks, nothing written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/hag_timm.json"))
    options = parser.parse_args()
    try:
        import timm
    except ImportError as error:
        print(f"timm_gates: no timm here ({error}); run it with the interpreter of an environment that has torch and timm", file=sys.stderr)
        raise SystemExit(2) from error
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for name in NETWORKS:
        rows.append(row_of(name, timm, options.smoke))
        print(rows[-1], flush=True)
    if not options.smoke:
        write(options.out, "hag_timm", rows)


if __name__ == "__main__":
    main()
