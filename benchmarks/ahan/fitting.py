"""One training of a verifier in this process: the app's own task, datamodule and trainer loop, without a run to track it."""

import time
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from apps.ahan.metrics import cluster_bootstrap
from apps.ahan.scenarios import Scored, scenarios, score
from apps.ahan.task import Verification
from apps.base.callbacks.ema import Ema
from apps.base.quiet import quiet_lightning, run_trainer
from datamodules.ahan.face_data import FaceData

__all__ = ["fit", "paired", "scored"]

CLIP = 1.0  # as configs/defaults.yaml


def fit(task: Verification, data: FaceData, epochs: int, seed: int, steps: int = -1, ema: float = 0.0, half: bool = False) -> float:
    """CPU seconds of the training, after which the task has the last epoch's weights, averaged where ema is above 0: nothing is chosen.

    steps: end after so many. half: bfloat16 and channels last, which large convolutions gain by
    """
    data.setup("fit")
    pl.seed_everything(seed, workers=True, verbose=False)
    task.build(task.gather(data))
    if half:
        task.net.to(memory_format=torch.channels_last)
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator="cpu", precision="bf16-mixed" if half else "32-true", max_epochs=epochs, max_steps=steps, gradient_clip_val=CLIP,
            limit_val_batches=0, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            use_distributed_sampler=False, callbacks=[Ema(ema)] if ema else [],
        )  # fmt: skip
    start = time.process_time()
    run_trainer(trainer, "fit", task, datamodule=data)
    seconds = time.process_time() - start
    if task.shadow is not None:
        task.model.load_state_dict(task.shadow)
    task.eval()
    return seconds


@torch.no_grad()
def scored(task: Verification, data: FaceData, split: str) -> dict[str, Scored]:
    """The split's pairs with their scores, by scenario."""
    vectors, number = [], []
    for batch in data.val_dataloader() if split == "val" else data.test_dataloader():
        vectors.append(task.net(*task.inputs(batch)).embedding)
        number.append(batch["id"])
    vectors_ME, number_M = torch.cat(vectors).double().numpy(), torch.cat(number).numpy()
    return scenarios(*score(vectors_ME, number_M, data.numbers(split), data.pairs(split)))


def paired(one: Any, other: Any, same: np.ndarray, family: np.ndarray, draws: int = 1000) -> tuple[float, float, float]:
    """(gap, low, high) in balanced accuracy between two rows whose pairs are the same: families are drawn, both rows are judged on them.

    one, other: (seeds, pairs), whether each was decided rightly
    """
    gap = np.mean(np.asarray(one, float) - np.asarray(other, float), 0)

    def metric(place: np.ndarray, same: np.ndarray, weight: np.ndarray) -> float:
        each = gap[place.astype(int)]
        return float(np.mean([np.average(each[same == kind], weights=weight[same == kind]) for kind in (True, False)]))

    found = cluster_bootstrap(metric, np.arange(len(gap)), same, family, draws)
    return found.value, found.low, found.high
