"""When are two pictures the same one's? The cosine that few enough pairs of different identities exceed, from validation.

Shapes: N pictures, D width, P pairs.
"""

import torch
import torch.nn.functional as F

from apps.dcal.ranking import Gathered

__all__ = ["RATES", "acceptance"]

RATES = (0.1, 0.01, 0.001)  # false-accept rates that an exported file can be asked for
FEWEST = 10  # ours: false accepts that a rate must leave in validation; of fewer the threshold is a guess
MOST = 3_000  # ours: pictures, evenly spaced; all pairs are sorted


def acceptance(data: Gathered) -> list[dict[str, float]]:
    """A row a rate, [{"far", "threshold", "tar", "pairs"}], for as many of RATES as there are pairs for.

    Pairs are of different, known cameras: within a camera strangers look alike, because they share its light. A pair is accepted when its
    cosine is greater than `threshold`; at most the share `far` of the pairs of different identities was. `tar` is the share of the
    pairs of one identity that was accepted, `pairs` how many of different ones were compared.
    """
    rows = torch.arange(0, len(data.identity), -(-len(data.identity) // MOST) if len(data.identity) else 1)
    vectors_ND = F.normalize(data.vectors[rows].double(), dim=1)
    identity_N, camera_N = data.identity[rows], data.camera[rows]
    known_NN = (camera_N[:, None] >= 0) & (camera_N >= 0) & (camera_N[:, None] != camera_N)
    compared_NN = known_NN.triu(1)
    same_NN = identity_N[:, None] == identity_N
    scores_NN = vectors_ND @ vectors_ND.T
    strangers_P = scores_NN[compared_NN & ~same_NN].sort(descending=True).values
    own_P = scores_NN[compared_NN & same_NN]
    found = []
    for rate in RATES:
        accepted = int(rate * len(strangers_P) + 1e-9)
        if accepted >= FEWEST and len(own_P):
            threshold = float(strangers_P[accepted])  # what lies above it: `accepted` pairs, or fewer where there are ties
            found.append(
                {"far": rate, "threshold": threshold, "tar": float((own_P > threshold).double().mean()), "pairs": len(strangers_P)}
            )
    return found
