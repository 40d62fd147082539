import pytest
import torch

from core_attention import build_mixer
from core_attention.maps import record, signed_maps
from tests.core_attention.maps.models import softmax, tokens


@pytest.mark.parametrize(("name", "options"), [("differential", {"depth": 1}), ("grouped_differential", {"depth": 1, "ratio": 2})])
@pytest.mark.parametrize("causal", [False, True])
def test_the_two_maps_are_those_whose_difference_weighs_the_values(name: str, options: dict[str, int], causal: bool) -> None:
    torch.manual_seed(0)
    mixer = build_mixer(name, 16, 4 if "ratio" in options else 2, causal=causal, **options).double().eval()
    with record(mixer) as recording:
        mixer(tokens(2, 5, 16))
    maps = signed_maps(recording.calls[0])
    torch.testing.assert_close(maps.difference, recording.calls[0].map("full"))
    torch.testing.assert_close(maps.first.sum(-1), torch.ones_like(maps.first[..., 0]))
    torch.testing.assert_close(maps.second.sum(-1), torch.ones_like(maps.second[..., 0]))
    found = maps.statistics()
    assert found["lambda"] == pytest.approx(float(mixer.share().mean().detach()))  # type: ignore[operator]
    assert found["negative"] == pytest.approx(float((maps.difference < 0).double().mean()))
    assert 0 < float(found["entropy_first"]) < torch.log(torch.tensor(5.0))


def test_one_map_is_no_difference() -> None:
    mixer = softmax()
    with record(mixer) as recording:
        mixer(tokens(2, 4, 8))
    with pytest.raises(ValueError, match="has one map, not two"):
        signed_maps(recording.calls[0])
