import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers import InfSA, InfSALinear
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(name: str, pattern: str = "ns") -> InfSA | InfSALinear:
    mixer = Case(name, pattern, Variant()).build()
    assert isinstance(mixer, (InfSA, InfSALinear))
    return mixer


def test_the_powers_of_a_map_add_up() -> None:
    full = random("infsa")(tokens(2, 6, 8), need="full")[1]
    assert (torch.linalg.eigvals(full).abs().amax(-1) < 1).all()
    powers = sum(torch.linalg.matrix_power(full, k) for k in range(200))
    torch.testing.assert_close(powers, torch.linalg.inv(torch.eye(6, dtype=torch.float64) - full))


def test_the_map_has_the_length_rho() -> None:
    mixer = random("infsa")
    full = mixer(tokens(2, 6, 8), need="full")[1]
    torch.testing.assert_close(full.square().sum((2, 3)).sqrt(), mixer.rho_logit.sigmoid().expand(2, 2), atol=1e-4, rtol=0)
    assert (full >= 0).all()


@pytest.mark.parametrize("name", ["infsa", "infsa_linear"])
def test_rho_begins_at_095_and_learns(name: str) -> None:
    mixer = build_mixer(name, 8, 2).double()
    torch.testing.assert_close(mixer.rho_logit.sigmoid(), torch.tensor(0.95, dtype=torch.float64), atol=1e-6, rtol=0)  # pyright: ignore
    mixer(tokens(1, 4, 8)).sum().backward()
    assert mixer.rho_logit.grad is not None  # pyright: ignore


def test_the_linear_form_gives_every_token_the_same_answer() -> None:
    mixer, x = random("infsa_linear"), tokens(2, 5, 8)
    y, row = mixer(x, need="row")
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert torch.equal(mixer(x, need="full")[1][:, :, 3], row)
    torch.testing.assert_close(row.sum(-1), mixer.rho_logit.sigmoid().expand(2, 2), atol=1e-4, rtol=0)


def test_the_linear_form_asks_with_the_mean_query_weighed_by_length() -> None:
    mixer, x = random("infsa_linear"), tokens(1, 5, 8)
    q, k, _ = mixer.project(x)
    length = q.norm(dim=-1, keepdim=True)
    mean = (length * q).sum(2, keepdim=True) / length.sum(2, keepdim=True)
    raw = (mean @ k.transpose(2, 3)).relu()
    wanted = mixer.rho_logit.sigmoid() * raw / raw.sum(-1, keepdim=True).clamp(min=1e-6)
    torch.testing.assert_close(mixer(x, need="row")[1], wanted[:, :, 0], atol=1e-5, rtol=1e-4)
