from math import exp, log

import pytest
import torch

from core_attention import build_mixer
from core_attention.blocks.init import initialise
from core_attention.mixers.selective import BETA, Selective
from tests.core_attention.properties.cases import Case, Variant, tokens

C = exp(-exp(BETA))


def pair_at_init(**options: object) -> tuple[Selective, torch.nn.Module]:
    """(selective as it begins, softmax with the same weights)."""
    mixer, plain = build_mixer("selective", 8, 2, **options).double(), build_mixer("softmax", 8, 2, **options).double()
    initialise(mixer)
    plain.load_state_dict({name: value for name, value in mixer.state_dict().items() if name in plain.state_dict()})
    assert isinstance(mixer, Selective)
    return mixer, plain


def log_softmax_map(mixer: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    return mixer(x, need="full")[1].log()


@pytest.mark.parametrize("causal", [False, True])
def test_without_its_position_part_it_begins_as_softmax_wherever_it_stands(causal: bool) -> None:
    mixer, plain = pair_at_init(causal=causal)
    torch.nn.init.constant_(mixer.beta, 10.0)  # c = exp(-exp(10)) = 0
    x = tokens(2, 5, 8)
    for need in ("full", "lse"):
        for got, wanted in zip(mixer(x, need=need), plain(x, need=need), strict=True):
            torch.testing.assert_close(got, wanted)


def test_it_begins_as_softmax_whose_logits_grow_with_the_logarithm_of_the_visible_keys() -> None:
    x = tokens(2, 5, 8)
    mixer, plain = pair_at_init()
    wanted = ((1 + C * log(5)) * log_softmax_map(plain, x)).softmax(-1)
    torch.testing.assert_close(mixer(x, need="full")[1], wanted)
    mixer, plain = pair_at_init(causal=True)
    factor = 1 + C * torch.arange(1.0, 6.0, dtype=torch.float64).log()[:, None]  # query i sees i + 1 keys
    wanted = (factor * log_softmax_map(plain, x)).softmax(-1)
    torch.testing.assert_close(mixer(x, need="full")[1], wanted)


def test_temperatures_are_the_stated_functions_of_the_tokens() -> None:
    mixer = Case("selective", "ns", Variant()).build()
    assert isinstance(mixer, Selective)
    x = tokens(2, 5, 8)
    q, k, v = super(Selective, mixer).project(x)
    tq = mixer.q_temperature(x).tanh() + 1 + (-mixer.beta.exp()).exp() * torch.tensor(5.0, dtype=torch.float64).log()
    wanted = (tq * (q @ k.transpose(2, 3)) / 2).softmax(-1)
    torch.testing.assert_close(mixer(x, need="full")[1], wanted)
    tv = 1 + mixer.v_temperature(x).tanh()
    torch.testing.assert_close(mixer(x), mixer.finish(wanted @ (tv * v)))
    torch.testing.assert_close(mixer(x, need="lse")[1], (tq * (q @ k.transpose(2, 3)) / 2).logsumexp(-1))


def test_in_cross_attention_queries_warm_by_their_own_tokens_and_values_by_the_context() -> None:
    mixer = Case("selective", "nc", Variant()).build()
    x, context = tokens(2, 5, 8), tokens(2, 7, 6, seed=1)
    assert mixer.q_temperature.fc1.in_features == 8
    assert mixer.v_temperature.fc1.in_features == 6
    assert mixer(x, context).shape == x.shape
