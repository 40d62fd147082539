"""Several batches a step of the optimiser: what hangs on the step happens once, of all of them."""

from collections.abc import Sequence
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch

from apps.base.optim import Optim
from apps.otsnet.options import Observe, Quantize
from apps.otsnet.task import Reading
from datamodules.otsnet.datamodule import EmbeddedWords

STEPS, BATCH = 3, 4


class Watched(Reading):
    def __init__(self) -> None:
        super().__init__(
            observe=Observe(dim=16, depth=1, grid="8x16"), quantize=Quantize(codes=8, code_width=8), optim=Optim(lr=1e-3, warmup=0.0)
        )
        self.seeds: list[int] = []  # that batches were spoilt by
        self.followed: list[int] = []  # slots that the codes followed, a number a step
        self.batches: list[int] = []  # slots of each batch

    def inputs(self, batch: Any) -> tuple[Any, ...]:
        self.batches.append(int((batch["tokens"] <= len(self.letters)).sum()))
        return super().inputs(batch)

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        teach = self.model.teach

        def taught(tokens_BL: torch.Tensor, step: int, progress: float) -> Any:
            self.seeds.append(step)
            return teach(tokens_BL, step, progress)

        self.model.teach = taught  # type: ignore[method-assign]
        book: Any = self.model.get_submodule("quantizer.book")
        follow = book.follow

        def watched(z_VGE: torch.Tensor, *more: Any, **named: Any) -> dict[str, torch.Tensor]:
            self.followed.append(len(z_VGE))
            return follow(z_VGE, *more, **named)

        book.follow = watched


def trained(accumulate: int) -> Watched:
    lightning.seed_everything(0, verbose=False)
    data = EmbeddedWords(seed=0, batch_size=BATCH)
    data.setup("fit")
    task = Watched()
    task.build(task.gather(data))
    lightning.Trainer(
        accelerator="cpu", max_epochs=-1, max_steps=STEPS, accumulate_grad_batches=accumulate, limit_val_batches=0, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
    ).fit(task, datamodule=data)  # fmt: skip
    return task


def sums(values: Sequence[int], of: int) -> list[int]:
    return [sum(values[start : start + of]) for start in range(0, len(values), of)]


@pytest.mark.parametrize("accumulate", [1, 4])
def test_the_codes_follow_once_a_step_all_that_was_learned_from_in_it(accumulate: int) -> None:
    task = trained(accumulate)
    assert len(task.batches) == STEPS * accumulate
    assert task.followed == sums(task.batches, accumulate)
    assert int(task.model.get_buffer("quantizer.book.updates")) == STEPS


def test_no_two_batches_are_spoilt_by_the_same_draw() -> None:
    assert len(set(trained(4).seeds)) == 4 * STEPS
    assert trained(1).seeds == list(range(STEPS))
