"""What choosing the epoch on the tested folds does to a figure: on random labels there is nothing to find."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from apps.base.crossval.plan import Cut
from apps.base.crossval.summary import Score, best_epoch, score
from apps.histograph.leakcheck import batch_of
from apps.histograph.model import Histograph
from apps.histograph.options import Backbone, Read
from datamodules.histograph.folds import make_folds, split_of
from datamodules.histograph.graph import Graph
from datamodules.histograph.synth import cycles

FOLDS, SEEDS, EPOCHS = 5, 2, 30


@pytest.mark.parametrize("fold", range(4))
def test_the_conventions_tested_fold_stands_for_validation_and_nothing_is_held_out_besides(fold: int) -> None:
    folds = make_folds(np.arange(40) % 2, k=4)
    ours, theirs = split_of(folds, fold), split_of(folds, fold, "gin-convention")
    assert ours["test"] == theirs["test"] == theirs["val"]
    assert sorted(ours["train"] + ours["val"]) == theirs["train"]
    assert not set(ours["val"]) & set(ours["test"])


def curves(
    graphs: list[Graph], labels: torch.Tensor, split: dict[str, list[int]], seed: int
) -> tuple[list[float], list[float], list[float]]:
    """(validation loss, validation accuracy, test accuracy) of every epoch."""
    torch.manual_seed(seed)
    model = Histograph(2, 0, 2, Backbone(layers=2, width=8), Read(name="mean"), dropout=0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    made = {name: (batch_of([graphs[row][:3] for row in rows]), labels[rows]) for name, rows in split.items()}
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    for _ in range(EPOCHS):
        model.train()
        for _ in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(*made["train"][0]).out, made["train"][1]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            out, y = model(*made["val"][0]).out, made["val"][1]
            found[0].append(float(F.cross_entropy(out, y)))
            found[1].append(float((out.argmax(1) == y).float().mean()))
            found[2].append(float((model(*made["test"][0]).out.argmax(1) == made["test"][1]).float().mean()))
    return found


def read(protocol: str) -> Score:
    """As `crossval` reads it: each cut's own epoch by validation, or one for all by the mean of the test curves."""
    graphs = cycles(100, seed=4)
    labels = torch.from_numpy(np.random.default_rng(0).permutation(np.arange(100) % 2))
    folds = make_folds(labels.numpy(), k=FOLDS)
    cuts = [Cut(None, fold, seed) for fold, seed in product(range(FOLDS), range(SEEDS))]
    runs = {cut: curves(graphs, labels, split_of(folds, cut.fold, protocol), cut.seed) for cut in cuts}
    if protocol == "val-selected":
        return score({cut: test[int(np.argmin(loss))] for cut, (loss, _, test) in runs.items()})
    epoch = best_epoch([accuracy for _, accuracy, _ in runs.values()], highest=True)
    return score({cut: accuracy[epoch] for cut, (_, accuracy, _) in runs.items()})


@pytest.mark.full
def test_choosing_the_epoch_on_test_finds_skill_in_random_labels_and_choosing_on_validation_finds_none() -> None:
    honest, fooled = read("val-selected"), read("gin-convention")
    assert abs(honest.mean - 0.5) <= honest.half_interval
    assert fooled.mean > 0.52
    assert fooled.mean > honest.mean
