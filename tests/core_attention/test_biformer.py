import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers import BiFormer
from kernels import use_backend
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(**options: object) -> BiFormer:
    mixer = Case("biformer", "ns", Variant(grid=(4, 5))).build(**options)
    assert isinstance(mixer, BiFormer)
    return mixer


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_all_regions_are_softmax(backend: str) -> None:
    mixer, plain = random(regions=2, topk=4, lepe=0), build_mixer("softmax", 8, 2).double()
    plain.load_state_dict({name.replace("wo.", "proj."): value for name, value in mixer.state_dict().items()})
    x = tokens(2, 20, 8)
    with use_backend(backend):
        for got, wanted in zip(mixer(x, grid=(4, 5), need="full"), plain(x, need="full"), strict=True):
            torch.testing.assert_close(got, wanted)


def test_a_query_sees_only_the_regions_that_fit_its_own_best() -> None:
    mixer, x, grid = random(regions=2, topk=2, lepe=0), tokens(1, 20, 8), (4, 5)
    region = torch.tensor([(i // 5) // 2 * 2 + (i % 5) // 3 for i in range(20)])
    q, k, _ = mixer.qkv(x).split(8, -1)
    q_mean, k_mean = (torch.stack([part[0, region == r].mean(0) for r in range(4)]) for part in (q, k))
    best = (q_mean @ k_mean.T).topk(2, -1).indices
    full = mixer(x, grid=grid, need="full")[1]
    for i in range(20):
        seen = torch.isin(region, best[region[i]])
        assert ((full[0, :, i] > 0) == seen).all()


def test_the_scale_of_the_authors_is_that_of_all_heads() -> None:
    x, grid = tokens(1, 20, 8), (4, 5)
    theirs, ours = random(regions=1, topk=1, scale="dim", lepe=0), random(regions=1, topk=1, lepe=0)
    with torch.no_grad():
        ours.qkv.weight[:8] *= 2**-0.5
        ours.qkv.bias[:8] *= 2**-0.5
    torch.testing.assert_close(theirs(x, grid=grid), ours(x, grid=grid))


def test_positions_of_the_values_are_added() -> None:
    mixer, x = random(regions=2, topk=2), tokens(1, 20, 8)
    assert mixer.lepe is not None
    with_lepe = mixer(x, grid=(4, 5))
    values = mixer.qkv(x)[..., 16:].reshape(1, 4, 5, 8).movedim(3, 1)
    added = mixer.lepe(values).flatten(2).transpose(1, 2)
    mixer.lepe = None
    torch.testing.assert_close(with_lepe - mixer(x, grid=(4, 5)), added @ mixer.wo.weight.T)


@pytest.mark.parametrize("options", [{"topk": 5, "regions": 2}, {"lepe": 4}, {"scale": "none"}, {"qk_dim": 5}])
def test_what_cannot_be_built_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        build_mixer("biformer", 8, 2, **options)
