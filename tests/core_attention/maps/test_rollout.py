from dataclasses import replace

import pytest
import torch
from torch import nn

from core_attention import Mixer, Segments
from core_attention.maps import record, rollout, shares
from tests.core_attention.maps.models import Signed, Stack, loud, softmax, tokens


def product(maps: list[torch.Tensor], residual: float) -> torch.Tensor:
    """The textbook form: whole matrices, multiplied."""
    whole = torch.eye(maps[0].shape[-1], dtype=maps[0].dtype)
    for a in maps:
        whole = (residual * torch.eye(a.shape[-1], dtype=a.dtype) + (1 - residual) * a.mean(1)) @ whole
    return whole


@pytest.mark.parametrize("residual", [0.5, 0.2, 0.0, 1.0])
def test_it_is_a_row_of_the_product_of_all_maps_and_stays_stochastic(residual: float) -> None:
    model, x = loud(Stack(depth=4)), tokens(2, 6, 8)
    with record(model) as recording:
        model(x)
        found = rollout(recording, row=2, residual=residual)
    wanted = product([recording.map(name) for name in recording.names], residual)
    torch.testing.assert_close(found.row, wanted[:, 2], rtol=0, atol=1e-15)
    torch.testing.assert_close(found.row.sum(-1), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-14)
    assert found.note == ""


def test_hidden_tokens_get_nothing() -> None:
    model, x, mask = loud(Stack()), tokens(2, 5, 8), torch.tensor([[True, True, True, False, True]] * 2)
    with record(model) as recording:
        model(x, mask)
    row = rollout(recording).row
    assert (row[:, 3] == 0).all()
    torch.testing.assert_close(row.sum(-1), torch.ones(2, dtype=torch.float64))


def test_shared_weights_are_as_many_layers() -> None:
    model, x = loud(Stack(depth=3, shared=True)), tokens(1, 5, 8)
    with record(model) as recording:
        model(x)
    wanted = product([call.map() for call in recording.calls], 0.5)
    torch.testing.assert_close(rollout(recording).row, wanted[:, 0])


def test_it_takes_mixers_with_their_inputs_too() -> None:
    a, b, x = softmax(), softmax(), tokens(2, 5, 8)
    wanted = product([a(x, need="full")[1], b(x.flip(1), need="full")[1]], 0.5)
    torch.testing.assert_close(rollout([(a, {"x": x}), (b, {"x": x.flip(1)})]).row, wanted[:, 0])


def test_signed_maps_are_made_shares_and_it_is_said() -> None:
    model, x = nn.Sequential(softmax(), loud(Signed(8, 2), seed=1)), tokens(2, 5, 8)
    with record(model) as recording:
        model(x)
    first, second = recording.map("0"), recording.map("1")
    assert (second < 0).any()
    found = rollout(recording)
    torch.testing.assert_close(found.row, product([first, second.abs() / second.abs().sum(-1, keepdim=True)], 0.5)[:, 0])
    torch.testing.assert_close(found.row.sum(-1), torch.ones(2, dtype=torch.float64))
    assert found.note == "|A| with rows made to sum to one: 1 (signed)"


def test_a_mixer_that_pulls_without_a_map_is_asked_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    mixer, x = softmax(), tokens(1, 4, 8)
    wanted = rollout([(mixer, {"x": x})]).row
    full = mixer(x, need="full")[1]
    monkeypatch.setattr(type(mixer), "pull", lambda self, r, *_: torch.einsum("bn,bhnm->bm", r, full) / full.shape[1])
    monkeypatch.setattr(Mixer, "forward", lambda *_, **__: pytest.fail("a map was asked for"))
    torch.testing.assert_close(rollout([(mixer, {"x": x})]).row, wanted)


def test_without_a_mean_map_the_full_one_will_do_and_without_that_a_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    mixer, x = softmax(), tokens(1, 4, 8)
    wanted = rollout([(mixer, {"x": x})]).row
    monkeypatch.setattr(type(mixer), "pull", Mixer.pull)
    monkeypatch.setattr(type(mixer), "spec", replace(mixer.spec, needs=frozenset({"none", "full"})))
    torch.testing.assert_close(rollout([(mixer, {"x": x})]).row, wanted)
    monkeypatch.setattr(type(mixer), "spec", replace(mixer.spec, needs=frozenset({"none"})))
    monkeypatch.setattr(type(mixer), "pull", lambda self, r, *_: 2 * wanted - r)
    torch.testing.assert_close(rollout([(mixer, {"x": x})]).row, wanted)
    monkeypatch.setattr(type(mixer), "pull", Mixer.pull)
    with pytest.raises(ValueError, match="softmax cannot give need='full'; it gives no maps"):
        rollout([(mixer, {"x": x})])


def test_what_is_no_way_through_layers_is_refused_by_name() -> None:
    x = tokens(2, 5, 8)
    mixer, cross = softmax(), softmax(context_dim=4)
    for calls, message in [
        ([], "no mixer was called"),
        ([(cross, {"x": x, "context": tokens(2, 3, 4)})], "softmax: a rollout goes through layers of self attention"),
        ([(mixer, {"x": x[:, :4]}), (mixer, {"x": x})], "2 samples of 4 tokens, the last layer 2 samples of 5 tokens"),
        ([(mixer, {"x": x[0], "segments": Segments.from_lengths([2, 3])})], "ran on segments"),
    ]:
        with pytest.raises(ValueError, match=message):
            rollout(calls)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no row 5 of 5 tokens"):
        rollout([(mixer, {"x": x})], row=5)
    with pytest.raises(ValueError, match=r"0..1, not 1.5"):
        rollout([(mixer, {"x": x})], residual=1.5)


def test_shares_keep_zeros_and_sum_to_one() -> None:
    given = torch.tensor([[0.5, -1.5, 0.0], [0.0, 0.0, 0.0]])
    assert shares(given).tolist() == [[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]]
