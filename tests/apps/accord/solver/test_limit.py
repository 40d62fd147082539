"""The limit is kept, on a clock that tests move: the overshoot is below 0.2 s or a tenth of the limit, whichever is more."""

import time

import numpy as np
import pytest

from apps.accord.solver.asked import Asked
from apps.accord.solver.clock import Clock
from apps.accord.solver.incumbent import Incumbent
from apps.accord.solver.model_method import ModelMethod
from apps.accord.solver.portfolio import FOREIGN, portfolio, run_method
from apps.accord.solver.recipe import RULES
from apps.accord.source import Decoded
from datamodules.accord.checker import check
from datamodules.accord.instances import KINDS
from datamodules.accord.references import METHODS
from datamodules.accord.synth import generate
from tests.apps.accord.solver.small import places

SIZES = {"pfsp": (12, 5), "jssp": (8, 6), "cvrp": 20, "knapsack": 20}
LOOK = 0.001  # seconds that pass from one look at the clock to the next
LONG_LOOK = 0.02  # where seconds are to pass in few looks


class Moved:
    """Every look takes a moment, so that what only looks at the clock comes to an end, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, look: float) -> None:
        self.now, self.look = 100.0, look
        monkeypatch.setattr(time, "monotonic", self.monotonic)

    def monotonic(self) -> float:
        self.now += self.look
        return self.now


class Costly:
    """A network whose every step takes `seconds` for each rollout, and as much as 32 of them before the first."""

    starts = True

    def __init__(self, clock: Moved, seconds: float) -> None:
        self.clock, self.seconds, self.rollouts = clock, seconds, 0

    def decode(self, instances, *, samples, starts, augment, temperature, masked, seed, stop) -> Decoded:
        width, steps = max(samples, starts) * augment, instances[0].size
        ended = True
        for _ in range(steps):
            if stop():
                ended = False
                break
            self.clock.now += self.seconds * (32 + width)
        self.rollouts += width
        actions = np.tile(np.arange(steps), (1, width, 1))
        value = check(instances[0], tuple(range(steps))).objective
        flags = np.full((1, width), ended)
        return Decoded(actions, np.full((1, width), value), np.zeros_like(flags), flags, AsTold())


class AsTold:
    def plan(self, instance, actions):
        return tuple(actions)


@pytest.mark.parametrize("limit", [0.5, 3.0, 30.0])
@pytest.mark.parametrize("seconds", [1e-6, 1e-4, 5e-4])
def test_the_network_keeps_the_limit_and_uses_it(limit: float, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = Moved(monkeypatch, 0.0)
    instance, clock = places(), Clock(limit)
    incumbent = Incumbent(instance, clock)
    network = Costly(moved, seconds)
    ModelMethod(network, Asked("model")).solve_one(incumbent, clock, clock.deadline, None)  # type: ignore[arg-type]
    assert network.rollouts > 1
    assert 0.5 * limit < clock.elapsed() < limit + max(0.2, 0.1 * limit)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in METHODS[kind] if name not in (*FOREIGN, RULES[kind])]
)
def test_every_method_of_our_own_looks_at_the_clock_and_ends(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = generate(kind, 1, SIZES.get(kind, 40))
    Moved(monkeypatch, LOOK)
    clock = Clock(1.0)
    incumbent = Incumbent(instance, clock)
    run_method(incumbent, RULES[kind], None, 0)
    run_method(incumbent, name, clock.deadline, 0)
    assert incumbent.plan is not None
    assert clock.elapsed() < 1.2


@pytest.mark.parametrize("kind", ["tsp", "cvrp", "pfsp", "jssp"])
def test_what_is_cut_early_has_been_searched(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the network has its turn, whose share grows with the limit, a local search has had one."""
    (instance,) = generate(kind, 1, (12, 12) if kind == "pfsp" else SIZES.get(kind, 40))
    Moved(monkeypatch, LONG_LOOK)
    clock = Clock(60.0)
    incumbent, asked = Incumbent(instance, clock), []

    def network(reached: Incumbent, until: float | None) -> None:
        asked.append(reached.source)
        clock.limit = 0.0

    portfolio(incumbent, clock, 0, network)
    assert asked == ["local"]
