import pytest
import torch

from core_attention.mixers import Care, Linear
from kernels import use_backend
from tests.core_attention.properties.cases import Case, Variant, tokens


@pytest.mark.parametrize("pattern", ["ns", "cs", "nc", "cc"])
@pytest.mark.parametrize("hidden", [False, True])
def test_it_equals_the_map_that_it_never_forms(pattern: str, hidden: bool) -> None:
    case = Case("linear", pattern, Variant())
    mixer, inputs = case.build(), case.inputs()
    assert isinstance(mixer, Linear)
    m = inputs.get("context", inputs["x"]).shape[1]
    mask = torch.arange(m).expand(2, m) != 1 if hidden else None
    with use_backend("reference"):
        y, full = mixer(**inputs, mask=mask, need="full")
    if hidden:
        part = "context" if case.cross else "x"
        inputs[part] = torch.where(mask[..., None], inputs[part], 0.0)  # pyright: ignore[reportOptionalSubscript]
    values = mixer.project(inputs["x"], inputs.get("context"))[2]
    torch.testing.assert_close(mixer.finish(full @ values), y)


def test_a_map_is_the_kernel_of_elu_plus_one() -> None:
    mixer, x = Case("linear", "ns", Variant()).build(), tokens(1, 4, 8)
    assert isinstance(mixer, Linear)
    q, k, _ = mixer.project(x)
    raw = (torch.nn.functional.elu(q) + 1) @ (torch.nn.functional.elu(k) + 1).transpose(2, 3)
    torch.testing.assert_close(mixer(x, need="full")[1], raw / raw.sum(-1, keepdim=True))


def test_memory_of_care_reaches_the_answer_only_through_the_second_network() -> None:
    mixer = Case("care", "ns", Variant(grid=(3, 4))).build()
    assert isinstance(mixer, Care)
    with torch.no_grad():  # the second network falls silent: what is left are its shortcut's channels
        mixer.across.reduce.weight.zero_()
        mixer.across.reduce.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]
        mixer.gamma.fill_(1.0)
    x = tokens(1, 12, 8)
    torch.testing.assert_close(mixer(x, grid=(3, 4))[..., :2], x[..., :2])


def test_care_begins_as_nearly_nothing() -> None:
    mixer = Care(8, 2).double().eval()
    assert mixer(tokens(1, 12, 8), grid=(3, 4)).abs().max() < 1e-4


@pytest.mark.parametrize("options", [{"attention": "none"}, {"conv": (4, 7)}, {"heads": 3}])
def test_care_refuses_what_it_cannot_build(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Care(**{"dim": 8, "heads": 2, **options})
