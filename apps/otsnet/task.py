"""Reading words as a task: whichever reader, one recipe; words right, how far the wrong ones are off, and what refinement did."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import BinaryAUROC

from apps.base.checkpoint import read_about
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import BaseTask, Batch, Stage
from apps.otsnet.adapt import adapt
from apps.otsnet.answer import Answer
from apps.otsnet.beginning import NO_DECAY
from apps.otsnet.by_set import as_metrics, as_table, score_sets
from apps.otsnet.calibration import PLAIN, Temperatures, fit_temperatures, sharpen
from apps.otsnet.ctc import CtcReader, unwritable
from apps.otsnet.draw_training import show_training
from apps.otsnet.freezing import layer_groups, still
from apps.otsnet.gather import Answered, Claimed, Tables
from apps.otsnet.looking import LayerStatistics
from apps.otsnet.metrics import confidence, edit_distance
from apps.otsnet.model import Otsnet
from apps.otsnet.options import Ctc, Decoder, Locate, Observe, Quantize, Verify, Weights
from apps.otsnet.program import ReadWords
from apps.otsnet.readers import Name, Reader, build_reader, judges, read_words, refines
from apps.otsnet.tested import CodeCounts, figures_of_test
from apps.otsnet.vocabulary import up_to_end
from core_attention.trunks.load import LoadReport
from datamodules.checks import shorten
from datamodules.otsnet.charset import Charset, charset
from datamodules.otsnet.normalise import for_comparison

__all__ = ["Reading"]


class Reading(BaseTask):
    """What does the picture say?

    Args:
        reader: otsnet, or under the same recipe ctc (a character a column) or parseq (letter after letter).
        observe: The eyes: stem and encoder of every reader; height, width and padded are the data's.
        locate: Where each character is (otsnet).
        quantize: Which glyph it is (otsnet).
        verify: The spelling (otsnet).
        weights: Of the losses (otsnet).
        ctc: The reader by columns.
        decoder: The reader letter by letter.
        optim: The optimiser and its schedule.
    """

    app = "otsnet"
    binding = ("charset", "slots", "preprocess")
    programs = ("read",)
    model: Reader

    def __init__(
        self,
        reader: Name = "otsnet",
        observe: Observe = Observe(),  # noqa: B008 - jsonargparse shows its fields as keys
        locate: Locate = Locate(),  # noqa: B008
        quantize: Quantize = Quantize(),  # noqa: B008
        verify: Verify = Verify(),  # noqa: B008
        weights: Weights = Weights(),  # noqa: B008
        ctc: Ctc = Ctc(),  # noqa: B008
        decoder: Decoder = Decoder(),  # noqa: B008
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(optim)
        self.reader: Name = reader
        self.observe_options = observe
        self.parts = {"locate": locate, "quantize": quantize, "verify": verify, "weights": weights, "ctc": ctc, "decoder": decoder}
        self._taught: list[tuple[Any, Tensor]] = []  # what the codes follow after the optimiser's step: all batches of it

    # --- the model and what it needs to know -----------------------------------------------------------------------

    def gather(self, data: Any) -> dict[str, Any]:
        return {
            **super().gather(data),
            "charset": data.charset.characters,
            "slots": data.slots,
            "preprocess": data.preprocess.settings(),
        }

    def make_model(self, facts: dict[str, Any]) -> Reader:
        height, width = facts["preprocess"]["size"]
        eyes = replace(self.observe_options, height=height, width=width, padded=facts["preprocess"]["fit"] == "pad")
        return build_reader(self.reader, facts["charset"], facts["slots"], eyes, **self.parts)

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({"words": MeanMetric(), "words_36": MeanMetric(), "one_minus_ned": MeanMetric()})

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        facts["attention"] = self.model.observer.attention  # for whoever looks into a checkpoint
        self.letters = Charset(facts["charset"])
        self.fixed, self.broken = MeanMetric(), MeanMetric()  # words that refinement put right, and that it spoilt
        self.judged = BinaryAUROC(thresholds=200)
        self.tables = torch.nn.ModuleDict({"refined": Tables(), "first": Tables()})
        self.answered, self.looked, self.claimed = Answered(), LayerStatistics(), Claimed()
        self.codes = {"val": CodeCounts(), "test": CodeCounts()}
        self.tested: list[dict[str, Any]] = []  # a row for each tested word

    def no_decay(self) -> list[str]:
        return [name for name, _ in self.model.named_parameters() if name.endswith(NO_DECAY)]

    def layers(self) -> list[list[str]]:
        return layer_groups(self.model)

    # --- training --------------------------------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """Share of the training that is done, counted in steps."""
        return self.trainer.global_step / max(1, self.steps_in_all)

    def on_fit_start(self) -> None:
        self.steps_in_all, self._taught = self.total_steps(), []
        if rank_zero_only.rank == 0:  # several recipes choose it, and left unsaid it hangs on the reader
            data = self.trainer.datamodule  # type: ignore[attr-defined]
            data.say(f"reader {self.reader}, size {self.observe_options.size}, attention of the encoder: {self.facts['attention']}")
            if isinstance(self.model, CtcReader) or self.parts["weights"].ctc:
                columns = self.model.observer.cells[1]
                if unfit := unwritable(data.training_texts(), columns):
                    named = shorten(list(dict.fromkeys(unfit)))
                    data.say(f"WARNING: {len(unfit)} training words need more than {columns} columns and teach CTC nothing: {named}")

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if mode and self.facts:
            still(self.model, self.layers()[: self.optim.freeze])
        return self

    def on_train_start(self) -> None:
        self.train()  # the trainer takes modes as it finds them
        if rank_zero_only.rank == 0:
            show_training(getattr(self.trainer.logger, "run", None), self.trainer.datamodule)  # type: ignore[attr-defined]

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        if not self.training:
            return (batch["images"],)
        # By the batch, not by the step alone: several of one step are not to be spoilt alike.
        number = self.trainer.global_step * self.trainer.accumulate_grad_batches + len(self._taught)
        return batch["images"], self.model.teach(batch["tokens"], number, self.progress)

    def losses(self, batch: Batch, outputs: Any) -> dict[str, Tensor]:
        if self.training:
            self._taught.append((outputs, batch["tokens"]))
        boxes = batch["boxes"] if bool(batch["boxes"].isfinite().any()) else None
        return self.model.losses(outputs, batch["tokens"], boxes)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """The codes move after the step of the optimiser, by what the step's batches were (SQ, assign=ema)."""
        if not self._taught or self.trainer.fit_loop._should_accumulate():
            return
        taught, self._taught = self._taught, []
        found = self.model.follow(taught, self.trainer.global_step, self.progress)
        if found and self._logs_now():
            self.log_dict({f"train/{name}": value for name, value in found.items()}, batch_size=self.batch_size(batch))

    # --- measuring -------------------------------------------------------------------------------------------------

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: Any, stage: Stage) -> None:
        answer = read_words(self.model, batch["images"], stage == "val" or self.facts.get("refine", True))
        self._keep(answer, batch, stage)
        if stage == "val":
            self.looked.update(self.model.observer, batch["images"], batch["boxes"])
        right_B = (answer.tokens == batch["tokens"]).all(1)
        metrics["words"].update(right_B.float())
        self._measure_texts(metrics, answer, batch, stage)
        first_B = (answer.first == batch["tokens"]).all(1)
        for name, metric, changed_B in (("fixed", self.fixed, right_B & ~first_B), ("broken", self.broken, first_B & ~right_B)):
            metric.update(changed_B.float())
            self.log(f"{stage}/{name}", metric, on_epoch=True, batch_size=self.batch_size(batch))
        if answer.verify.shape[1]:
            shown_BL = up_to_end(answer.tokens)
            self.judged.update(answer.verify[shown_BL], (answer.tokens == batch["tokens"])[shown_BL].long())
            self.log(f"{stage}/judge_auroc", self.judged, on_epoch=True, batch_size=self.batch_size(batch))

    def _measure_texts(self, metrics: MetricCollection, answer: Answer, batch: Batch, stage: Stage) -> None:
        """By the field's protocol: 36 characters, whatever the case."""
        common = charset("36")
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        pairs = [
            (for_comparison(self.letters.decode(tokens_L), common), for_comparison(data.truth(number), common))
            for tokens_L, number in zip(answer.tokens.tolist(), batch["id"].tolist(), strict=True)
        ]
        near = [1 - edit_distance(read, true) / max(len(read), len(true), 1) for read, true in pairs]
        metrics["words_36"].update(torch.tensor([float(read == true) for read, true in pairs]))
        metrics["one_minus_ned"].update(torch.tensor(near))

    def _keep(self, answer: Answer, batch: Batch, stage: Stage) -> None:
        """For what is fitted on validation, and for what `test` tells of every word."""
        self.codes[stage].add(self.model, answer.codes, batch["tokens"])
        if stage == "test":
            words = self.temperatures.words
            self.answered.update(batch["id"], answer, self.model.confidences(sharpen(answer.table, words), answer.tokens))
            return
        if isinstance(self.model, Otsnet) and judges(self.model) and not self.claimed.full:
            self.claimed.update(self.model, batch["images"], batch["tokens"])
        if not self._tables("refined").full:
            self._tables("refined").update(answer, batch["tokens"])
            if refines(self.model):  # in case that is all that will be exported
                self._tables("first").update(read_words(self.model, batch["images"], refine=False), batch["tokens"])

    def _log_codes(self, stage: Stage) -> None:
        """Whether codes are used, and are glyphs (2.4); counted over all processes already."""
        self.log_dict({f"{stage}/sq/{name}": value for name, value in self.codes[stage].health().items()})

    def _tables(self, which: str) -> Tables:
        tables = self.tables[which]
        assert isinstance(tables, Tables)
        return tables

    @property
    def temperatures(self) -> Temperatures:
        return Temperatures(**self.facts["calibration"]) if "calibration" in self.facts else PLAIN

    def on_validation_epoch_start(self) -> None:
        self.codes["val"].reset()
        self.looked.reset()

    def on_validation_epoch_end(self) -> None:
        """Refinement stays only if it fixed at least as many words as it broke; and how sure is sure."""
        self._log_codes("val")
        self.log_dict({f"val/layers/{name}": value for name, value in self.looked.compute().items()})
        refine = not (refines(self.model) and bool(self.broken.compute() > self.fixed.compute()))
        found = self._tables("refined" if refine else "first").compute()
        self.facts["refine"] = refine
        self.facts["calibration"] = (fit_temperatures(self.model.confidences, *found) if found else PLAIN)._asdict()
        for tables in self.tables:
            self._tables(tables).reset()
        if judges(self.model):
            self.facts["claims"] = self.claimed.compute()._asdict()
            self.claimed.reset()

    def on_test_epoch_end(self) -> None:
        self._log_codes("test")
        found = self.answered.words()
        self.answered.reset()
        self.tested = [] if found is None else self._rows(*found)
        if not self.tested:
            return
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        read, true, sets = ([row[name] for row in self.tested] for name in ("read", "truth", "set"))
        by_set = score_sets(read, true, sets, set(data.training_labels()))
        sure_N = torch.tensor([row["confidence"] for row in self.tested], dtype=torch.float64)
        told = confidence(sure_N, torch.tensor([row["right"] for row in self.tested], dtype=torch.bool))
        told = {f"confidence_{name}": value for name, value in told._asdict().items()}
        for name, value in (as_metrics(by_set) | told).items():
            self.log(f"test/{name}", value, batch_size=len(read))  # of all processes' words already
        if rank_zero_only.rank == 0:
            data.say(as_table(by_set))

    def _rows(self, ids_N: Tensor, tokens_NL: Tensor, first_NL: Tensor, sure_N: Tensor) -> list[dict[str, Any]]:
        data, common = self.trainer.datamodule, charset("36")  # type: ignore[attr-defined]
        rows = []
        for number, tokens_L, first_L, sure in zip(ids_N.tolist(), tokens_NL.tolist(), first_NL.tolist(), sure_N.tolist(), strict=True):
            truth, read = data.truth(number), self.letters.decode(tokens_L)
            right, right_36 = read == truth, for_comparison(read, common) == for_comparison(truth, common)
            about = {"number": number, "set": data.set_of(number), "truth": truth, "read": read, "first": self.letters.decode(first_L)}
            rows.append({**about, "confidence": sure, "right": int(right), "right_36": int(right_36)})
        return rows

    def on_test_epoch_start(self) -> None:
        self.codes["test"].reset()

    def figures(self, data: Any) -> dict[str, bytes]:
        return figures_of_test(self.tested, self.codes["test"].compute(), ReadWords(self.model, self.facts, []), data)

    def answers(self, data: Any) -> list[dict[str, Any]]:
        return self.tested

    def baselines(self, data: Any) -> dict[str, float]:
        """Always reading the commonest word of training; made words have none."""
        if not (labels := data.training_labels()) or not self.tested:
            return {"commonest": 0.0}
        ((word, _),) = Counter(labels).most_common(1)
        return {"commonest": sum(row["truth"] == word for row in self.tested) / len(self.tested)}

    # --- from other files, to other files ------------------------------------------------------------------------------

    def take_weights(self, weights: Mapping[str, Tensor], path: Path) -> LoadReport:
        """A character that both charsets have keeps what was learned of it; so do slots and positions where there are more or fewer."""
        about = read_about(path)
        old = about.get("charset", self.facts["charset"])
        height, width = about.get("preprocess", self.facts["preprocess"])["size"]
        high, wide = self.model.observer.stride
        return adapt(self.model, weights, old, self.facts["charset"], (height // high, width // wide))

    def batch_size(self, batch: Batch) -> int:
        return len(batch["tokens"])

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return ReadWords(self.model, self.facts, examples)
