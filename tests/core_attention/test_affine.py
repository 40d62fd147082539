import pytest
import torch

from core_attention import build_mixer
from core_attention.blocks.init import initialise
from core_attention.mixers import Affine
from kernels import use_backend
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(**options: object) -> Affine:
    mixer = Case("affine", "ns", Variant()).build(**options)
    assert isinstance(mixer, Affine)
    return mixer


def test_it_begins_as_softmax_wherever_it_stands() -> None:
    mixer, plain = build_mixer("affine", 8, 2).double(), build_mixer("softmax", 8, 2).double()
    initialise(mixer)
    plain.load_state_dict({name: value for name, value in mixer.state_dict().items() if name in plain.state_dict()})
    x = tokens(2, 5, 8)
    for need in ("full", "lse"):
        for got, wanted in zip(mixer(x, need=need), plain(x, need=need), strict=True):
            torch.testing.assert_close(got, wanted)


def test_the_map_is_alpha_times_softmax_plus_beta() -> None:
    mixer, plain = random(), build_mixer("softmax", 8, 2).double()
    plain.load_state_dict({name: value for name, value in mixer.state_dict().items() if name in plain.state_dict()})
    x = tokens(2, 5, 8)
    assert mixer.beta is not None
    alpha = 2 * (x @ mixer.alpha.weight.T + mixer.alpha.bias).sigmoid().transpose(1, 2)[..., None]
    beta = (x @ mixer.beta.weight.T).tanh().transpose(1, 2)[..., None] / 5
    torch.testing.assert_close(mixer(x, need="full")[1], alpha * plain(x, need="full")[1] + beta)


@pytest.mark.parametrize("causal", [False, True])
def test_tied_rows_sum_to_one_under_any_mask(causal: bool) -> None:
    x, mixer = tokens(2, 5, 8), random(tie=True, causal=causal)
    seen = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0)) < 0.6
    blind = ~(seen.tril() if causal else seen).any(-1)
    sums = mixer(x, mask=seen, need="full")[1].sum(-1)
    torch.testing.assert_close(sums, (~blind).double()[:, None].expand(2, 2, 5))
    torch.testing.assert_close(mixer(x, need="full")[1].sum(-1), torch.ones(2, 2, 5, dtype=torch.float64))


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", ["none", "key", "pair", "bias"])
def test_the_answer_without_a_map_is_the_map_times_the_values(causal: bool, kind: str, backend: str) -> None:
    mixer, x = random(causal=causal), tokens(2, 5, 8)
    seen = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0)) < 0.6
    mask = {"none": None, "key": seen[:, 0], "pair": seen, "bias": tokens(2, 2, 5, 5).masked_fill(~seen[:, None], -torch.inf)}[kind]
    if kind == "key":
        x = torch.where(seen[:, 0, :, None], x, 0.0)
    with use_backend(backend):
        y, full = mixer(x, mask=mask, need="full")
    torch.testing.assert_close(mixer.finish(full @ mixer.project(x)[2]), y)


def test_a_tied_mixer_has_no_beta() -> None:
    assert {"alpha.weight", "alpha.bias"} == {
        name for name in dict(random(tie=True).named_parameters()) if name.startswith(("alpha", "beta"))
    }
