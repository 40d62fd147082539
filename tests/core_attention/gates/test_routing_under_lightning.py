"""Gradient Routing in a LightningModule of one's own, as the README of hag shows it."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from apps.base.quiet import quiet_lightning, run_trainer
from core_attention.gates import Routing, Site, wrap


class Foreign(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
        self.routing = Routing(wrap(self.net, Site("1", channels=16, axis=-1), init="half"), lam=0.1)

    def configure_optimizers(self) -> Any:
        return list(self.routing.optimizers(lr_w=1e-2, lr_g=5e-2))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        weights, gates = self.optimizers()  # type: ignore[misc]
        self.routing.step(lambda b: mse_loss(self.net(b[0]), b[1]), batch, weights=weights, gates=gates.optimizer)  # type: ignore[arg-type,union-attr]


def test_a_module_of_ones_own_counts_its_batches_and_trains_as_a_bare_loop_does() -> None:
    x = torch.randn(32, 6, generator=torch.Generator().manual_seed(1))
    loader = DataLoader(TensorDataset(x, x[:, :1]), batch_size=8)
    module, bare = Foreign(), Foreign()
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False
        )
    run_trainer(trainer, "fit", module, train_dataloaders=loader)
    assert trainer.global_step == len(loader)
    weights, gates = bare.routing.optimizers(lr_w=1e-2, lr_g=5e-2)
    for batch in loader:
        bare.routing.step(lambda b: mse_loss(bare.net(b[0]), b[1]), batch, weights=weights, gates=gates)
    for name, value in bare.net.state_dict().items():
        assert torch.equal(module.net.state_dict()[name], value), name
