import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers import Hierarchical
from kernels import use_backend
from tests.core_attention.properties.cases import Case, Variant, tokens

GRID = (4, 5)


def random(**options: object) -> Hierarchical:
    mixer = Case("hierarchical", "ns", Variant(grid=GRID)).build(**options)
    assert isinstance(mixer, Hierarchical)
    return mixer


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("block", [1, 5, 8])
def test_regions_of_one_cell_or_one_region_are_softmax(block: int, backend: str) -> None:
    mixer, plain, x = random(block=block), build_mixer("softmax", 8, 2).double(), tokens(2, 20, 8)
    plain.load_state_dict(mixer.state_dict())
    with use_backend(backend):
        for got, wanted in zip(mixer(x, grid=GRID, need="full"), plain(x, need="full"), strict=True):
            torch.testing.assert_close(got, wanted)


def regions(block: int) -> torch.Tensor:
    return torch.tensor([i // 5 // block * 5 + i % 5 // block for i in range(20)])


def test_pairs_of_two_regions_share_one_weight_and_rows_give_their_own_the_same() -> None:
    full = random(block=2)(tokens(1, 20, 8), grid=GRID, need="full")[1][0]
    region = regions(2)
    for first in region.unique():
        rows = full[:, region == first]
        for second in region.unique():
            block = rows[:, :, region == second]
            if first == second:
                torch.testing.assert_close(block.sum(-1), block.sum(-1)[:, :1].expand(-1, block.shape[1]))
            else:
                torch.testing.assert_close(block, block[:, :1, :1].expand_as(block))


def test_no_tied_map_is_nearer_to_softmax() -> None:
    mixer, plain, x = random(block=2), build_mixer("softmax", 8, 2).double(), tokens(1, 20, 8)
    plain.load_state_dict(mixer.state_dict())
    tied, free = mixer(x, grid=GRID, need="full")[1][0], plain(x, need="full")[1][0]
    region = regions(2)
    names = region.unique()

    def distance(map_: torch.Tensor) -> torch.Tensor:
        return (map_ * (map_.log() - free.log())).sum()

    best = distance(tied)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):  # other masses between regions, other shares within
        factors = (1 + 0.02 * torch.randn(2, len(names), len(names), generator=generator, dtype=torch.float64)).abs()
        where = torch.searchsorted(names, region)
        other = tied * factors[:, where[:, None], where]
        within = (1 + 0.02 * torch.randn(tied.shape, generator=generator, dtype=torch.float64)).abs()
        same = region[:, None] == region
        own = torch.where(same, other * within, 0.0)
        own = own * (torch.where(same, other, 0.0).sum(-1, keepdim=True) / own.sum(-1, keepdim=True))
        other = torch.where(same, own, other)
        other = other / other.sum(-1, keepdim=True)
        assert distance(other) > best


def test_a_region_without_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="block"):
        build_mixer("hierarchical", 8, 2, block=0)
