"""Sizing as a task: millimetres, their classes, or the classes of another set, learned with gates and measured by frame and by polyp."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from apps.base.classes import trivial_answers
from apps.base.draw import confusion
from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.routed_task import RoutedTask
from apps.base.routing import RoutingOptions
from apps.base.task import Batch, Stage
from apps.hag.draw_gates import gates_figure, maps_figure
from apps.hag.draw_tested import size_figures, worst_figure
from apps.hag.metrics import Answers, By, ClassCounts, Gathered, SizeSums, polyps_of, tables
from apps.hag.model import Hag, HagOutput
from apps.hag.objective import losses_of
from apps.hag.options import SITES, Gates, Head, Losses, Streams, channels_of, check_routing
from apps.hag.program import Classify, Size
from apps.hag.summaries import HEADLINES, TOLD, class_values, constant_f1, floors, rows_of, spread, summed
from apps.hag.watch import watched
from apps.hag.weights import take
from core_attention.gates import GateSet, wrap
from core_attention.gates.sites import declared, named
from core_attention.trunks import build_trunk, fits_picture
from core_attention.trunks.load import LoadReport
from datamodules.base import MADE

__all__ = ["Sizing"]

SHOWN = ("mae", "bias", "within_1mm", "within_20pct", "bin10_macro_f1", "bin5_macro_f1", "tri_macro_f1")  # of validation, at either level


class Sizing(RoutedTask):
    """How many millimetres has the polyp?

    Args:
        trunk: Name of the trunk (resnet18, resnet18_half, resnet50, vit_micro, vit_mini, vit_tiny, vit_small, vit_base, hybrid_mini,
            hybrid_small); each stream has one of its own.
        trunk_options: Options of the trunk, by its own names.
        streams: What is looked at.
        gates: Where channels carry a gate, and of which kind.
        head: What is answered.
        loss: What is learned from.
        routing: How the gates learn.
        show_frames: Draw the worst frames of patients, too, into the run; made ones are always drawn.
        optim: The optimiser of the weights and its schedule.
    """

    app = "hag"
    model: Hag
    counted: Any  # metrics by stage
    binding = ("framing", "classes")

    def __init__(
        self,
        trunk: str = "resnet18",
        trunk_options: dict[str, Any] | None = None,
        streams: Streams = Streams(),  # noqa: B008 - jsonargparse shows its fields as keys
        gates: Gates = Gates(),  # noqa: B008
        head: Head = Head(),  # noqa: B008
        loss: Losses = Losses(),  # noqa: B008
        routing: RoutingOptions = RoutingOptions(),  # noqa: B008
        show_frames: bool = False,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        check_routing(routing, gates)
        super().__init__(optim, routing if gates.sites else None)
        loss.check(head)
        self.trunk, self.trunk_options = trunk, trunk_options or {}
        self.streams, self.gates, self.head, self.loss = streams, gates, head, loss
        self.show_frames = show_frames
        self.programs = ("classify",) if head.kind == "classify" else ("size",)

    @property
    def by(self) -> By:
        """What the three classes come from."""
        return "mm" if self.head.regresses else "heads"

    @property
    def gate_set(self) -> GateSet | None:
        return None if self.router is None else self.router.gates

    # --- the model and what it needs to know -----------------------------------------------------------------------

    def gather(self, data: Any) -> dict[str, Any]:
        if not self.facts:  # a training begins
            self._refuse_unlearned(data)
        facts = data.facts("train")
        return {
            **super().gather(data),
            "framing": data.framing.settings(),
            "planes": list(data.planes),
            "sight": data.sight(),
            "learned": data.learned(),
            "classes": list(data.classes) if data.classification else [],
            "begin": float(np.median(facts.mm[facts.has_mm])) if facts.has_mm.any() else None,
        }

    def make_model(self, facts: dict[str, Any]) -> Hag:
        self._check_facts(facts)
        size = (facts["framing"]["size"],) * 2
        streams = {}
        for name, channels in channels_of(self.streams, facts["planes"]).items():
            options = {**fits_picture(self.trunk, size), "channels": len(channels), **self.trunk_options}
            streams[name] = (build_trunk(self.trunk, **options), channels)
        of_mm = (self.loss.target, facts["begin"]) if self.head.regresses else (None, None)
        crop = facts["framing"]["view"] == "crop"
        where = self._looking(streams, crop) if self.loss.where else None
        model = Hag(streams, self.head, *of_mm, len(facts["classes"]), crop, where)
        if self.gates.sites:
            gates = self.gates
            have = [site for site in SITES if declared(model).get(site) or named(model, site)]
            if lacking := [site for site in gates.sites if site not in have]:
                raise ValueError(f"gates.sites: a network with the trunk {self.trunk} has no {lacking[0]}; it has {', '.join(have)}")
            wrap(model, gates.sites, gates.init, gates.hardness, gates.unit, gates.tau, gates.value)
        return model

    def _looking(self, streams: Mapping[str, Any], crop: bool) -> str:
        """The stream that learns where the polyp is: the one that reads the picture alone."""
        if crop:
            raise ValueError("loss.where: a crop is cut out by the box, and nothing is left to find; leave it out, or set data.view=frame")
        if "rgb" not in streams:
            raise ValueError("loss.where: no stream reads the picture alone; leave it out, or set streams.use to have rgb and join=late")
        return "rgb"

    def _refuse_unlearned(self, data: Any) -> None:
        """Before any set-up: gates without data of their own, places without boxes; and told: data that wait for gates which do not ask
        for them."""
        apart = self.routing is not None and self.routing.gate_data == "val"
        if apart and not data.gates:
            raise UserError(
                "model.routing.gate_data=val needs groups that the weights never see, and data.gates is 0: set data.gates=0.15, or "
                "model.routing.gate_data=same"
            )
        if data.gates and not apart:
            data.say(
                f"data.gates={data.gates:g} keeps that share of the training groups for gates, and model.routing.gate_data is not val: "
                "nobody learns from them; data.gates=0 gives them to the weights"
            )
        if self.loss.where:
            frames = data.frames("train")
            if all(frames.box(at) is None for at in range(len(frames))):
                raise UserError("model.loss.where learns from boxes, and no training frame has one; give the frames boxes, or leave it out")

    def check_data(self, data: Any) -> None:
        super().check_data(data)
        sight = self.facts.get("sight")  # checkpoints of before it was kept have none
        if sight is not None and sight != (found := data.sight()):
            changed = [name for name in {**sight, **found} if sight.get(name) != found.get(name)]
            raise UserError(
                f"the data does not fit the checkpoint: it learned with {', '.join(f'data.{name}={sight.get(name)}' for name in changed)}; "
                "set it so"
            )

    def _check_facts(self, facts: dict[str, Any]) -> None:
        if (self.head.kind == "classify") != bool(facts["classes"]):
            told = f"classes {', '.join(facts['classes'][:3])}" if facts["classes"] else "millimetres"
            raise ValueError(
                f"head.kind={self.head.kind}, but the data has {told}; set head.kind to {'classify' if facts['classes'] else 'regress'}"
            )
        if self.head.regresses and facts["begin"] is None:
            raise ValueError("no training frame has a known size in mm; regression has nothing to learn from")

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({})  # polyps need the whole split: see `measure`

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        classes = len(facts["classes"])
        self.counted = nn.ModuleDict({stage: ClassCounts(classes) if classes else SizeSums(self.by) for stage in ("val", "test")})
        self.gathered = Gathered()
        self.tested: Answers | None = None

    def layers(self) -> list[list[str]]:
        """Streams stand side by side: the first layers of all are one group."""
        found: list[list[str]] = []
        for name, stream in self.model.streams.items():
            for depth, group in enumerate(cast(Any, stream).trunk.layer_groups()):
                if depth == len(found):
                    found.append([])
                found[depth] += [f"streams.{name}.trunk.{part}" for part in group]
        return found

    def no_decay(self) -> list[str]:
        return [f"streams.{name}.trunk.{part}" for name in self.model.streams for part in ("pos_embed", "cls_token", "reg_token")]

    def take_weights(self, weights: Mapping[str, Tensor], path: Path) -> LoadReport:
        return take(self.model, weights)

    # --- training --------------------------------------------------------------------------------------------------

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        return batch["images"], batch.get("planes"), batch.get("scale")

    def losses(self, batch: Batch, outputs: HagOutput) -> dict[str, Tensor]:
        return losses_of(outputs, batch, self.loss, self.training)

    def observe(self, outputs: HagOutput) -> dict[str, Tensor]:
        return {} if self.router is None else watched(self.router.gates)

    def batch_size(self, batch: Batch) -> int:
        return len(batch["images"])

    # --- measuring -------------------------------------------------------------------------------------------------

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: HagOutput, stage: Stage) -> None:
        if outputs.logits is not None:
            given, yes = outputs.logits.argmax(1), torch.ones_like(batch["label"], dtype=torch.bool)
            self.counted[stage].update(given, batch["label"])
            if stage == "test":
                self.gathered.update(batch["id"], batch["polyp"], batch["label"], yes, ~yes, given)
            return
        sure = (None, None) if outputs.ordinal is None else outputs.ordinal.sigmoid().unbind(1)
        known = batch["mm"], batch["has_mm"], batch["censored"], outputs.mm, *sure
        self.counted[stage].update(*known)
        self.gathered.update(batch["id"], batch["polyp"], *known)

    def on_validation_epoch_end(self) -> None:
        values = {name: value for name, value in self._counted("val").items() if self.facts["classes"] or name in SHOWN}
        if not self.facts["classes"]:
            answers, _ = self.gathered.answers()
            self.gathered.reset()
            of_polyps = summed(polyps_of(answers), self.by)
            values |= {f"polyp_{name}": of_polyps[name] for name in SHOWN if name in of_polyps}
            if self.head.regresses:
                self.facts |= spread(answers)
        self.log_dict({f"val/{name}": value for name, value in values.items()})

    def on_test_epoch_end(self) -> None:
        if self.facts["classes"]:
            self.cells = self.counted["test"].cells.cpu().numpy()[:, :-1]
            values = {**self._counted("test"), **self._classified()}
        else:
            self.tested, self.numbers = self.gathered.answers()
            self.gathered.reset()
            self.tables = tables(self.tested, self.by)
            values = {}
            for level, table in self.tables.items():
                prefix = "polyp_" if level == "polyp" else ""
                told = {name: table.values[name] for name in TOLD if name in table.values}
                values |= {prefix + name: value for name, value in told.items() if value is not None}
                for name, ends in table.intervals.items():
                    if ends is not None and name in HEADLINES:
                        values |= {f"{prefix}{name}_low": ends[0], f"{prefix}{name}_high": ends[1]}
        self.log_dict({f"test/{name}": value for name, value in values.items()})

    def _classified(self) -> dict[str, float]:
        """Intervals over groups of frames that are nearly one; and where polyps have several frames, what these say together."""
        self.numbers, polyp, true, given = self.gathered.classes()
        self.gathered.reset()
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        return class_values(polyp, true, given, data.groups("test")[self._places(data)], self.facts["classes"])

    def _counted(self, stage: Stage) -> dict[str, Tensor]:
        values = self.counted[stage].compute()
        self.counted[stage].reset()
        return values

    # --- what is shown ---------------------------------------------------------------------------------------------

    def baselines(self, data: Any) -> dict[str, float]:
        """Answers that look at no picture: always the median of training, and what the box alone says; of classes the most frequent."""
        if self.facts["classes"]:
            return {**trivial_answers(data.classes, data.counts()), "constant_macro_f1": constant_f1(data)}
        return floors(data.facts("train"), data.boxes("train"), self._tested(), data.boxes("test")[self._places(data)])

    def answers(self, data: Any) -> list[dict[str, Any]]:
        return [] if self.tested is None else rows_of(self.tested, self.numbers, data.polyps)

    def _tested(self) -> Answers:
        assert self.tested is not None
        return self.tested

    def figures(self, data: Any) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        if self.tested is not None:
            found |= size_figures(self.tested, self.tables, self._ends())
            if self.show_frames or data.licence == MADE:
                frames, place = data.frames("test"), self._places(data)
                worst = worst_figure(self.tested, lambda row: (frames.image(place[row]), frames.box(place[row])))
                found |= {} if worst is None else {"worst": worst}
        else:
            found["confusion"] = confusion(self.cells, self.facts["classes"])
        if self.router is not None:
            values = {name: value.cpu().numpy() for name, value in self.router.gates.values().items()}
            found["gate_maps"] = maps_figure(values, self._channels())
        return found

    def _places(self, data: Any) -> np.ndarray:
        """Where in the test split each tested frame stands."""
        place = {int(row): at for at, row in enumerate(data.facts("test").row)}
        return np.array([place[int(number)] for number in self.numbers])

    def _ends(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Of each polyp's interval."""
        mm = polyps_of(self._tested()).mm
        if mm is None or "reach_polyp" not in self.facts:
            return None
        factor = np.exp(self.facts["reach_polyp"])
        return mm / factor, mm * factor

    def run_figures(self, history: dict[str, list[tuple[int, float]]]) -> dict[str, bytes]:
        drawn = gates_figure(history, self._channels())
        return {} if drawn is None else {"gates": drawn}

    def _channels(self) -> list[str]:
        """Names of what the one early stream, or the first of several, reads."""
        names = ["red", "green", "blue", *self.facts["planes"]]
        return [names[place] for place in next(iter(channels_of(self.streams, self.facts["planes"]).values()))]

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return (Classify if self.facts["classes"] else Size)(self.model, self.facts, examples)
