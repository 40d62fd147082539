import numpy as np
import pytest
import torch

from apps.dcal.ranking import measure
from apps.dcal.rerank import rerank


def clusters(seed=0, people=12, each=8, width=16, spread=0.9):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(people, width, generator=generator)
    who = torch.arange(people).repeat_interleave(each)
    return centres[who] + spread * torch.randn(len(who), width, generator=generator), who


def naive(query, gallery, k1, k2, weight):
    """The paper's definitions with sets and dictionaries."""
    vectors = np.concatenate([query, gallery]).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = np.maximum(2 - 2 * vectors @ vectors.T, 0).astype(np.float32)
    distance = (distance / distance.max(1, keepdims=True)).astype(np.float64)
    count = len(vectors)
    order = [sorted(range(count), key=lambda j, i=i: (np.float32(distance[i, j]), j)) for i in range(count)]

    def reciprocal(i, k):
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    encoded = np.zeros((count, count))
    for i in range(count):
        mine = reciprocal(i, k1)
        joined = set(mine)
        for j in mine:
            theirs = reciprocal(j, round(k1 / 2))
            if len(mine & theirs) >= 2 / 3 * len(theirs):
                joined |= theirs
        weights = {j: np.exp(-distance[i, j]) for j in joined}
        for j, value in weights.items():
            encoded[i, j] = value / sum(weights.values())
    encoded = np.stack([np.mean([encoded[j] for j in order[i][:k2]], axis=0) for i in range(count)])
    scores = np.empty((len(query), len(gallery)))
    for i in range(len(query)):
        for j in range(len(gallery)):
            both = np.stack([encoded[i], encoded[len(query) + j]])
            jaccard = 1 - both.min(0).sum() / both.max(0).sum()
            scores[i, j] = -((1 - weight) * jaccard + weight * distance[i, len(query) + j])
    return scores


@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (7, 1, 0.0), (5, 3, 0.8)])
def test_equals_the_definitions_looped(k1, k2, weight):
    vectors, _ = clusters(people=6)
    found = rerank(vectors[:10], vectors[10:], k1=k1, k2=k2, weight=weight)
    assert np.allclose(found.numpy(), naive(vectors[:10].numpy(), vectors[10:].numpy(), k1, k2, weight), atol=1e-5)


def test_weight_one_is_the_plain_ranking():
    vectors, _ = clusters()
    plain = torch.nn.functional.normalize(vectors[:9]) @ torch.nn.functional.normalize(vectors[9:]).T
    assert (rerank(vectors[:9], vectors[9:], k1=5, k2=2, weight=1.0).argsort(1) == plain.argsort(1)).float().mean() > 0.99


def test_neighbourhoods_help_where_identities_are_clusters():
    vectors, who = clusters(people=20, each=10, spread=1.3)
    asks = torch.arange(len(who)) % 10 == 0
    cameras = (torch.zeros(int(asks.sum()), dtype=torch.int64), torch.ones(int((~asks).sum()), dtype=torch.int64))
    plain = torch.nn.functional.normalize(vectors[asks]) @ torch.nn.functional.normalize(vectors[~asks]).T
    before = measure(plain, who[asks], cameras[0], who[~asks], cameras[1], "market")
    after = measure(rerank(vectors[asks], vectors[~asks], k1=10, k2=4), who[asks], cameras[0], who[~asks], cameras[1], "market")
    assert after.mean_ap > before.mean_ap + 0.02


def test_senseless_settings_are_refused():
    x = torch.randn(10, 4)
    for options, words in (({"k1": 10}, "lower k1"), ({"k1": 3, "k2": 4}, "k2 <= k1"), ({"weight": 2}, "weight")):
        with pytest.raises(ValueError, match=words):
            rerank(x[:3], x[3:], **{"k1": 5, "k2": 2} | options)
