"""One training of a reader in this process: the app's own task, datamodule and trainer loop, without a run to track it."""

import copy
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from apps.base.optim import Optim
from apps.base.quiet import quiet_lightning, run_trainer
from apps.otsnet.metrics import accuracy
from apps.otsnet.readers import Name, Reader
from apps.otsnet.task import Reading
from datamodules.otsnet.charset import charset
from datamodules.otsnet.normalise import for_comparison
from datamodules.otsnet.word_data import WordData

__all__ = ["BATCH", "CLIP", "OPTIM", "Arm", "Chosen", "fit", "looked_at", "read_all", "right_36"]

BATCH, CLIP = 64, 5.0
OPTIM = Optim(lr=3e-3, weight_decay=0.01, warmup=0.05)
LOOKS = (0.6, 0.7, 0.8, 0.9, 1.0)  # shares of the steps at which validation is read


@dataclass(frozen=True)
class Arm:
    """A row of a table: a reader and what differs from its defaults."""

    title: str
    reader: Name = "otsnet"
    parts: dict[str, Any] = field(default_factory=dict)  # options of the task, by name
    data: dict[str, Any] = field(default_factory=dict)  # and of the words

    def task(self, optim: Optim = OPTIM) -> Reading:
        return Reading(self.reader, optim=optim, **self.parts)

    def recipe(self) -> dict[str, Any]:
        """Plain values, by which a kept row knows that it is still the same."""
        drop = {} if self.reader == "ctc" else {"dropout": self.parts["observe"].dropped(None)}  # CTC has none
        return {"reader": self.reader, **drop, **{name: asdict(part) for name, part in self.parts.items()}, **self.data}


class Chosen(NamedTuple):
    """What validation chose."""

    step: int
    score: float
    cpu_seconds: float  # of the whole training, validation included


def fit(
    task: Reading, data: WordData, steps: int, seed: int, score: Callable[[Reading], float] | None, device: str = "cpu"
) -> Chosen:  # fmt: skip
    """Train so many steps, and leave the task with the weights of the look at validation that scored highest; of equal ones the later.

    score: of validation; None takes the last step
    """
    data.setup("fit")
    pl.seed_everything(seed, workers=True, verbose=False)
    task.build(task.gather(data))
    best = _Best(score, looked_at(steps))
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator=device, devices=1, max_epochs=-1, max_steps=steps, gradient_clip_val=CLIP, limit_val_batches=0,
            logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            use_distributed_sampler=False, callbacks=[best] if score is not None else [],
        )  # fmt: skip
    start = time.process_time()
    run_trainer(trainer, "fit", task, datamodule=data)
    seconds = time.process_time() - start
    if best.weights is not None:
        task.model.load_state_dict(best.weights)
    task.eval()
    return Chosen(best.step if score is not None else steps, best.value, seconds)


def looked_at(steps: int) -> frozenset[int]:
    return frozenset(max(1, math.ceil(share * steps)) for share in LOOKS)


class _Best(pl.Callback):
    def __init__(self, score: Callable[[Reading], float] | None, looks: frozenset[int]) -> None:
        self.score, self.looks = score, looks
        self.step, self.value = -1, float("-inf")
        self.weights: dict[str, Tensor] | None = None

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step not in self.looks:
            return
        assert self.score is not None
        pl_module.eval()
        value = self.score(pl_module)
        pl_module.train()
        if value >= self.value:
            self.step, self.value = trainer.global_step, value
            self.weights = copy.deepcopy(pl_module.model.state_dict())


@torch.no_grad()
def read_all(
    model: Reader, loader: Iterable[dict[str, Tensor]], rounds: tuple[int | None, ...] = (None,), batches: int | None = None
) -> Any:
    """([tokens (N,L) for each number of refinements; None: as the model says], ids (N,)) of a split, from one look at it."""
    found: list[list[Tensor]] = [[] for _ in rounds]
    ids, device = [], next(model.parameters()).device
    for number, batch in enumerate(loader):
        if number == batches:
            break
        images = batch["images"].to(device)
        for tokens, iterations in zip(found, rounds, strict=True):
            answer = model.read(images) if iterations is None else model.read(images, iterations)  # type: ignore[call-arg]
            tokens.append(answer.tokens.cpu())
        ids.append(batch["id"])
    return [torch.cat(tokens) for tokens in found], torch.cat(ids)


def right_36(model: Reader, data: WordData, batches: int | None = None) -> float:
    """Share of validation's words read right, whatever the case (36 characters)."""
    (tokens_NL,), ids_N = read_all(model, data.val_dataloader(), batches=batches)
    common = charset("36")
    read = [for_comparison(data.charset.decode(tokens_L), common) for tokens_L in tokens_NL]
    true = [for_comparison(data.truth(number), common) for number in ids_N.tolist()]
    return accuracy(read, true).percent / 100
