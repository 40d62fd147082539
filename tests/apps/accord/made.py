"""What the tests of the network and of decoding share: small instances of every kind, and networks with random weights."""

import torch

from apps.accord.model import Accord, build
from datamodules.accord.synth import generate

SIZES = {"tsp": 6, "cvrp": 6, "knapsack": 8, "binpack": 8, "pfsp": (5, 3), "jssp": (3, 3)}
SMALLER = {"tsp": 4, "cvrp": 3, "knapsack": 5, "binpack": 5, "pfsp": (3, 4), "jssp": (2, 2)}
KINDS = tuple(SIZES)


def instances(kind: str, count: int = 4, sizes: dict = SIZES, seed: int = 0) -> list:
    return generate(kind, count, sizes[kind], seed, **({"capacity": 20} if kind == "cvrp" else {}))


def mixed(kind: str) -> list:
    """Of two sizes."""
    return [*instances(kind, 2), *instances(kind, 2, SMALLER)]


def random_network(seed: int = 0, **config) -> Accord:
    """Every weight is random, those that begin at zero too."""
    torch.manual_seed(seed)
    small = {"dim": 16, "heads": 2, "layers": 2, "ffn": 24, "rank": 2}
    network = build(small | config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return network
