import copy
import threading

import pytest
import torch
from torch import Tensor, nn

from core_attention import Mixer, Segments, build_mixer
from core_attention.blocks.init import initialise
from kernels import use_backend

D, C, H = 8, 6, 2
PATTERNS = {"ns": {}, "cs": {"causal": True}, "nc": {"context_dim": C}, "cc": {"causal": True, "context_dim": C}}


def build(pattern: str = "ns", **options: object) -> Mixer:
    mixer = build_mixer("softmax", D, H, **PATTERNS[pattern], **options)
    initialise(mixer, torch.Generator().manual_seed(0))
    for parameter in mixer.parameters():
        parameter.data.mul_(20).add_(0.1)
    return mixer.double()


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def call(mixer: Mixer, pattern: str, x: Tensor, context: Tensor, **rest: object) -> Tensor:
    return mixer(x, **({"context": context} if pattern.endswith("c") else {}), **rest)


def test_it_equals_torchs_own_multihead_attention() -> None:
    mixer, other = build(), nn.MultiheadAttention(D, H, batch_first=True).double()
    other.load_state_dict(
        {
            "in_proj_weight": mixer.qkv.weight,
            "in_proj_bias": mixer.qkv.bias,
            "out_proj.weight": mixer.proj.weight,
            "out_proj.bias": mixer.proj.bias,
        }
    )
    x = tokens(3, 5, D)
    wanted, maps = other(x, x, x, average_attn_weights=False)
    y, full = mixer(x, need="full")
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(full, maps)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 4)])
def test_gradients_are_right_in_float64(pattern: str, n: int, m: int) -> None:
    mixer = build(pattern)
    inputs = [tokens(2, n, D).requires_grad_(), tokens(2, m, C).requires_grad_(), *mixer.parameters()]
    context = inputs[1] if pattern.endswith("c") else None
    leaves = [leaf for leaf in inputs if leaf is not inputs[1] or context is not None]
    assert torch.autograd.gradcheck(lambda *_: mixer(inputs[0], context=context), leaves)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_maps_are_parts_of_one_another(pattern: str) -> None:
    mixer, x, context = build(pattern), tokens(2, 5, D), tokens(2, 7, C)
    y = call(mixer, pattern, x, context)
    answers = {need: call(mixer, pattern, x, context, need=need) for need in ("row", "mean", "full", "lse")}
    full = answers["full"][1]
    torch.testing.assert_close(full.sum(-1), torch.ones_like(full[..., 0]))
    torch.testing.assert_close(answers["mean"][1], full.mean(1))
    torch.testing.assert_close(answers["row"][1], full[:, :, 0])
    assert answers["lse"][1].shape == (2, H, 5)
    for other, _ in answers.values():
        torch.testing.assert_close(other, y)


@pytest.mark.parametrize("pattern", ["ns", "nc"])
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_nan_in_hidden_tokens_changes_no_output_and_no_gradient(pattern: str, backend: str) -> None:
    valid = torch.tensor([[True] * 4 + [False] * 2, [True, False] * 3])
    results: list[list[Tensor]] = []
    for poison in (0.0, torch.nan, torch.inf):
        mixer = build(pattern)
        x, context = tokens(2, 6, D), tokens(2, 6, C)
        for leaf in (x, context):
            leaf[~valid] = poison
            leaf.requires_grad_()
        if pattern == "nc":
            x = tokens(2, 6, D).requires_grad_()
        with use_backend(backend):
            y = call(mixer, pattern, x, context, mask=valid)
        leaves = [x, *([context] if pattern == "nc" else []), *mixer.parameters()]
        results.append([y, *torch.autograd.grad(y.square().sum(), leaves)])
    for clean, nan, inf in zip(*results, strict=True):
        assert torch.equal(clean, nan)
        assert torch.equal(clean, inf)


def test_hiding_keys_equals_removing_them() -> None:
    mixer, x, context = build("nc"), tokens(2, 5, D), tokens(2, 7, C)
    valid = torch.arange(7).expand(2, 7) < 4
    torch.testing.assert_close(mixer(x, context=context, mask=valid), mixer(x, context=context[:, :4]))
    pair = valid[:, None].expand(2, 5, 7)
    torch.testing.assert_close(mixer(x, context=context, mask=pair), mixer(x, context=context[:, :4]))
    bias = torch.zeros(2, 1, 5, 7, dtype=torch.float64).masked_fill(~valid[:, None, None], -torch.inf)
    torch.testing.assert_close(mixer(x, context=context, mask=bias), mixer(x, context=context[:, :4]))


def test_permuting_tokens_permutes_the_answer() -> None:
    mixer, x, order = build(), tokens(2, 6, D), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(mixer(x[:, order]), mixer(x)[:, order])


def test_a_causal_mixer_never_looks_ahead_but_sees_all_of_a_finished_source() -> None:
    x, context = tokens(2, 6, D), tokens(2, 4, C)
    changed = torch.cat([x[:, :3], tokens(2, 3, D, seed=9)], 1)
    for pattern in ("cs", "cc"):
        mixer = build(pattern)
        torch.testing.assert_close(
            call(mixer, pattern, changed, context)[:, :3], call(mixer, pattern, x, context)[:, :3], rtol=0, atol=1e-12
        )
    context.requires_grad_()
    (grad,) = torch.autograd.grad(build("cc")(x, context=context)[:, 0].sum(), context)
    assert (grad.abs().amax(-1) > 0).all()


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("lengths", [[3, 0, 1, 4], [5], [1, 1]])
def test_ragged_equals_each_segment_alone(pattern: str, lengths: list[int]) -> None:
    mixer, own = build(pattern), Segments.from_lengths(lengths)
    other = Segments.from_lengths([2 * n for n in lengths])
    x, context = tokens(sum(lengths), D), tokens(2 * sum(lengths), C)
    y = call(mixer, pattern, x, context, segments=(own, other) if pattern.endswith("c") else own)
    parts = zip(x.split(lengths), context.split([2 * n for n in lengths]), strict=True)
    alone = [call(mixer, pattern, part[None], source[None])[0] for part, source in parts if len(part)]
    torch.testing.assert_close(y, torch.cat(alone))


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_trace_with_segments_is_right_for_other_segments(backend: str) -> None:
    class Program(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mixer = build()

        def forward(self, x: Tensor, offsets: Tensor) -> Tensor:
            return self.mixer(x, segments=Segments.from_offsets(offsets))

    program = Program()
    with use_backend(backend):
        traced = torch.jit.trace(program, (tokens(5, D), torch.tensor([0, 2, 5])), check_trace=False)
    for lengths in ([1], [4, 0, 9], [1, 1, 1, 6]):
        offsets = Segments.from_lengths(lengths).offsets
        torch.testing.assert_close(traced(tokens(sum(lengths), D), offsets), program(tokens(sum(lengths), D), offsets))


def test_attention_dropout_acts_in_training_only_and_leaves_the_maps_alone() -> None:
    mixer, x = build(attn_drop=0.5), tokens(2, 5, D)
    plain = build()
    torch.manual_seed(0)
    y, full = mixer.train()(x, need="full")
    assert not torch.allclose(y, plain(x))
    torch.testing.assert_close(full, plain(x, need="full")[1])
    torch.testing.assert_close(mixer.eval()(x), plain(x))


def test_compiled_and_exported_equal_eager() -> None:
    mixer, length = build(), torch.export.Dim("length", min=2, max=64)
    compiled = torch.compile(mixer, fullgraph=True, backend="aot_eager")
    exported = torch.export.export(mixer, (tokens(2, 5, D),), dynamic_shapes={"x": {1: length}}).module()
    for n in (5, 9):
        torch.testing.assert_close(compiled(tokens(2, n, D)), mixer(tokens(2, n, D)))
        torch.testing.assert_close(exported(tokens(2, n, D)), mixer(tokens(2, n, D)))


def test_bf16_autocast_stays_near_float32() -> None:
    mixer, x = build().float(), tokens(2, 16, D).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, full = mixer(x, need="full")
    wanted = mixer(x)
    assert full.dtype == torch.float32
    assert (y.float() - wanted).square().mean().sqrt() < 3e-2 * wanted.square().mean().sqrt()


def test_two_models_in_two_threads_give_what_one_gives() -> None:
    mixers, x = [build(), copy.deepcopy(build())], tokens(2, 16, D)
    wanted, got = build()(x), [[], []]

    def work(i: int) -> None:
        with use_backend(("reference", "torch")[i]):
            got[i].extend(mixers[i](x) for _ in range(20))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got[0]) == len(got[1]) == 20
    for y in (*got[0], *got[1]):
        torch.testing.assert_close(y, wanted)
