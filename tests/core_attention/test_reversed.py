import pytest
import torch

from core_attention import build_mixer
from core_attention.blocks.init import initialise
from core_attention.mixers import Reversed
from kernels import use_backend
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(**options: object) -> Reversed:
    mixer = Case("reversed", "ns", Variant()).build(**options)
    assert isinstance(mixer, Reversed)
    return mixer


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("gate", [False, True])
def test_a_token_gets_what_others_send_in_the_shares_of_their_rows(backend: str, gate: bool) -> None:
    mixer, x = random(message_gate=gate), tokens(2, 5, 8)
    with use_backend(backend):
        y, full = mixer(x, need="full")
    sent = mixer.project(x)[2]
    torch.testing.assert_close(y, mixer.finish(full.transpose(2, 3) @ sent))


def test_at_first_heads_send_alike_and_gates_are_nearly_open() -> None:
    mixer, plain = build_mixer("reversed", 8, 2, message_gate=True).double(), build_mixer("softmax", 8, 2).double()
    initialise(mixer)
    plain.load_state_dict({name: value for name, value in mixer.state_dict().items() if name in plain.state_dict()})
    x = tokens(2, 5, 8)
    sent, values = mixer.project(x)[2], plain.project(x)[2]  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(sent, values * torch.tensor(2.0).sigmoid().double())


def test_a_hidden_token_neither_sends_nor_is_sent_to() -> None:
    mixer, x = random(), tokens(2, 5, 8)
    valid = torch.tensor([[True, True, False, True, True]] * 2)
    y = mixer(x, mask=valid)
    torch.testing.assert_close(y[:, valid[0]], mixer(x[:, valid[0]]))
    torch.testing.assert_close(y[:, 2], mixer.proj.bias.expand(2, -1))


def test_a_closed_gate_keeps_a_token_silent() -> None:
    mixer, x = random(message_gate=True), tokens(1, 4, 8)
    assert mixer.gate is not None
    with torch.no_grad():
        assert mixer.gate.bias is not None
        mixer.gate.bias.fill_(-100.0)
    torch.testing.assert_close(mixer(x), mixer.proj.bias.expand(1, 4, -1))
