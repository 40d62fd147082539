"""The networks of a table: the one that is measured, the same before training, and the same with weights drawn at random."""

import argparse
import copy
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import torch

from apps.accord.model import Accord, build
from apps.accord.source import STARTER, has_starter, open_network
from apps.base.export.weights import read

__all__ = ["Networks", "add_model", "networks"]

SEED = 0


class Networks(NamedTuple):
    trained: Accord
    untrained: Accord  # follows the greedy rule of its kind (ACCORD brief 2.4.2): psi begins so, and decides alone
    random: Accord  # every weight drawn: what the masks alone are worth
    name: str  # of the file, and what is in it


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="weights of `discern accord export -o FILE.safetensors`; default: the starter")


def networks(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Networks:
    """A smoke needs no starter: where there is none, it goes on with an untrained network."""
    path = STARTER if options.model is None else options.model
    trained, config = None, {"size": "tiny"}
    if options.model is not None or has_starter():
        opened: Any = open_network(path)
        trained, config = opened.network, read(str(path))[1]["model"]
    elif not options.smoke:
        parser.error("there is no starter in apps/accord/starter; make it with `python -m apps.accord.starter.train`, or give --model FILE")
    torch.manual_seed(SEED)
    untrained = build(config).eval()
    trained = copy.deepcopy(untrained) if trained is None else trained
    digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in trained.state_dict().values())).hexdigest()[:12]
    return Networks(trained, untrained, _drawn(untrained), f"{'starter' if options.model is None else options.model.name} {digest}")


@torch.no_grad()
def _drawn(like: Accord) -> Accord:
    network = copy.deepcopy(like)
    for weight in network.parameters():
        weight.normal_(std=weight.shape[-1] ** -0.5 if weight.ndim > 1 else 1.0)
    return network
