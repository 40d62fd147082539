"""Rows of made-up features, of which it is known what each is good for: informative, noise, or a decoy that can only be memorised.

Shapes: N rows, F features, G groups.
"""

from dataclasses import dataclass

import numpy as np

from datamodules.errors import DataError

__all__ = ["Features", "synth_features"]

SPREAD = 0.5  # of a group's rows about it, in deviations of the groups
ROLES = ("informative", "noise", "decoy")


@dataclass(frozen=True)
class Features:
    x_NF: np.ndarray  # float32
    y_N: np.ndarray  # float32, about standardised
    group_N: np.ndarray  # int64: rows of one group share their target
    role_F: np.ndarray  # of each feature one of ROLES

    def rows(self, groups: range) -> "Features":
        """Those of some groups."""
        chosen = (self.group_N >= groups.start) & (self.group_N < groups.stop)
        return Features(self.x_NF[chosen], self.y_N[chosen], self.group_N[chosen], self.role_F)


def synth_features(
    informative: int = 16, noise: int = 48, decoys: int = 0, groups: int = 400, rows: int = 1, label_noise: float = 0.3, seed: int = 0
) -> Features:
    """`groups` things of `rows` rows each. The target is a smooth function of the informative features of the group, plus label noise.

    Informative features lie about their group's values; every one of them has a linear part of 0.5 to 1.5 in the target. Noise is drawn
    anew in each row. Decoys are drawn once for a group, whatever its target: with them a group can be told from the others, and its target
    memorised, which says nothing of a new group. The columns are in an order drawn from the seed.
    """
    for name, count, least in (
        ("informative", informative, 1),
        ("noise", noise, 0),
        ("decoys", decoys, 0),
        ("groups", groups, 1),
        ("rows", rows, 1),
    ):
        if count < least:
            raise DataError(f"synth_features: {name}={count}; at least {least}")
    if label_noise < 0:
        raise DataError(f"synth_features: label_noise={label_noise} is a standard deviation")
    rng = np.random.Generator(np.random.Philox(seed))
    weight_F = rng.uniform(0.5, 1.5, informative) * rng.choice([-1, 1], informative)
    pairs_F, bent_F = rng.permutation(informative), rng.permutation(informative)
    z_GF = rng.standard_normal((groups, informative))
    y_G = z_GF @ weight_F / np.linalg.norm(weight_F)
    y_G += 0.3 * (z_GF * z_GF[:, pairs_F]).sum(1) / np.sqrt(informative) + 0.3 * np.sin(2 * z_GF[:, bent_F[: informative // 2]]).mean(1)
    y_G = (y_G - y_G.mean()) / y_G.std() + label_noise * rng.standard_normal(groups)
    group_N = np.repeat(np.arange(groups), rows)
    about = SPREAD if rows > 1 else 0.0  # one row a group is the group
    parts = [
        z_GF[group_N] + about * rng.standard_normal((len(group_N), informative)),
        rng.standard_normal((len(group_N), noise)),
        rng.standard_normal((groups, decoys))[group_N],
    ]
    order_F = rng.permutation(informative + noise + decoys)
    roles = np.repeat(ROLES, [informative, noise, decoys])
    x_NF = np.concatenate(parts, 1)[:, order_F].astype(np.float32)
    return Features(x_NF, y_G[group_N].astype(np.float32), group_N, roles[order_F])
