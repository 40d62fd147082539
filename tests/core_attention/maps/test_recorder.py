import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from core_attention import Segments, build_mixer
from core_attention.maps import record
from tests.core_attention.maps.models import Signed, Stack, loud, softmax, tokens


def test_recorded_maps_are_those_of_the_run() -> None:
    model, x = loud(Stack()), tokens(2, 5, 8)
    with record(model) as recording:
        y = model(x)
    torch.testing.assert_close(y, model(x))
    assert recording.names == ["blocks.0.attn", "blocks.1.attn", "blocks.2.attn"]
    for i, block in enumerate(model.blocks):
        wanted = block.attn(block.norm1(x), need="full")[1]
        torch.testing.assert_close(recording.map(f"blocks.{i}.attn"), wanted)
        torch.testing.assert_close(recording.map(f"blocks.{i}.attn", need="mean"), wanted.mean(1))
        torch.testing.assert_close(recording.map(f"blocks.{i}.attn", need="row"), wanted[:, :, 0])
        assert recording.map(f"blocks.{i}.attn", need="lse").shape == (2, 2, 5)
        x = block(x)


def test_the_run_itself_pays_for_no_map() -> None:
    model, x = Stack(depth=1), torch.zeros(1, 5, 8)
    asked = []
    model.blocks[0].attn.weights = lambda *_: asked.append(1)  # type: ignore[method-assign]
    with record(model):
        model(x)
    assert not asked


def test_masks_and_contexts_belong_to_the_inputs() -> None:
    x, context, mask = tokens(2, 5, 8), tokens(2, 3, 4, seed=1), torch.tensor([[True, True, False]] * 2)
    mixer = softmax(context_dim=4)
    with record(mixer) as recording:
        mixer(x, context, mask)
    assert (recording.map("")[..., 2] == 0).all()
    torch.testing.assert_close(recording.map(""), mixer(x, context, mask, need="full")[1])


def test_hooks_are_gone_afterwards_and_after_an_exception() -> None:
    model, x = Stack(), torch.zeros(1, 5, 8)
    with record(model) as recording:
        model(x)
    model(x)
    assert len(recording.calls) == 3
    with pytest.raises(KeyError), record(model):
        raise KeyError
    assert all(not module._forward_pre_hooks for module in model.modules())


def test_the_last_run_counts_and_asking_within_the_block_is_no_run() -> None:
    model, x = loud(Stack()), tokens(2, 5, 8)
    with record(model) as recording:
        model(tokens(2, 4, 8))
        model(x)
        before = list(recording.calls)
        recording.map("blocks.1.attn")
        assert recording.calls == before
    assert recording.map("blocks.2.attn").shape == (2, 2, 5, 5)
    mixer = softmax()
    with record(mixer) as recording:  # the model is the mixer
        mixer(x)
        assert recording.map("").shape == recording.map("").shape == (2, 2, 5, 5)


def test_shared_weights_are_as_many_calls_and_never_mixed() -> None:
    model, x = loud(Stack(shared=True)), tokens(2, 5, 8)
    with record(model) as recording:
        model(x)
    assert recording.names == ["blocks.0.attn"]
    with pytest.raises(ValueError, match=r"blocks.0.attn \(softmax\) was called 3 times; say which by index=0..2"):
        recording.map("blocks.0.attn")
    with pytest.raises(ValueError, match="no index=3"):
        recording.map("blocks.0.attn", index=3)
    first, last = recording.map("blocks.0.attn", index=0), recording.map("blocks.0.attn", index=2)
    torch.testing.assert_close(first, model.blocks[0].attn(model.blocks[0].norm1(x), need="full")[1])
    assert not torch.allclose(first, last)


def test_what_cannot_be_given_is_refused_by_name() -> None:
    model = nn.ModuleDict({"a": loud(Signed(8, 2))})
    with record(model) as recording:
        model["a"](tokens(1, 3, 8))
    with pytest.raises(ValueError, match=r"a \(signed\) cannot give need='row'; it gives full"):
        recording.map("a", need="row")
    with pytest.raises(ValueError, match="need='none'"):
        recording.map("a", need="none")
    with pytest.raises(ValueError, match="no mixer 'b' was called; there are a"):
        recording.map("b")
    with pytest.raises(ValueError, match="no mixer in Linear"), record(nn.Linear(2, 2)):
        pass
    mixer = softmax()
    with record(mixer) as recording:
        mixer(tokens(5, 8), segments=Segments.from_lengths([2, 3]))
    with pytest.raises(ValueError, match="softmax ran on segments"):
        recording.map("")


def test_inputs_overwritten_in_place_are_noticed() -> None:
    mixer, x = softmax(), tokens(1, 3, 8)
    with record(mixer) as recording:
        mixer(x)
    x.zero_()
    with pytest.raises(RuntimeError, match="softmax: its x was overwritten in place"):
        recording.map("")


def test_gradients_are_kept_only_where_asked_for() -> None:
    mixer, x = softmax(), tokens(1, 3, 8).requires_grad_()
    with record(mixer) as recording:
        mixer(x * 1)
    assert not recording.calls[0].inputs["x"].requires_grad
    assert not recording.map("").requires_grad
    with record(mixer, grad=True) as recording:
        mixer(x * 1)
    (grad,) = torch.autograd.grad(recording.map("").square().sum(), x)
    (wanted,) = torch.autograd.grad(mixer(x, need="full")[1].square().sum(), x)
    torch.testing.assert_close(grad, wanted)


def test_asking_leaves_the_mode_alone_and_knows_no_dropout() -> None:
    model = build_mixer("softmax", 8, 2, attn_drop=0.5, proj_drop=0.5).train()
    x = torch.randn(1, 3, 8)
    with record(model) as recording:
        model(x)
    state = torch.get_rng_state()
    full = recording.map("")
    assert model.training
    assert model.proj_drop.training
    assert torch.equal(state, torch.get_rng_state())
    torch.testing.assert_close(full, model.eval()(x, need="full")[1])


def test_a_checkpointed_backward_adds_no_calls() -> None:
    model, x = loud(Stack(depth=2)), tokens(1, 4, 8).requires_grad_()
    with record(model) as recording:
        y = x
        for block in model.blocks:
            y = checkpoint(block, y, use_reentrant=False)
        y.sum().backward()
    assert [call.name for call in recording.calls] == ["blocks.0.attn", "blocks.1.attn"]


def test_what_ran_under_autocast_is_asked_under_it() -> None:
    mixer, x = build_mixer("softmax", 8, 2), torch.randn(2, 5, 8)
    with torch.autocast("cpu", torch.bfloat16), record(mixer) as recording:
        mixer(x.bfloat16())
        wanted = mixer(x.bfloat16(), need="full")[1]
    torch.testing.assert_close(recording.calls[0].map(), wanted)
