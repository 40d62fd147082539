"""A task is told what it measures."""

from typing import Any

from pytorch_lightning import Trainer

from tests.apps.base.toy import ToyData, ToyTask


class Noting(ToyTask):
    def measure(self, metrics: Any, batch: Any, outputs: Any, stage: str) -> None:
        super().measure(metrics, batch, outputs, stage)
        self.seen.add((stage, metrics.prefix))


def test_each_batch_is_measured_under_its_stage_and_into_the_metrics_of_that_stage() -> None:
    task = Noting()
    task.build({})
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    for run, stage in ((trainer.validate, "val"), (trainer.test, "test")):
        task.seen = set()
        (values,) = run(task, ToyData().val_dataloader(), verbose=False)
        assert task.seen == {(stage, f"{stage}/")}
        assert f"{stage}/mean" in values
