"""The method's idea on the bags that were made for it: what the easy instances hide is found once they are masked."""

import pytest
import torch
from torch import Tensor

from apps.base.ranking import auc
from apps.mil.losses import bag_loss, consistency
from apps.mil.mhim import Mhim
from apps.mil.model import BagModel
from apps.mil.options import Consistency, Host, Mask, Teacher
from core_attention.segments import Segments
from datamodules.mil.datamodule import HardBags

EPOCHS, MINING, RATE = 15, 20, 2e-3


def measured(net: Mhim, data: HardBags) -> tuple[float, float]:
    """AUC on bags of both kinds, and on those with hard instances only."""
    net.eval()
    probs, labels, hard = [], [], []
    with torch.no_grad():
        for batch in data.test_dataloader():
            probs.append(net(batch["bag"].flat, Segments(*batch["bag"][1:])).student.probs()[:, 1])
            labels.append(batch["label"])
            hard.append(batch["hard"])
    net.train()
    p, y, only = (torch.cat(part) for part in (probs, labels, hard))
    return auc(p[~only], y[~only]).item(), auc(p[only], y[only]).item()


def train(net: Mhim, data: HardBags, epochs: int) -> None:
    optimizer = torch.optim.AdamW(net.student.parameters(), lr=RATE, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(data.train_dataloader()))
    loader = data.train_dataloader()
    for epoch in range(epochs):
        loader.order.set_epoch(epoch)  # type: ignore[union-attr]
        for batch in loader:
            output = net(batch["bag"].flat, Segments(*batch["bag"][1:]), batch["noise"], batch["label"], high=net.mask.high)
            loss: Tensor = bag_loss(output.student, batch["label"])
            if output.whole is not None:
                loss = loss + 0.5 * bag_loss(output.whole, batch["label"])
            if output.teacher is not None:
                loss = loss + 0.1 * consistency(output.teacher, output.student, Consistency(0.1))[0]
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.student.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if net.mining:
                net.follow(0.999)


@pytest.mark.full
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mining_finds_the_hard_instances_that_the_plain_model_does_not_need(seed: int) -> None:
    torch.manual_seed(seed)
    data = HardBags(8, seed=seed)
    data.setup()
    student = BagModel(16, 2, Host("ab_mil", dim=64, hidden=32))
    net = Mhim(student, Mask(high=0.05, decay="none", whole_bag_weight=0.5), teacher=Teacher(epochs=EPOCHS))
    train(net, data, EPOCHS)
    both, hard_only = measured(net, data)
    assert both > 0.97
    assert hard_only < 0.65  # else there is nothing to mine
    net.offer(1.0)
    net.begin()
    train(net, data, MINING)
    mined, mined_hard = measured(net, data)
    assert mined >= 0.93
    assert mined_hard - hard_only >= 0.25
