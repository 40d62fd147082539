"""The base datamodule under the real trainer: what is seen after a resume is what would have been seen."""

import warnings
from typing import ClassVar

import pytest
import pytorch_lightning as lightning
import torch

from datamodules.base import BaseData
from tests.datamodules.numbers_set import Numbers

warnings.filterwarnings("ignore", module="pytorch_lightning")


class NumberData(BaseData):
    def setup(self, stage=None):
        self.train_set, self.val_set, self.test_set = Numbers(24), Numbers(10), Numbers(7)


class Witness(lightning.LightningModule):
    """Writes down what it is shown, with global randomness in every step."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen: list = []

    def training_step(self, batch, _):
        self.seen.append((self.current_epoch, batch["turn"].tolist(), batch["index"].tolist()))
        return self.layer(batch["x"] + torch.randn_like(batch["x"])).square().mean()

    def validation_step(self, batch, _):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Position(lightning.Callback):
    """What the foundation's callback does, and a checkpoint at a chosen place."""

    def __init__(self, place=None, batch=None, path=None):
        self.place, self.batch, self.path = place, batch, path

    def on_train_batch_end(self, trainer, *_):
        trainer.train_dataloader.order.finished = trainer.fit_loop.epoch_loop.batch_progress.current.processed
        self.save(trainer, "batch")

    def on_validation_end(self, trainer, *_):
        self.save(trainer, "validation")

    def on_train_epoch_end(self, trainer, *_):
        self.save(trainer, "epoch")

    def save(self, trainer, place):
        if self.path and place == self.place and trainer.global_step == self.batch:
            torch.save({"rng": torch.get_rng_state(), "seen": len(trainer.lightning_module.seen)}, f"{self.path}.rng")
            trainer.save_checkpoint(self.path)


class Randomness(lightning.Callback):
    def __init__(self, path):
        self.path = path

    def on_train_start(self, *_):
        torch.set_rng_state(torch.load(f"{self.path}.rng")["rng"])


def fit(callbacks, workers=0, checkpoint=None, **options):
    torch.manual_seed(0)
    witness = Witness()
    trainer = lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=callbacks,
        **options,
    )
    trainer.fit(witness, datamodule=NumberData(batch_size=4, workers=workers, seed=5), ckpt_path=checkpoint)
    return witness


class Undisturbed:
    kept: ClassVar[dict] = {}

    @classmethod
    def run(cls, **options):
        key = str(options)
        if key not in cls.kept:
            cls.kept[key] = fit([Position()], **options)
        return cls.kept[key]


@pytest.mark.parametrize("options", [{}, {"limit_train_batches": 4}, {"val_check_interval": 0.5}], ids=str)
@pytest.mark.parametrize(
    ("place", "step"),
    [
        ("batch", 1),
        ("batch", 6),
        ("batch", 8),
        ("batch", 9),
        ("batch", 12),
        ("validation", 6),
        ("validation", 12),
        ("epoch", 6),
        ("epoch", 12),
    ],
)
def test_resumed_run_sees_the_rest_and_ends_with_the_same_weights(place, step, options, tmp_path):
    if options.get("limit_train_batches"):
        step = step * 4 // 6 if step % 6 == 0 else step
    path = str(tmp_path / "x.ckpt")
    whole = Undisturbed.run(**options)
    fit([Position(place, step, path)], **options)
    resumed = fit([Position(), Randomness(path)], checkpoint=path, **options)
    assert resumed.seen == whole.seen[torch.load(f"{path}.rng")["seen"] :]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_epochs_have_their_own_order_and_every_sample_once():
    seen = Undisturbed.run().seen
    for epoch in range(3):
        batches = [(turn, index) for at, turn, index in seen if at == epoch]
        assert {turn for turns, _ in batches for turn in turns} == {epoch}
        assert sorted(index for _, indices in batches for index in indices) == list(range(24))
    assert [index for at, _, index in seen if at == 0] != [index for at, _, index in seen if at == 1]


@pytest.mark.parametrize(("step", "options"), [(8, {}), (4, {"limit_train_batches": 4})], ids=str)
def test_workers_fetch_ahead_and_change_nothing(step, options, tmp_path):
    path = str(tmp_path / "x.ckpt")
    whole = Undisturbed.run(**options)
    interrupted = fit([Position("batch", step, path)], workers=1, **options)
    assert interrupted.seen == whole.seen
    resumed = fit([Position(), Randomness(path)], workers=1, checkpoint=path, **options)
    assert resumed.seen == whole.seen[step:]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)
