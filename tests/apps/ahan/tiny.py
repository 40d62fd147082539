"""A verifier that learns in seconds: eight families at 32 pixels, one block."""

from typing import Any

from apps.ahan.options import Hca, Losses
from apps.ahan.task import Verification
from datamodules.ahan.datamodule import TwinFaces

TRUNK = {"patch": 8, "width": 16, "depth": 1, "heads": 2, "stem": "conv"}
SMALL = (
    "--data.train=8", "--data.val=4", "--data.test=12", "--data.each=4", "--data.size=32", "--data.groups=4", "--data.images=2",
    "--model.trunk_options.width=16", "--model.trunk_options.depth=1", "--model.trunk_options.heads=2", "--model.embedding=16",
    "--trainer.accelerator=cpu", "--trainer.max_epochs=2", "--trainer.log_every_n_steps=1",
)  # fmt: skip


def faces(**options: Any) -> TwinFaces:
    return TwinFaces(**{"train": 8, "val": 4, "test": 12, "each": 4, "size": 32, "groups": 4, "images": 2, **options})


def task(**options: Any) -> Verification:
    loss = Losses(0.1, 16.0, 0.0, contrastive=1.0)
    return Verification(**{"trunk_options": TRUNK, "embedding": 16, "hca": Hca(share="all"), "loss": loss, **options})
