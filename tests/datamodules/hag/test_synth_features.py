"""Features of which it is known what each is good for."""

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.hag.synth_features import synth_features


def test_the_same_seed_gives_the_same_rows_and_another_seed_others():
    one, again, other = (synth_features(groups=50, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.x_NF, again.x_NF)
    assert np.array_equal(one.y_N, again.y_N)
    assert not np.array_equal(one.x_NF, other.x_NF)


def test_decoys_and_targets_are_constant_within_a_group_and_nothing_else_is():
    data = synth_features(informative=4, noise=5, decoys=3, groups=30, rows=6, seed=0)
    by_group = data.x_NF.reshape(30, 6, -1)
    still = (by_group == by_group[:, :1]).all((0, 1))
    assert np.array_equal(still, data.role_F == "decoy")
    assert (data.y_N.reshape(30, 6) == data.y_N[::6, None]).all()
    assert np.array_equal(data.group_N, np.repeat(np.arange(30), 6))


def test_informative_features_tell_the_target_of_new_groups_and_decoys_do_not():
    data = synth_features(informative=6, noise=6, decoys=6, groups=4000, label_noise=0.0, seed=1)
    shares = {}
    for role in ("informative", "noise", "decoy"):
        x = data.x_NF[:, data.role_F == role].astype(np.float64)
        weight = np.linalg.lstsq(x[:2000], data.y_N[:2000], rcond=None)[0]
        rest = data.y_N[2000:] - x[2000:] @ weight
        shares[role] = 1 - rest.var() / data.y_N[2000:].var()
    assert shares["informative"] > 0.7
    assert max(shares["noise"], shares["decoy"]) < 0.02


def test_rows_of_some_groups():
    data = synth_features(groups=10, rows=3, seed=0)
    part = data.rows(range(2, 4))
    assert np.array_equal(part.group_N, [2, 2, 2, 3, 3, 3])
    assert np.array_equal(part.x_NF, data.x_NF[6:12])


@pytest.mark.parametrize("wrong", [{"informative": 0}, {"noise": -1}, {"groups": 0}, {"rows": 0}, {"label_noise": -0.1}])
def test_counts_out_of_range_name_the_argument(wrong):
    with pytest.raises(DataError, match=next(iter(wrong))):
        synth_features(**wrong)
