import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers import ContMix
from tests.core_attention.properties.cases import Case, Variant, tokens

GRID = (5, 6)


def random(**options: object) -> ContMix:
    mixer = Case("contmix", "ns", Variant(grid=GRID)).build(**{"kernel": 5, "small": 3, **options})
    assert isinstance(mixer, ContMix)
    return mixer


@pytest.mark.parametrize("dim", [8, 16, 32])  # both kernels gather their values, the small one alone, neither
def test_each_half_is_mixed_by_its_own_kernels(dim: int) -> None:
    torch.manual_seed(0)
    mixer, x = build_mixer("contmix", dim, heads=2, kernel=5, small=3).double().eval(), tokens(2, 30, dim)
    y, full = mixer(x, grid=GRID, need="full")
    torch.testing.assert_close(mixer(x, grid=GRID), y)
    small, large = full.chunk(2, 1)  # four groups each
    halves = [part.unflatten(-1, (4, -1)).transpose(1, 2) for part in x.chunk(2, -1)]
    mixed = torch.cat([(maps @ half).transpose(1, 2).flatten(2) for maps, half in zip((small, large), halves, strict=True)], -1)
    wanted = mixer.dyconv_proj(mixed.unflatten(1, GRID).movedim(3, 1)).flatten(2).transpose(1, 2)
    torch.testing.assert_close(y, wanted)
    assert (small > 0).sum(-1).unique().tolist() == [9]
    assert (large > 0).sum(-1).unique().tolist() == [25]


def test_windows_are_shifted_inward_at_a_border() -> None:
    full = random()(tokens(1, 30, 8), grid=GRID, need="full")[1]
    corner = (full[0, 0, 0] > 0).nonzero().flatten().tolist()
    assert corner == [row * 6 + column for row in range(3) for column in range(3)]


def test_the_taps_are_softmaxes_of_the_affinity_to_the_overview() -> None:
    mixer, x = random(), tokens(1, 30, 8)
    picture = x.unflatten(1, GRID).movedim(3, 1)
    q = mixer.weight_query(picture).flatten(2).unflatten(1, (4, 1)).transpose(2, 3)
    k = mixer.weight_key(torch.nn.functional.adaptive_avg_pool2d(picture, 7)).flatten(2).unflatten(1, (4, 1)).transpose(2, 3)
    torch.testing.assert_close(mixer.taps(picture), mixer.weight_proj(q @ k.transpose(2, 3)))


def test_a_grid_smaller_than_the_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="take a smaller kernel"):
        random()(tokens(1, 12, 8), grid=(3, 4))


@pytest.mark.parametrize("options", [{"kernel": 4}, {"small": 7, "kernel": 5}, {"heads": 4}])
def test_what_cannot_be_built_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        build_mixer("contmix", 8, **{"heads": 2, **options})
