"""A task whose gates learn apart from its weights, under Lightning.

One pass (`joint`, `gates_only`, `frozen_gates`, `share_forward`) stays automatic: one optimiser with a group for the gates. Two passes
(`gr`) are optimised by hand with two optimisers, of which Lightning counts the weights' alone: `global_step` counts steps, as elsewhere.
Clipping and accumulation keep their keys of the trainer.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer

from apps.base.errors import UserError
from apps.base.held_out import HeldOut
from apps.base.optim import Optim, constant_with_warmup, cosine_with_warmup, parameter_groups
from apps.base.routing import RoutingOptions
from apps.base.task import BaseTask, Batch
from core_attention.gates import GateSet, Routing, penalty
from core_attention.gates.passes import replayed, still

__all__ = ["RoutedTask"]

WARMUP = 0.05  # of the gates' rate: a share of all steps
SHARE = 0.15  # of the first loss that lam: auto makes the price


class RoutedTask(BaseTask):
    """`make_model` puts the gates in. `routing` None: the model has none, and all is as in BaseTask.

    `router` is made with the model: who learns when, in this run.
    """

    def __init__(self, optim: Optim, routing: RoutingOptions | None) -> None:
        super().__init__(optim)
        self.routing = routing
        self.router: Routing | None = None
        self._window: list[Batch] = []  # of the accumulation under way: pass A comes before all of pass B
        self._held_out: HeldOut | None = None
        self._held_out_taken = 0
        self._priced = True  # lam is known

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        if self.routing is None:
            return
        try:
            self.router = self.routing.make(GateSet(self.model))
        except ValueError as error:
            raise UserError(f"routing: {error}") from error
        self._priced = self.routing.lam != "auto"
        # For the whole training, not within a step alone: what a distributed strategy waits for, it looks up once.
        idle = {"gates_only": self.router.weight_parameters, "frozen_gates": self.router.gate_parameters}
        for parameter in idle.get(self.router.mode, []):
            parameter.requires_grad_(False)

    # --- a step ------------------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:  # type: ignore[override]
        routing = self.router
        if routing is None:
            return super().training_step(batch, batch_idx)
        self._anneal(routing.gates)
        if not self._priced:
            self._set_price(routing, batch)
        if routing.two_passes:
            return self._two_passes(routing, batch)
        with routing.one_pass():
            loss = super().training_step(batch, batch_idx)
        if self._logs_now():
            self._tell_gates(routing)
        return loss + routing.lam * penalty(routing.gates) if routing.lam else loss

    def _two_passes(self, routing: Routing, batch: Batch) -> Tensor | None:
        self._window.append(batch)
        if self.trainer.fit_loop._should_accumulate():
            return None
        window, self._window = self._window, []
        seen: tuple[Any, ...] = ()

        def loss(batch: Batch) -> Tensor:
            nonlocal seen
            outputs = self.model(*self.inputs(batch))
            losses = self.losses(batch, outputs)
            total = self.total(losses)
            seen = (batch, outputs, losses, total)
            return total

        held_out = [self._next_held_out() for _ in window] if routing.gate_data == "val" and routing.due else []
        done = routing.run(loss, window, TrainerDriver(self, routing), held_out)
        for scheduler in self.lr_schedulers():  # type: ignore[union-attr]
            scheduler.step()  # type: ignore[union-attr]
        if self._logs_now():
            self._tell(*seen)  # what was seen last is the weights' pass
            self._tell_gates(routing)
            if done.gate_loss is not None:
                self.log("train/gate_loss", done.gate_loss)
            self.log("train/lr", self._optimizer("weights").param_groups[-1]["lr"])
        return done.loss

    def _next_held_out(self) -> Batch:
        if self._held_out is None:
            loader = getattr(self.trainer.datamodule, "gate_dataloader", lambda: None)()  # type: ignore[attr-defined]
            if loader is None:
                raise UserError("routing.gate_data=val needs data that the weights never see; the data has no split for the gates")
            self._held_out = HeldOut(loader, self._held_out_taken)
        batch = self._held_out.take()
        self._held_out_taken = self._held_out.taken
        return self.trainer.strategy.batch_to_device(self._on_before_batch_transfer(batch), dataloader_idx=0)

    def _anneal(self, gates: GateSet) -> None:
        if any(gate.hardness == "anneal" for gate in gates.gates.values()):
            gates.anneal(self.trainer.global_step / max(1, self.total_steps() - 1))

    def _set_price(self, routing: Routing, batch: Batch) -> None:
        """lam: auto. The first step is then made as if nobody had looked."""
        with torch.no_grad(), still(self.model), replayed(self.device):
            loss = self.total(self.losses(batch, self.model(*self.inputs(batch))))
            routing.lam = SHARE * float(loss.abs() / penalty(routing.gates).clamp(min=1e-6))
        self._priced = True

    def _tell_gates(self, routing: Routing) -> None:
        values = torch.cat(list(routing.gates.values().values()))
        self.log_dict(
            {
                "gates/mean": values.mean(),
                "gates/open": (values > 0.9).float().mean(),
                "gates/closed": (values < 0.1).float().mean(),
            },
            batch_size=1,
        )

    # --- optimisers --------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        routing, options = self.router, self.routing
        if routing is None or options is None:
            return super().configure_optimizers()
        if routing.two_passes and self.trainer.world_size > 1:
            raise UserError("routing.mode=gr trains on one device; take trainer.devices=1, or routing.share_forward or mode joint")
        ids = {id(parameter) for parameter in routing.gate_parameters}
        groups = parameter_groups(self.model, self.optim, self.layers(), self.no_decay(), self.rates())
        for group in groups:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in ids]
        weights = [group for group in groups if group["params"]]
        learning = [parameter for parameter in routing.gate_parameters if parameter.requires_grad]
        gates = [{"params": learning, "lr": options.lr_g, "weight_decay": 0.0}] if learning else []
        if not gates and routing.mode != "frozen_gates":
            raise UserError(f"routing.mode={routing.mode}: no gate is left to learn; they are off or in frozen layers")
        if routing.two_passes:
            # Only now: Lightning refuses the trainer's clipping and accumulation to a task that optimises by hand, as nobody would act
            # on them. This one does.
            self.automatic_optimization = False
            made = [self._with_schedule(weights, []), self._with_schedule([], gates)]
            return [optimizer for optimizer, _ in made], [scheduler for _, scheduler in made]
        optimizer, scheduler = self._with_schedule(weights, gates)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_callbacks(self) -> Any:
        self.automatic_optimization = True  # until the optimisers are made, in each training anew
        return super().configure_callbacks()

    def _with_schedule(self, weights: list[dict], gates: list[dict]) -> tuple[Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        # Gates first: what is logged as the rate is the last group's. Lightning does not clip fused optimisers under mixed precision.
        fused = "mixed" not in str(self.trainer.precision)
        optimizer = torch.optim.AdamW([*gates, *weights], lr=self.optim.lr, betas=self.optim.betas, fused=fused)
        total, optim = self.total_steps(), self.optim

        def of_weights(step: int) -> float:
            return cosine_with_warmup(step, total, optim.warmup, optim.floor)

        def of_gates(step: int) -> float:
            return constant_with_warmup(step, total, WARMUP)

        factors = [*(of_gates for _ in gates), *(of_weights for _ in weights)]
        return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factors)

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        if self.router is None:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        self._clip("weights")
        self._clip("gates")

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if not self.automatic_optimization:  # after the scaler, if any, has divided; Lightning itself clips in automatic optimisation only
            self._clip("weights" if optimizer is self.trainer.optimizers[0] else "gates")

    def _clip(self, who: str) -> None:
        """Each group by its own norm: a large loss of the gates does not shorten the weights' step."""
        assert self.router is not None
        assert self.routing is not None
        leak = "leak" in self.router.parity  # then each clip is over all parameters
        everything = [*self.router.weight_parameters, *self.router.gate_parameters]
        if who == "gates":
            if self.routing.clip_g is not None:
                clip_grad_norm_(everything if leak else self.router.gate_parameters, self.routing.clip_g)
        elif self.trainer.gradient_clip_val:
            by_value = self.trainer.gradient_clip_algorithm == "value"
            clip: Any = clip_grad_value_ if by_value else clip_grad_norm_
            clip(everything if leak else self.router.weight_parameters, self.trainer.gradient_clip_val)

    def _optimizer(self, who: str) -> Any:
        return self.optimizers()[who == "gates"]  # type: ignore[index]

    # --- what a checkpoint carries besides ---------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        if self.router is not None:
            lam = self.router.lam if self._priced else None
            checkpoint["discern"]["routing"] = {**self.router.state_dict(), "lam": lam, "held_out": self._held_out_taken}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        state = checkpoint["discern"].get("routing")
        if self.router is None or state is None:
            return
        self.router.load_state_dict(state)
        self._held_out_taken, self._held_out, self._window = state["held_out"], None, []
        if not self._priced and state["lam"] is not None:
            self.router.lam, self._priced = state["lam"], True


class TrainerDriver:
    """Clears, backpropagates and updates through Lightning's precision; see core_attention.gates.driver."""

    def __init__(self, task: RoutedTask, routing: Routing) -> None:
        self.task = task
        self.router = routing

    def clear(self, who: str) -> None:
        self.task._optimizer(who).zero_grad()

    def backward(self, loss: Tensor) -> None:
        self.task.manual_backward(loss)

    def update(self, who: str) -> None:
        optimizer, trainer = self.task._optimizer(who), self.task.trainer
        if who == "weights":
            optimizer.step()  # Lightning counts this one
            return
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is None:
            trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)
            return
        # As the plugin does, but without its update of the scale: that comes once a step, with the weights.
        scaler.unscale_(optimizer.optimizer)
        self.task.on_before_optimizer_step(optimizer.optimizer)
        scaler.step(optimizer.optimizer)
