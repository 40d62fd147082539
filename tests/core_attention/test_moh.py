import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers import MoH
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(**options: object) -> MoH:
    mixer = Case("moh", "ns", Variant(heads=4)).build(**options)
    assert isinstance(mixer, MoH)
    return mixer


@pytest.mark.parametrize("shared", [0, 1, 2])
def test_all_heads_asked_alike_are_softmax(shared: int) -> None:
    mixer, plain = random(shared=shared, keep=1.0), build_mixer("softmax", 8, 4).double()
    for router in (mixer.wg, mixer.w1, mixer.w0):
        if router is not None:
            torch.nn.init.zeros_(router.weight)
    plain.load_state_dict({name: value for name, value in mixer.state_dict().items() if name in plain.state_dict()})
    x = tokens(2, 5, 8)
    for got, wanted in zip(mixer(x, need="full"), plain(x, need="full"), strict=True):
        torch.testing.assert_close(got, wanted)


def test_each_token_asks_its_own_heads_and_the_shared_ones_always() -> None:
    mixer, x = random(shared=1, keep=0.5), tokens(3, 7, 8)
    gates = mixer.gates(x)
    assert (gates[..., 0] > 0).all()
    assert ((gates[..., 1:] > 0).sum(-1) == 2).all()  # of three, rounded up
    assert len({tuple(row) for row in (gates[..., 1:] > 0).flatten(0, 1).tolist()}) > 1


def test_the_gates_are_the_papers() -> None:
    mixer, x = random(shared=2, keep=1.0), tokens(1, 3, 8)
    assert mixer.w1 is not None
    assert mixer.w0 is not None
    balance = 2 * (x @ mixer.w0.weight.T).softmax(-1)
    shared = 2 * (x @ mixer.w1.weight.T).softmax(-1)
    routed = 2 * (x @ mixer.wg.weight.T).softmax(-1)  # both of two are kept
    torch.testing.assert_close(mixer.gates(x), torch.cat([balance[..., :1] * shared, balance[..., 1:] * routed], -1))


def test_the_balance_loss_is_least_where_all_heads_are_asked_alike() -> None:
    mixer, x = random(shared=0, keep=0.5), tokens(8, 16, 8)
    crowded = mixer(x, need="aux")[1]
    assert crowded.shape == ()
    r, chosen = mixer.route(x)
    torch.testing.assert_close(crowded, 16 * (r.mean((0, 1)) * chosen.double().mean((0, 1))).mean())
    torch.nn.init.zeros_(mixer.wg.weight)  # of equals the first two are chosen by all
    torch.testing.assert_close(mixer(x, need="aux")[1], torch.tensor(2.0, dtype=torch.float64))


def test_hidden_tokens_do_not_weigh_in_the_balance() -> None:
    mixer, x = random(), tokens(2, 6, 8)
    valid = torch.arange(6).expand(2, -1) < 4
    torch.testing.assert_close(mixer(x, mask=valid, need="aux")[1], mixer(x[:, :4], need="aux")[1])


def test_the_loss_of_one_call_knows_nothing_of_the_one_before() -> None:
    mixer, x = random(), tokens(2, 6, 8)
    first = mixer(x, need="aux")[1]
    for _ in range(3):
        mixer(tokens(2, 4, 8, seed=5), need="aux")
    assert torch.equal(mixer(x, need="aux")[1], first)


@pytest.mark.parametrize("options", [{"shared": 4}, {"shared": -1}, {"keep": 0.0}, {"keep": 1.5}])
def test_what_leaves_nothing_to_route_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        build_mixer("moh", 8, 4, **options)
