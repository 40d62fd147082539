"""Verification as a task: who is who is learned from people and their twins, and measured on pairs of people never seen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torchmetrics import MetricCollection

from apps.ahan.draw_curves import det_figure, roc_figure, scores_figure
from apps.ahan.draw_pairs import worst_figure
from apps.ahan.draw_training import partners_figure, scales_figure
from apps.ahan.hard import HARD, hard_of, rows_of
from apps.ahan.model import Ahan, AhanOutput
from apps.ahan.objective import Objective
from apps.ahan.options import Faam, Hca, Losses, Streams, Tapwca
from apps.ahan.pairs_losses import cosine_distance
from apps.ahan.partners import choose_partners, twins_of
from apps.ahan.program import Embed, EmbedRegions
from apps.ahan.scenarios import Scored, accuracy_at, measured, scenarios, score, spread, thresholds
from apps.ahan.trainee import Trainee
from apps.ahan.vectors import Vectors
from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import BaseTask, Batch, Stage
from core_attention.trunks import ResNet, build_trunk, fits_picture
from core_attention.trunks.load import LoadReport, load
from datamodules.ahan.pairs import KIN, OTHER, TWIN
from datamodules.order import sample_rng

__all__ = ["Verification"]

NET, STREAM = "net.", "stream."


class Verification(BaseTask):
    """Are two faces of one person?

    Args:
        trunk: Name of the trunk (vit_micro, vit_mini, vit_tiny, vit_small, vit_base, resnet18, resnet18_half, resnet50, hybrid_mini,
            hybrid_small).
        trunk_options: Options of the trunk, by its own names.
        embedding: Width of the vector that stands for a face.
        streams: What the vector is made of.
        hca: Cross-attention of the regions; null: its defaults, where streams.use has it.
        faam: Attention between the halves; null: its defaults, where streams.use has it.
        tapwca: The twin's keys, in training only.
        loss: What is learned from.
        hard_twins: answers.csv of a tested run of a plain network (streams.use=[global]): the quarter of the twins whom it finds most alike
            is measured apart, as hard_twin.
        show_faces: Draw the worst pairs of photographs, too, into the run; made faces are always drawn.
        optim: The optimiser and its schedule.
    """

    app = "ahan"
    binding = ("preprocess",)  # the people of test are others than those of train
    programs = ("embed",)
    model: Trainee

    def __init__(
        self,
        trunk: str = "vit_micro",
        trunk_options: dict[str, Any] | None = None,
        embedding: int = 128,
        streams: Streams = Streams(),  # noqa: B008 - jsonargparse shows its fields as keys
        hca: Hca | None = None,
        faam: Faam | None = None,
        tapwca: Tapwca = Tapwca(),  # noqa: B008
        loss: Losses = Losses(),  # noqa: B008
        hard_twins: str | None = None,
        show_faces: bool = False,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(optim)
        self.trunk, self.trunk_options, self.embedding = trunk, trunk_options or {}, embedding
        self.streams, self.hca, self.faam, self.tapwca, self.loss = streams, hca, faam, tapwca, loss
        self.hard_twins, self.show_faces = hard_twins, show_faces
        self.draws: Generator | None = None  # of this training batch
        self.validated: Scored | None = None  # the pairs that rank checkpoints
        self._watched: dict[str, Tensor] = {}  # of this training step, where it is written

    # --- the model and what it needs to know -----------------------------------------------------------------------

    def gather(self, data: Any) -> dict[str, Any]:
        if self.streams.boxes == "landmarks":
            data.bring_boxes()
        data.settle_hflip((self.faam or Faam()).mode if "faam" in self.streams.use else None)
        return {
            **super().gather(data),
            "people": len(data.classes),
            "preprocess": data.preprocess.settings(),
            "seed": data.seed,
        }

    def make_model(self, facts: dict[str, Any]) -> Trainee:
        size = facts["preprocess"]["size"]
        trunk = build_trunk(self.trunk, **{**fits_picture(self.trunk, size), **self.trunk_options})
        net = Ahan(trunk, self.embedding, self.streams, self.hca, self.faam, self.tapwca, size[0] if isinstance(trunk, ResNet) else None)
        branch = self.tapwca.branch_weight if self.tapwca.any and self.tapwca.mode == "branch" else 0.0
        return Trainee(net, Objective(self.loss, self.embedding, net.widths, facts["people"], branch))

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({})  # pairs need the whole split: see `measure`

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.vectors = Vectors()
        self.tested: dict[str, Scored] = {}  # by scenario
        self.judged: list[dict[str, Any]] = []  # a row for each tested pair
        self.register_buffer("seen_steps", torch.zeros(2), persistent=False)  # in which a partner was seen, of all

    @property
    def net(self) -> Ahan:
        return self.model.net

    def layers(self) -> list[list[str]]:
        return [[f"{NET}{STREAM}trunk.{name}" for name in group] for group in self.net.stream.trunk.layer_groups()]

    def no_decay(self) -> list[str]:
        own = [f"{NET}{STREAM}trunk.{name}" for name in ("pos_embed", "cls_token", "reg_token")]
        return [*own, *(f"{NET}{name}" for name in ("hca.missing", "hca.scale_weight", "faam.place", "faam.sign"))]

    def take_weights(self, weights: Mapping[str, Tensor], path: Path) -> LoadReport:
        """Of a checkpoint or an exported file of ours, or of a trunk alone. The centres of people stay behind: they are others."""
        own = {name.removeprefix(NET): value for name, value in weights.items() if not name.startswith("objective.")}
        if not any(name.startswith(STREAM) for name in own):
            return _below(f"{NET}{STREAM}", load(self.net.stream, own, strict=False))
        stream = {name.removeprefix(STREAM): value for name, value in own.items() if name.startswith(STREAM)}
        rest = {name: value for name, value in own.items() if not name.startswith(STREAM)}
        one, other = load(self.net.stream, stream, strict=False), _heads(self.net, rest)
        one, other = _below(f"{NET}{STREAM}", one), _below(NET, other)
        return LoadReport(
            one.loaded + other.loaded, one.missing + other.missing, one.unexpected + other.unexpected, one.mismatched | other.mismatched,
            one.resized | other.resized,
        )  # fmt: skip

    # --- training --------------------------------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """Share of the training that is done, counted in steps."""
        return self.trainer.global_step / max(1, self.steps_in_all)

    def on_fit_start(self) -> None:
        self.steps_in_all = self.total_steps()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Draws are a function of seed, epoch and batch, so that a resume finds them again."""
        rng = sample_rng(self.facts["seed"], self.trainer.current_epoch, batch_idx)
        self.draws = Generator().manual_seed(int(rng.integers(2**62)))

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        boxes = batch["boxes"][:, self.net.places] if self.streams.boxes == "landmarks" else None
        if not self.training or not self.net.layers:
            return batch["images"], boxes
        near = self._near(batch, boxes) if self.tapwca.partner == "hard" else None
        partner = choose_partners(self.tapwca.partner, batch["person"], batch["family"], self.draws, near)
        return batch["images"], boxes, partner, self.draws

    @torch.no_grad()
    def _near(self, batch: Batch, boxes: Tensor | None) -> Tensor:
        """Embeddings as evaluation would give them: the nearest of them are the hard partners."""
        self.net.eval()
        embedding = self.net(batch["images"], boxes).embedding
        self.net.train()
        return embedding

    def losses(self, batch: Batch, outputs: AhanOutput) -> dict[str, Tensor]:
        """None in evaluation: no centre stands for people never seen, and pairs of whatever rows stand together measure nothing."""
        if not self.training:
            return {}
        if outputs.mass is not None:
            self.seen_steps += torch.stack([outputs.mass.isfinite().any(), torch.ones_like(outputs.mass[0], dtype=torch.bool)]).float()
        if self._logs_now():
            self._watched = cosines(outputs.embedding.detach(), batch["person"], batch["family"])
        return self.model.objective(outputs, batch["person"], batch["family"], self.progress, self.draws, batch["id"])

    def observe(self, outputs: AhanOutput) -> dict[str, Tensor]:
        values = dict(self._watched)
        if outputs.alpha is not None and self.net.hca is not None and self.net.hca.scale_weight is not None:
            options = self.net.hca.options
            for region, shares in zip(options.regions, outputs.alpha.detach(), strict=True):
                values |= {f"alpha_{region}_{scale}": share for scale, share in zip(options.scales, shares, strict=True)}
        if outputs.mass is not None:
            values["partner_seen"] = self.seen_steps[0] / self.seen_steps[1]
            masses = {f"partner_mass_{layer + 1}": share for layer, share in zip(self.net.layers, outputs.mass, strict=True)}
            values |= {name: share for name, share in masses.items() if bool(share.isfinite())}
        return values

    # --- measuring -------------------------------------------------------------------------------------------------

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: AhanOutput, stage: Stage) -> None:
        self.vectors.update(outputs.embedding, batch["id"])

    def on_validation_epoch_end(self) -> None:
        found = self._scenarios("val")
        values = measured(found)
        hardest = next(name for name in (TWIN, OTHER, KIN) if name in found)
        self.validated = found[hardest]
        self.facts["thresholds"] = thresholds(found)
        # one name for a recipe to rank by, whether there are twins or not
        self._log({f"val/{name}": value for name, value in (values | {"select": values[f"{hardest}_auc"]}).items()}, found)

    def on_test_epoch_end(self) -> None:
        self.tested = self._scenarios("test")
        self.judged = rows_of(self.tested)
        at = {name: value for name, value in self.facts.get("thresholds", {}).items() if name in self.tested}
        values = measured(self.tested)
        for name, threshold in at.items():
            pairs = self.tested[name]
            values[f"{name}_accuracy"] = accuracy_at(pairs.score, pairs.same, np.ones(len(pairs.same)), threshold)
        for name, metrics in spread(self.tested, at, self.facts["seed"]).items():
            values |= {f"{name}_{key}_{end}": getattr(each, end) for key, each in metrics.items() for end in ("low", "high")}
        self._log({f"test/{name}": value for name, value in values.items()}, self.tested)

    def _scenarios(self, stage: Stage) -> dict[str, Scored]:
        vectors, number = self.vectors.compute()
        self.vectors.reset()
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        numbers, pairs = data.numbers(stage), data.pairs(stage)
        found = scenarios(*score(vectors, number, numbers, pairs))
        if not found:
            raise UserError(
                f"the {stage} split has no genuine pair, or no pair of two people: give it people with images of two visits, and two people"
            )
        if self.hard_twins is not None and stage == "test":
            found[HARD] = score(vectors, number, numbers, hard_of(Path(self.hard_twins), pairs, numbers))[0]
        return found

    def _log(self, values: dict[str, float], found: dict[str, Scored]) -> None:
        self.log_dict(values, batch_size=max(len(pairs.same) for pairs in found.values()))

    def figures(self, data: Any) -> dict[str, bytes]:
        sets = {name: (pairs.score, pairs.same) for name, pairs in self.tested.items()}
        at = {name: value for name, value in self.facts.get("thresholds", {}).items() if name in sets}
        drawn = {"roc": roc_figure(sets), "det": det_figure(sets), "scores": scores_figure(sets, at)}
        if self.show_faces or not data.photographs:
            drawn["twins" if TWIN in self.tested else "pairs"] = worst_figure(self.tested, at, data.picture)
        return drawn

    def run_figures(self, history: dict[str, list[tuple[int, float]]]) -> dict[str, bytes]:
        drawn = {"scales": scales_figure(history), "partners": partners_figure(history)}
        return {name: figure for name, figure in drawn.items() if figure is not None}

    def answers(self, data: Any) -> list[dict[str, Any]]:
        return self.judged

    def baselines(self, data: Any) -> dict[str, float]:
        return {"chance": 0.5}

    def batch_size(self, batch: Batch) -> int:
        return len(batch["images"])

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        boxed = self.net.hca is not None and self.streams.boxes in ("template", "landmarks")
        return (EmbedRegions if boxed else Embed)(self.net, self.facts["licence"], examples)


def cosines(embedding_BE: Tensor, person_B: Tensor, family_B: Tensor) -> dict[str, Tensor]:
    """Mean cosine of a batch's genuine pairs, of twins and of strangers, as far as there are such."""
    cosine_BB = 1 - cosine_distance(embedding_BE)
    same_BB = (person_B[:, None] == person_B) & ~torch.eye(len(person_B), dtype=torch.bool, device=person_B.device)
    twin_BB = twins_of(person_B, family_B)
    kinds = {"genuine": same_BB, "twin": twin_BB, "general": (person_B[:, None] != person_B) & ~twin_BB}
    return {f"cosine_{name}": cosine_BB[kind_BB].mean() for name, kind_BB in kinds.items() if bool(kind_BB.any())}


def _heads(net: nn.Module, weights: Mapping[str, Tensor]) -> LoadReport:
    """What stands behind the stream."""
    own, report = net.state_dict(), LoadReport()
    fitting = {}
    for name, value in weights.items():
        if name not in own:
            report.unexpected.append(name)
        elif own[name].shape != value.shape:
            report.mismatched[name] = f"{tuple(value.shape)} in the file, {tuple(own[name].shape)} in the model"
        else:
            fitting[name] = value
            report.loaded.append(name)
    report.missing = [name for name in own if not name.startswith(STREAM) and name not in weights]
    net.load_state_dict(fitting, strict=False)
    return report


def _below(prefix: str, report: LoadReport) -> LoadReport:
    """The report under the names of the whole."""
    return LoadReport(
        [prefix + name for name in report.loaded],
        [prefix + name for name in report.missing],
        report.unexpected,
        {prefix + name: why for name, why in report.mismatched.items()},
        {prefix + name: why for name, why in report.resized.items()},
    )
