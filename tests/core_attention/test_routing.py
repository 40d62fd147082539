import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers import Routing
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(pattern: str = "ns", **options: object) -> Routing:
    mixer = Case("routing", pattern, Variant()).build(**options)
    assert isinstance(mixer, Routing)
    return mixer


def test_one_cluster_is_softmax_on_the_sphere() -> None:
    mixer, x = random(clusters=1), tokens(2, 5, 8)
    q, k, v = mixer.qkv(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    q, k = (torch.nn.functional.layer_norm(part, (4,)) for part in (q, k))
    wanted = (q @ k.transpose(2, 3) / 2).softmax(-1)
    y, full = mixer(x, need="full")
    torch.testing.assert_close(full, wanted)
    torch.testing.assert_close(y, mixer.proj((full @ v).transpose(1, 2).flatten(2)))


def test_the_answer_is_the_map_times_the_values() -> None:
    for pattern in ("ns", "cs"):
        mixer, x = random(pattern, clusters=3), tokens(2, 9, 8)
        y, full = mixer(x, need="full")
        v = mixer.qkv(x).unflatten(-1, (-1, 2, 4)).permute(2, 0, 3, 1, 4)[-1]
        torch.testing.assert_close(y, mixer.proj((full @ v).transpose(1, 2).flatten(2)))


def test_a_token_in_no_cluster_gets_nothing_and_one_in_several_their_mean() -> None:
    full = random(clusters=4)(tokens(4, 12, 8), need="full")[1]
    rows = full.sum(-1)
    assert ((rows - 1).abs() < 1e-9).logical_or(rows == 0).all()
    assert (rows == 0).any()


def test_a_causal_query_sees_the_last_tokens_of_its_own_cluster() -> None:
    mixer, x = random("cs", clusters=2, reach=2), tokens(1, 8, 8)
    k = torch.nn.functional.layer_norm(mixer.qkv(x).unflatten(-1, (2, 2, 4)).permute(2, 0, 3, 1, 4)[0], (4,))
    joins = mixer.fit(k).argmax(2)[0]
    full = mixer(x, need="full")[1][0]
    for head in range(2):
        for i in range(8):
            own = [j for j in range(i + 1) if joins[head, j] == joins[head, i]][-2:]
            assert full[head, i].nonzero().flatten().tolist() == own


def test_centroids_follow_their_tokens_in_training_alone_and_without_gradient() -> None:
    mixer, x = random(clusters=2, decay=0.5), tokens(2, 6, 8)
    before = mixer.centroids_HLE.clone()
    mixer(x)
    assert torch.equal(mixer.centroids_HLE, before)
    mixer.train()(x).sum().backward()
    assert not torch.equal(mixer.centroids_HLE, before)
    assert not mixer.centroids_HLE.requires_grad
    torch.testing.assert_close(mixer.centroids_HLE.mean(-1), torch.zeros(2, 2, dtype=torch.float64))  # still on the sphere


def test_fewer_tokens_than_clusters_are_fine() -> None:
    assert random(clusters=5)(tokens(1, 2, 8)).isfinite().all()


@pytest.mark.parametrize("options", [{"clusters": 0}, {"reach": 0}, {"decay": 1.5}])
def test_what_cannot_be_built_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        build_mixer("routing", 8, 2, **options)
