import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers import Ulsam
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(**options: object) -> Ulsam:
    mixer = Case("ulsam", "ns", Variant(heads=1, grid=(3, 5))).build(**{"groups": 2, **options})
    assert isinstance(mixer, Ulsam)
    return mixer


@pytest.mark.parametrize(("gain", "factor"), [("none", 1), ("hw", 15)])
def test_each_group_is_modulated_by_its_own_map(gain: str, factor: int) -> None:
    mixer, x = random(gain=gain), tokens(2, 15, 8)
    y, maps = mixer(x, grid=(3, 5), need="row")
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 2, dtype=torch.float64))
    wanted = [part * (1 + factor * maps[:, i, :, None]) for i, part in enumerate(x.chunk(2, -1))]
    torch.testing.assert_close(y, torch.cat(wanted, -1))


def test_one_group_never_looks_at_the_channels_of_another() -> None:
    mixer, x = random(), tokens(1, 15, 8)
    other = torch.cat([x[..., :4], tokens(1, 15, 4, seed=4)], -1)
    assert torch.equal(mixer(x, grid=(3, 5))[..., :4], mixer(other, grid=(3, 5))[..., :4])


@pytest.mark.parametrize("options", [{"heads": 2}, {"groups": 3}, {"gain": "all"}])
def test_what_cannot_be_built_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        build_mixer("ulsam", 8, **{"heads": 1, **options})
