"""Reading words as a task: whichever reader, one recipe; words right, how far the wrong ones are off, and what refinement did."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import BinaryAUROC

from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import BaseTask, Batch, Stage
from apps.otsnet.answer import Answer, word_confidence
from apps.otsnet.beginning import NO_DECAY
from apps.otsnet.metrics import edit_distance
from apps.otsnet.options import Ctc, Decoder, Locate, Observe, Quantize, Verify, Weights
from apps.otsnet.program import ReadWords
from apps.otsnet.readers import Name, Reader, build_reader
from apps.otsnet.tested import CodeCounts, tested_figures
from apps.otsnet.vocabulary import up_to_end
from datamodules.otsnet.charset import Charset, charset
from datamodules.otsnet.normalise import for_comparison
from datamodules.preprocess import Preprocess

__all__ = ["Reading"]


class Reading(BaseTask):
    """What does the picture say?

    Args:
        reader: otsnet, or under the same recipe ctc (a character a column) or parseq (letter after letter).
        observe: The eyes: stem and encoder of every reader; its height and width are the data's.
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
        self._taught: tuple[Any, Tensor] | None = None  # what the codes follow after the optimiser's step

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
        eyes = replace(self.observe_options, height=height, width=width)
        return build_reader(self.reader, facts["charset"], facts["slots"], eyes, **self.parts)

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({"words": MeanMetric(), "words_36": MeanMetric(), "one_minus_ned": MeanMetric()})

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.letters = Charset(facts["charset"])
        self.fixed, self.broken = MeanMetric(), MeanMetric()  # words that refinement put right, and that it spoilt
        self.judged = BinaryAUROC(thresholds=200)
        self.codes, self.tested = CodeCounts(), []  # of a test: which codes stood for which characters, and a row a word

    def no_decay(self) -> list[str]:
        return [name for name, _ in self.model.named_parameters() if name.endswith(NO_DECAY)]

    # --- training --------------------------------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """Share of the training that is done, counted in steps."""
        return self.trainer.global_step / max(1, self.steps_in_all)

    def on_fit_start(self) -> None:
        self.steps_in_all = self.total_steps()

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        if not self.training:
            return (batch["images"],)
        return batch["images"], self.model.teach(batch["tokens"], self.trainer.global_step, self.progress)

    def losses(self, batch: Batch, outputs: Any) -> dict[str, Tensor]:
        if self.training:
            self._taught = (outputs, batch["tokens"])
        boxes = batch["boxes"] if bool(batch["boxes"].isfinite().any()) else None
        return self.model.losses(outputs, batch["tokens"], boxes)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """The codes move after the step of the optimiser, by what the step's batch was (SQ, assign=ema)."""
        taught, self._taught = self._taught, None
        if taught is not None:
            found = self.model.follow(*taught, self.trainer.global_step, self.progress)
            if found and self._logs_now():
                self.log_dict({f"train/{name}": value for name, value in found.items()}, batch_size=self.batch_size(batch))

    # --- measuring -------------------------------------------------------------------------------------------------

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: Any, stage: Stage) -> None:
        answer = self.model.read(batch["images"])
        if stage == "test":
            self.codes.add(self.model, answer.codes, batch["tokens"])
            self.tested += self._rows(answer, batch)
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

    def on_test_epoch_start(self) -> None:
        self.codes.reset()
        self.tested = []

    def _rows(self, answer: Answer, batch: Batch) -> list[dict[str, Any]]:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        rows = []
        for place, number in enumerate(batch["id"].tolist()):
            read, first = (self.letters.decode(tokens_BL[place]) for tokens_BL in (answer.tokens, answer.first))
            sure = float(word_confidence(answer.probs[place : place + 1]))
            rows.append({"number": number, "truth": data.truth(number), "read": read, "first": first, "confidence": sure})
        return rows

    def figures(self, data: Any) -> dict[str, bytes]:
        preprocess = Preprocess(**self.facts["preprocess"])
        return tested_figures(self.tested, self.codes.compute(), self.model, self.letters.characters, preprocess, data)

    def batch_size(self, batch: Batch) -> int:
        return len(batch["tokens"])

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return ReadWords(self.model, self.facts, examples)
