"""Learning to decide (ACCORD brief section 3): all kinds in turn, first one network for all, then an adapter each."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection

from apps.accord.draw_learning import gap_figure, state_figure, tour_figure
from apps.accord.greedy_rules import rule
from apps.accord.improving import improved
from apps.accord.losses import accuracy, decision_loss, state_error, state_loss
from apps.accord.metrics import Answers, ByKind, gaps_of, mean_of_kinds
from apps.accord.model import Accord, Decisions, build
from apps.accord.options import Learn, Measure, Net, Stages
from apps.accord.parts import widen_averages, widened
from apps.accord.program import Decide
from apps.accord.stages import Phase, phase_of, set_learning
from apps.accord.teaching import Teacher
from apps.accord.testing import best_of, feasible, greedily
from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import BaseTask, Batch, Stage
from datamodules.accord.gaps import gap
from datamodules.accord.instances import KINDS
from datamodules.accord.packs import pack
from datamodules.order import sample_rng

__all__ = ["Deciding"]

COLUMNS = ("greedy", "best_of", "untrained", "feasible")  # of each tested problem
OPEN = ("open_feasible", "open")  # and without masks
SEED = 0  # of the untrained network that a test sets beside the trained one


class Deciding(BaseTask):
    """What to do next?

    Args:
        net: The network and its adapters.
        learn: What is learned from.
        stages: Who learns when.
        measure: How `test` decodes besides greedily.
        optim: The optimiser and its schedule.
    """

    app = "accord"
    programs = ("solve",)
    model: Accord

    def __init__(
        self,
        net: Net = Net(),  # noqa: B008 - jsonargparse shows its fields as keys
        learn: Learn = Learn(),  # noqa: B008
        stages: Stages = Stages(),  # noqa: B008
        measure: Measure = Measure(),  # noqa: B008
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(optim)
        stages.check(net)
        self.net, self.learn, self.stages, self.decoding = net, learn, stages, measure
        self.teacher = Teacher(learn)
        self.phase = phase_of(stages, 0.0)
        self.steps_in_all = 0

    # --- the model and what it needs to know -----------------------------------------------------------------------

    def gather(self, data: Any) -> dict[str, Any]:
        sizes = {kind: list(size) if isinstance(size, tuple) else size for kind, size in data.sizes.items()}
        learned = {"sizes": sizes, "masked": self.learn.masked}
        return {**super().gather(data), "model": asdict(self.net), "learned": learned}

    def make_model(self, facts: dict[str, Any]) -> Accord:
        return build(facts["model"])

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({})  # a mean of means over kinds: see `_told`

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        columns = {"val": ("greedy",), "test": COLUMNS if self.learn.masked else (*COLUMNS, *OPEN)}
        self.answered = torch.nn.ModuleDict({stage: Answers(names) for stage, names in columns.items()})
        self.errors = torch.nn.ModuleDict({name: ByKind() for name in ("state_error", "accuracy")})
        self.seconds = MeanMetric()  # of a problem, decoded greedily
        self.table: dict[str, np.ndarray] = {}

    def cold_started(self) -> None:
        if self.stages.mode == "adapters-only":
            raise UserError("stages.mode=adapters-only trains adapters on a given network; give it with --init FILE")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        if self.shadow is not None:
            weights = self.model.state_dict()
            self.shadow = {name: widened(kept, weights[name]) for name, kept in self.shadow.items()}

    # --- training --------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        found = super().configure_optimizers()
        found["optimizer"].register_load_state_dict_pre_hook(widen_averages)
        return found

    def on_fit_start(self) -> None:
        self.steps_in_all = self.total_steps()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        phase = phase_of(self.stages, self.trainer.global_step / max(1, self.steps_in_all))
        set_learning(self.model, phase)
        self.phase = phase

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return super().training_step(self.lesson(batch, self.phase), batch_idx)

    def lesson(self, batch: Batch, phase: Phase | None = None) -> Batch:
        """The batch with its steps; those of the network's own best answers, where it improves itself."""
        kind = self.kind_of(batch)
        lesson = self.teacher.steps(kind, batch, self.teacher.actions(kind, batch))
        if phase is None or not phase.improve:
            return lesson
        seeds_B = torch.from_numpy(sample_rng(SEED, self.trainer.global_step, 0).integers(2**62, size=len(batch["size"])))
        actions_BT = improved(
            self.model,
            self.teacher.rules(kind),
            batch,
            self.teacher.actions(kind, batch),
            lesson["reached"],
            self.stages.samples,
            seeds_B.to(self.device),
            torch.full_like(batch["size"], -1) if self.phase.backbone else None,
        )
        return self.teacher.steps(kind, batch, actions_BT)

    @staticmethod
    def kind_of(batch: Batch) -> str:
        return list(KINDS)[int(batch["kind"][0])]

    def _routes(self, kind: str, batch: Batch) -> Tensor | None:
        """The kind's own adapter; none while the network itself learns."""
        return None if self.training and self.phase.backbone else self.model.routes(kind, self.batch_size(batch))

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        kind = self.kind_of(batch)
        steps = (batch[name] for name in ("current", "features", "options", "entity"))
        return (kind, batch, *steps, self._routes(kind, batch))

    def losses(self, batch: Batch, outputs: Decisions) -> dict[str, Tensor]:
        losses = {"decision": decision_loss(outputs.logits_BTA, batch["mask"], batch["target"], batch["free"])}
        if self.learn.state:
            losses["state"] = self.learn.state * state_loss(outputs.predicted_BTP, batch["features"], batch["present"])
        return losses

    def batch_size(self, batch: Batch) -> int:
        return len(batch["size"])

    # --- measuring -------------------------------------------------------------------------------------------------

    def _evaluate(self, stage: Stage, batch: Batch) -> None:
        super()._evaluate(stage, self.lesson(batch))

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: Decisions, stage: Stage) -> None:
        kind, rules = self.kind_of(batch), self.teacher.masked(self.kind_of(batch))
        problems = self.teacher.problems(batch)
        began = time.perf_counter()
        answer = greedily(self.model, rules, problems)
        self.seconds.update((time.perf_counter() - began) / self.batch_size(batch), self.batch_size(batch))
        columns = {name: batch[name] for name in ("kind", "number", "best")} | {"greedy": answer.objective_B}
        if stage == "test":
            rows = [self.trainer.datamodule.rows("test")[number] for number in batch["number"].tolist()]  # type: ignore[attr-defined]
            several = best_of(self.model, rules, problems, self.decoding)
            before = greedily(self.untrained, rules, problems)
            held_B = torch.stack([feasible(rules, rows, each) for each in (answer, several, before)]).all(0)
            columns |= {"best_of": several.objective_B, "untrained": before.objective_B, "feasible": held_B}
            if not self.learn.masked:
                without = self.teacher.open(kind)
                answer = greedily(self.model, without, problems)
                columns |= {"open": answer.objective_B, "open_feasible": feasible(without, rows, answer)}
        self.answered[stage].update(**columns)  # type: ignore[operator]
        right = accuracy(outputs.logits_BTA, batch["mask"], batch["target"], batch["free"])
        error_B = state_error(outputs.predicted_BTP, batch["features"], batch["present"])
        self._error("accuracy").update(int(batch["kind"][0]), right.expand(len(error_B)))
        self._error("state_error").update(int(batch["kind"][0]), error_B)

    def _error(self, name: str) -> ByKind:
        metric = self.errors[name]
        assert isinstance(metric, ByKind)
        return metric

    def on_validation_epoch_end(self) -> None:
        self._told("val")

    def on_test_epoch_start(self) -> None:
        generator_state = torch.get_rng_state()
        torch.manual_seed(SEED)
        self.untrained = build(self.facts["model"]).to(self.device).eval()
        torch.set_rng_state(generator_state)

    def on_test_epoch_end(self) -> None:
        self._told("test")

    def _told(self, stage: Stage) -> None:
        metric = self.answered[stage]
        assert isinstance(metric, Answers)
        table = metric.compute()
        metric.reset()
        tables = Answers.by_kind(table)
        values: dict[str, float] = {}
        names = {"gap": "greedy"} | ({"best_of_gap": "best_of", "untrained_gap": "untrained"} if stage == "test" else {})
        for name, column in names.items():
            values |= mean_of_kinds(name, {kind: _gap(kind, rows, rows[column]) for kind, rows in tables.items()})
        for name in ("feasible", "open_feasible"):
            if name in table:
                values |= mean_of_kinds(name, {kind: float(rows[name].mean()) for kind, rows in tables.items()})
        kept = {}
        for name in self.errors:
            kept[name] = self._error(name).named()
            values |= mean_of_kinds(name, kept[name])
            self._error(name).reset()
        if stage == "test":
            self.table, self.kept = table, (kept["state_error"], kept["accuracy"])
            values["instances_per_second"] = 1.0 / max(float(self.seconds.compute()), 1e-9)
        self.seconds.reset()
        self.log_dict({f"{stage}/{name}": value for name, value in values.items()})

    # --- what is shown ---------------------------------------------------------------------------------------------

    def _ruled(self, data: Any) -> dict[str, np.ndarray]:
        """The tested table with the greedy rule's answers."""
        if "rule" not in self.table:
            found = [rule(data.rows("test")[number].instance) for number in self.table["number"].tolist()]
            self.table["rule"] = np.array(found, np.int64)
        return self.table

    def baselines(self, data: Any) -> dict[str, float]:
        """The greedy rule of each kind; where masks were left out, also the gap with the rule in the place of what broke one."""
        tables = Answers.by_kind(self._ruled(data))
        values = mean_of_kinds("rule_gap", {kind: _gap(kind, rows, rows["rule"]) for kind, rows in tables.items()})
        if not self.learn.masked:
            replaced = {kind: np.where(rows["open_feasible"] == 1, rows["open"], rows["rule"]) for kind, rows in tables.items()}
            values |= mean_of_kinds("open_gap_with_rule", {kind: _gap(kind, rows, replaced[kind]) for kind, rows in tables.items()})
        return values

    def answers(self, data: Any) -> list[dict[str, Any]]:
        table, kinds, problems = self._ruled(data), list(KINDS), data.rows("test")
        rows = [dict(zip(table, values, strict=True)) for values in zip(*(column.tolist() for column in table.values()), strict=True)]
        return [{**row, "kind": kinds[row["kind"]], "problem": problems[row["number"]].instance.name} for row in rows]

    def figures(self, data: Any) -> dict[str, bytes]:
        tables = Answers.by_kind(self._ruled(data))
        shown = {"rule": "rule", "greedy": "greedy", "best of several": "best_of", "untrained": "untrained"}
        gaps = {name: {kind: _gap(kind, rows, rows[column]) for kind, rows in tables.items()} for name, column in shown.items()}
        drawn = {"gaps": gap_figure(gaps), "state": state_figure(*self.kept)}
        if "tsp" in tables:
            row = data.rows("test")[int(tables["tsp"]["number"][0])]
            rules = self.teacher.masked("tsp")
            answer = greedily(self.model, rules, {name: part.to(self.device) for name, part in pack([row.instance]).items()})
            tour = rules.plan(row.instance, answer.actions_BT[0].tolist())
            drawn["tour"] = tour_figure(row.instance.xy, tour, row.plan, gap(row.instance, int(answer.objective_B[0]), row.objective))
        return drawn

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return Decide(self.model, self.facts, examples)


def _gap(kind: str, rows: Mapping[str, np.ndarray], objective: np.ndarray) -> float:
    return float(gaps_of(kind, objective, rows["best"]).mean())
