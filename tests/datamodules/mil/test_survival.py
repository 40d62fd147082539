"""Bags with times, made and from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.mil.datamodule import HardBags
from datamodules.mil.survival import NpzSurvival, SurvivalBags
from datamodules.mil.synth import HARD, survival_bags


def npz(path: Path, **changed: Any) -> str:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 6, 40)
    arrays = {
        "x": rng.standard_normal((lengths.sum(), 3)).astype(np.float32),
        "offsets": np.concatenate([[0], lengths.cumsum()]),
        "time": rng.integers(1, 900, 40),
        "event": np.arange(40) % 2,
    } | changed
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return str(path)


def test_more_hard_instances_are_sooner_and_nothing_else_is() -> None:
    made = survival_bags(600, 0)
    share = np.array([(made.kind[a:b] == HARD).mean() for a, b in zip(made.offsets[:-1], made.offsets[1:], strict=True)])
    many = share > np.median(share)
    assert np.median(made.time[many]) < 0.5 * np.median(made.time[~many])
    assert 0.6 < made.event.mean() < 0.85
    assert (made.time == made.time.round()).all()
    assert made.time.min() >= 1
    even = np.diff(made.offsets) % 2 == 0
    assert 0.8 < np.median(made.time[even]) / np.median(made.time[~even]) < 1.25


def test_the_same_seed_makes_the_same_bags() -> None:
    one, other, third = SurvivalBags(bags_seed=1), SurvivalBags(bags_seed=1, seed=5), SurvivalBags(bags_seed=2)
    assert one.describe()["fingerprint"] == other.describe()["fingerprint"] != third.describe()["fingerprint"]
    assert (one.known["time"] == other.known["time"]).all()


def test_made_bags_that_differ_are_of_other_patients() -> None:
    one, alike, third, smaller = SurvivalBags(), SurvivalBags(seed=5), SurvivalBags(bags_seed=2), SurvivalBags(train=100)
    assert one.patients == alike.patients
    assert not set(one.patients) & {*third.patients, *smaller.patients, *HardBags().patients}


def test_a_file_with_times_is_split_by_event(tmp_path: Path) -> None:
    data = NpzSurvival(npz(tmp_path / "a.npz"), batch_size=4, folds=5)
    data.setup()
    assert data.counts()["test"] == {"censored": 4, "event": 4}
    batch = next(iter(data.train_dataloader()))
    assert batch["time"].shape == batch["label"].shape == (4,)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"time": None}, "lacks time"),
        ({"event": np.arange(40)}, "whole numbers from 0 to 1"),
        ({"time": np.zeros(40)}, "time 0.0 of bag 0; times are finite numbers above 0"),
        ({"time": np.where(np.arange(40) == 7, np.nan, 1.0)}, "time nan of bag 7"),
        ({"time": np.array(["soon"] * 40)}, "time soon of bag 0"),
        ({"time": np.ones(39)}, "must agree"),
    ],
)
def test_times_that_are_none_are_refused_by_name(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        NpzSurvival(npz(tmp_path / "a.npz", **changed)).setup()


def test_features_with_heavy_tails_are_clipped_in_deviations_and_only_by_a_positive_number(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz")
    plain, clipped = NpzSurvival(path), NpzSurvival(path, clip=1.0)
    for data in (plain, clipped):
        data.setup()
    x, y = (data.train_dataloader().dataset[0]["x"] for data in (plain, clipped))
    assert x.abs().max() > 1
    assert (y == x.clamp(-1, 1)).all()
    with pytest.raises(DataError, match="is a number of deviations above 0"):
        NpzSurvival(path, clip=0.0)
