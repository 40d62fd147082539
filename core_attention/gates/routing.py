"""Gradient Routing: gates and weights learn from the same loss in passes of their own (HAG 3.2).

A: the weights are frozen, buffers hold still, gates learn from the loss and the price of open gates.
B: the gates are frozen, the weights learn with the gates as they are now.

`share_forward` takes both gradients from one pass, at the old gates: the Jacobi form of what `gr` does after Gauss and Seidel. With the
same groups it is `joint` training, bit for bit; two learning rates are all that is left of the routing.

>>> routing = Routing(wrap(model, "stage"), lam=0.1)
>>> weights, gates = routing.optimizers(lr_w=1e-3, lr_g=5e-2)
>>> for batch in loader:
...     routing.step(lambda b: cross_entropy(model(b[0]), b[1]), batch, weights=weights, gates=gates)
"""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from core_attention.gates.batches import rows, split_rows
from core_attention.gates.driver import Driver, PlainDriver
from core_attention.gates.gate_set import GateSet
from core_attention.gates.passes import evaluating_norms, frozen, own_casts, replayed, still
from core_attention.gates.penalty import penalty

__all__ = ["GATE_DATA", "MODES", "PARITY", "Routing", "Step"]

MODES = ("gr", "joint", "gates_only", "frozen_gates")
GATE_DATA = ("same", "split", "val")
PARITY = ("leak", "bn_twice")


class Step(NamedTuple):
    """Of one step, detached, for a log: the weights' loss (where there is one pass, its loss), and pass A's where there was one."""

    loss: Tensor
    gate_loss: Tensor | None
    penalty: Tensor


class Routing:
    """Who learns when.

    mode: "gr" two passes; "joint" one pass and one optimiser of two groups; "gates_only" one pass, weights frozen, batch norms in
    evaluation; "frozen_gates" one pass, gates frozen.
    gate_data: pass A takes the "same" batch, one half of it ("split": pass B takes the other), or a batch of data that the weights never
    see ("val").
    every: pass A at each k-th step. gate_fraction: pass A on this share of the batch, the first rows.
    share_forward: both gradients from one pass; for gate_data "same" alone.
    same_noise: pass B draws the dropout masks that pass A drew; by default where both see the same batch.
    lam: price of open gates, times their mean openness; its gradient reaches gates only.
    parity: what the authors' release does otherwise. "leak": gradients are cleared once before both passes and nothing is frozen, so the
    weights step on the sum of both losses' gradients, each clip is over all parameters, and a loss scaler is updated twice. "bn_twice":
    batch norms note both passes.
    gate_warmup: steps at the beginning that have no pass A; the release reads such a number and never uses it.
    """

    def __init__(
        self,
        gates: GateSet,
        mode: str = "gr",
        gate_data: str = "same",
        every: int = 1,
        gate_fraction: float = 1.0,
        share_forward: bool = False,
        same_noise: bool | None = None,
        lam: float = 0.0,
        parity: Iterable[str] = (),
        gate_warmup: int = 0,
    ) -> None:
        self.parity = frozenset(parity)
        _check(mode, gate_data, every, gate_fraction, share_forward, same_noise, lam, self.parity, gate_warmup)
        self.gate_warmup = gate_warmup
        self.gates = gates
        self.mode = mode
        self.gate_data = gate_data
        self.every = every
        self.gate_fraction = gate_fraction
        self.share_forward = share_forward
        self.same_noise = gate_data == "same" and gate_fraction == 1.0 if same_noise is None else same_noise
        self.lam = lam
        self.steps = 0  # so far; `every` counts by it
        self.gate_parameters = gates.gate_parameters()
        self.weight_parameters = gates.weight_parameters()

    @property
    def two_passes(self) -> bool:
        return self.mode == "gr" and not self.share_forward

    # --- passes ----------------------------------------------------------------------------------------------------

    @contextmanager
    def gate_pass(self) -> Generator[None]:
        """Pass A: forward and backward inside reach gates alone. Weights, their gradients and all buffers are afterwards as before."""
        self._two_passes_only("gate_pass")
        with ExitStack() as held:
            held.enter_context(own_casts())
            if "leak" not in self.parity:
                held.enter_context(frozen(self.weight_parameters))
            if "bn_twice" not in self.parity:
                held.enter_context(still(self.gates.model))
            if self.same_noise:
                held.enter_context(replayed(self.gate_parameters[0].device))
            yield

    @contextmanager
    def weight_pass(self) -> Generator[None]:
        """Pass B: forward and backward inside reach weights alone."""
        self._two_passes_only("weight_pass")
        with own_casts(), frozen(() if "leak" in self.parity else self.gate_parameters):
            yield

    @contextmanager
    def one_pass(self) -> Generator[None]:
        """Of the modes that have one: what does not learn is frozen while the forward pass is made."""
        if self.two_passes:
            raise ValueError("mode 'gr' has two passes, gate_pass and weight_pass; one_pass is of the others and of share_forward")
        model = self.gates.model
        with ExitStack() as held:
            held.enter_context(own_casts())
            if self.mode == "gates_only":
                held.enter_context(frozen(self.weight_parameters))
                held.enter_context(evaluating_norms(model))
                held.enter_context(still(model))
            if self.mode == "frozen_gates":
                held.enter_context(frozen(self.gate_parameters))
            yield

    def _two_passes_only(self, what: str) -> None:
        if not self.two_passes:
            kind = "share_forward" if self.share_forward else f"mode {self.mode!r}"
            raise ValueError(f"{kind} has one pass; {what} is of mode 'gr', use one_pass")

    # --- a bare loop -----------------------------------------------------------------------------------------------

    def param_groups(self, lr_w: float, lr_g: float, wd: float = 0.0) -> list[dict[str, Any]]:
        """Groups for optimisers, each with a `name`: "weights", "vectors" (norms and biases: no decay), "gates" (none, either).

        Of those that learn in this mode; gates want an Adam, whatever the weights have: their gradients differ by layer by magnitudes.
        """
        weights = [p for p in self.weight_parameters if p.requires_grad and self.mode != "gates_only"]
        gates = [p for p in self.gate_parameters if p.requires_grad and self.mode != "frozen_gates"]
        for who, learning, without in (("gate", gates, "frozen_gates"), ("weight", weights, "gates_only")):
            if not learning and self.mode != without:
                raise ValueError(f"mode {self.mode!r}: no {who} learns, all are off or frozen; take mode {without!r}")
        groups = [
            {"name": "weights", "params": [p for p in weights if p.ndim > 1], "lr": lr_w, "weight_decay": wd},
            {"name": "vectors", "params": [p for p in weights if p.ndim < 2], "lr": lr_w, "weight_decay": 0.0},
            {"name": "gates", "params": gates, "lr": lr_g, "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]

    def optimizers(self, lr_w: float, lr_g: float, wd: float = 0.0) -> tuple[Optimizer | None, Optimizer | None]:
        """AdamW for the weights and one for the gates, as `step` takes them; in "joint" the first has all groups."""
        groups = self.param_groups(lr_w, lr_g, wd)
        of_weights = groups if self.mode == "joint" else [group for group in groups if group["name"] != "gates"]
        of_gates = [] if self.mode == "joint" else [group for group in groups if group["name"] == "gates"]
        return (torch.optim.AdamW(of_weights) if of_weights else None, torch.optim.AdamW(of_gates) if of_gates else None)

    def step(
        self,
        loss: Callable[[Any], Tensor],
        *batches: Any,
        weights: Optimizer | None = None,
        gates: Optimizer | None = None,
        gate_batches: Sequence[Any] = (),
        scaler: torch.amp.GradScaler | None = None,
        clip_w: float | None = None,
        clip_g: float | None = None,
    ) -> Step:
        """One step on a batch, or on several whose gradients are averaged.

        loss: of a batch; runs the model, under an autocast context of its own where there is one.
        weights, gates: the optimisers; "joint" takes both groups in `weights`, the other modes of one pass what learns in them.
        gate_batches: for gate_data "val", what pass A sees; not looked at in steps that have none (see `due`).
        scaler: of 16-bit floats. clip_w, clip_g: largest norm of the gradient of the weights, of the gates.
        """
        return self.run(loss, batches, PlainDriver(self, weights, gates, scaler, clip_w, clip_g), gate_batches)

    @property
    def due(self) -> bool:
        """The next step has a pass A."""
        return self.two_passes and self.steps >= self.gate_warmup and self.steps % self.every == 0

    def run(self, loss: Callable[[Any], Tensor], batches: Sequence[Any], driver: Driver, gate_batches: Sequence[Any] = ()) -> Step:
        """As `step`, with somebody else's backward and updates."""
        if not batches:
            raise ValueError("a step needs at least one batch")
        if gate_batches and self.gate_data != "val":
            raise ValueError(f"gate_batches would be ignored by gate_data={self.gate_data!r}; they are of 'val'")
        done = self._two(loss, batches, driver, gate_batches) if self.two_passes else self._one(loss, batches, driver)
        self.steps += 1
        return done

    def _one(self, loss: Callable[[Any], Tensor], batches: Sequence[Any], driver: Driver) -> Step:
        learners = {"joint": ("all",), "gates_only": ("gates",), "frozen_gates": ("weights",), "gr": ("gates", "weights")}[self.mode]
        for who in learners:
            driver.clear(who)
        with self.one_pass():
            mean, price = self._backward(loss, batches, driver, self.mode != "frozen_gates")
        for who in learners:
            driver.update(who)
        return Step(mean, None, price)

    def _two(self, loss: Callable[[Any], Tensor], batches: Sequence[Any], driver: Driver, gate_batches: Sequence[Any]) -> Step:
        for_gates, for_weights = (list(gate_batches), list(batches)) if self.gate_data == "val" else self._divided(batches)
        gate_loss, price = None, None
        driver.clear("gates")
        driver.clear("weights")  # before both: pass A finds no gradient of theirs, and needs no memory for one
        if self.due:
            if not for_gates:
                raise ValueError("gate_data='val' needs gate_batches: data that the weights never see")
            with self.gate_pass():
                gate_loss, price = self._backward(loss, for_gates, driver, True)
                driver.update("gates")
        with self.weight_pass():
            mean, now = self._backward(loss, for_weights, driver, False)
            driver.update("weights")
        return Step(mean, gate_loss, now if price is None else price)

    def _divided(self, batches: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """(for pass A, for pass B)."""
        if self.gate_data == "split" and self.due:
            pairs = [split_rows(batch, rows(batch) // 2) for batch in batches]
            return [first for first, _ in pairs], [second for _, second in pairs]
        if self.gate_fraction < 1 and self.due:
            shares = [(batch, math.ceil(rows(batch) * self.gate_fraction)) for batch in batches]
            return [split_rows(batch, share)[0] if share < rows(batch) else batch for batch, share in shares], list(batches)
        return list(batches), list(batches)

    def _backward(self, loss: Callable[[Any], Tensor], batches: Sequence[Any], driver: Driver, priced: bool) -> tuple[Tensor, Tensor]:
        """(mean loss without the price, mean openness), both detached."""
        priced = priced and self.lam > 0
        with torch.set_grad_enabled(priced):
            price = penalty(self.gates)
        losses: list[Tensor] = []
        for i, batch in enumerate(batches):
            task = loss(batch)
            if not task.requires_grad:
                raise ValueError("the loss depends on nothing that learns in this pass; does it call the modules that the gates are on?")
            losses.append(task.detach())
            task = task / len(batches) if len(batches) > 1 else task
            driver.backward(task + self.lam * price if priced and i == 0 else task)
        return torch.stack(losses).mean(), price.detach()

    def state_dict(self) -> dict[str, int]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.steps = state["steps"]


def _check(
    mode: str,
    gate_data: str,
    every: int,
    gate_fraction: float,
    share_forward: bool,
    same_noise: bool | None,
    lam: float,
    parity: frozenset[str],
    gate_warmup: int,
) -> None:
    """Words that there are, and options that act."""
    if mode not in MODES:
        raise ValueError(f"routing mode is {', '.join(MODES)}, not {mode!r}")
    if gate_data not in GATE_DATA:
        raise ValueError(f"gate_data is {', '.join(GATE_DATA)}, not {gate_data!r}")
    if every < 1:
        raise ValueError(f"every is at least 1, not {every}")
    if gate_warmup < 0:
        raise ValueError(f"gate_warmup is a count of steps, not {gate_warmup}")
    if not 0 < gate_fraction <= 1:
        raise ValueError(f"gate_fraction is a share of the batch in (0, 1], not {gate_fraction}")
    if not (lam >= 0 and math.isfinite(lam)):
        raise ValueError(f"lam is a price of at least 0, not {lam}")
    if parity - set(PARITY):
        raise ValueError(f"parity flags are {', '.join(PARITY)}, not {', '.join(sorted(parity - set(PARITY)))}")
    of_two = {
        "gate_data": gate_data != "same", "every": every != 1, "gate_fraction": gate_fraction != 1,
        "same_noise": same_noise is not None, "parity": bool(parity), "gate_warmup": gate_warmup != 0,
    }  # fmt: skip
    idle = [name for name, given in {**of_two, "share_forward": share_forward}.items() if given]
    if mode != "gr" and idle:
        raise ValueError(f"{', '.join(idle)} would be ignored by mode {mode!r}; leave out or take 'gr'")
    if share_forward and any(of_two.values()):
        raise ValueError(f"share_forward has one pass on one batch; {', '.join(name for name in of_two if of_two[name])} would be ignored")
    if mode == "frozen_gates" and lam:
        raise ValueError(f"lam={lam} would be ignored by mode 'frozen_gates': gates that do not learn pay nothing")
    if gate_fraction != 1 and gate_data != "same":
        raise ValueError(f"gate_fraction is of gate_data 'same', not {gate_data!r}")
    if same_noise and (gate_data != "same" or gate_fraction != 1):
        raise ValueError("same_noise needs both passes to see the same batch: gate_data 'same' and gate_fraction 1")
