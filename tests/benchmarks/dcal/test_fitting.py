import torch

from apps.dcal.options import Glca
from apps.dcal.task import Classification
from benchmarks.dcal.fitting import fit, logits_of
from datamodules.dcal.datamodule import Beetles


def beetles():
    return Beetles(batch_size=8, train=16, val=8, test=8)


def task():
    return Classification("vit_micro", {"width": 8, "depth": 1, "heads": 1}, Glca())


def test_the_epoch_of_the_highest_score_stays_and_of_equal_ones_the_later():
    scores, weights = iter([0.1, 0.7, 0.7, 0.3]), []

    def score(now):
        weights.append(now.model.head_sa.weight.clone())
        return next(scores), {"calls": len(weights)}

    model = task()
    chosen = fit(model, beetles(), 4, 0, score)
    assert (chosen.epoch, chosen.score, chosen.note) == (2, 0.7, {"calls": 3})
    assert torch.equal(model.model.head_sa.weight, weights[2])
    assert not torch.equal(weights[2], weights[3])


def test_a_seed_says_the_weights_and_looking_at_validation_changes_none():
    ends = []
    for seed, look in ((0, None), (0, lambda now: (1.0, {})), (1, None)):
        data, model = Beetles(batch_size=8, train=16, val=8, test=8, seed=seed), task()
        fit(model, data, 2, seed, look)
        ends.append(model.model.head_sa.weight.clone())
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_logits_of_a_split_are_the_models_picture_by_picture():
    data, model = beetles(), task()
    fit(model, data, 1, 0, None, steps=1)
    logits, labels = logits_of(model.model, data.val_dataloader())
    own = model.model(torch.stack([data.val_set[i]["image"] for i in range(8)]))
    assert torch.allclose(logits["glca"], own.glca_logits, atol=1e-5)
    assert torch.allclose(logits["sa"][0], own.sa_logits, atol=1e-5)
    assert labels.tolist() == [data.val_set[i]["label"] for i in range(8)]
