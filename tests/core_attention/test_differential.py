from math import exp

import pytest
import torch
from torch import Tensor

from core_attention import Mixer, build_mixer
from core_attention.functional import attend
from core_attention.mixers.signed import Signed
from kernels import use_backend
from tests.core_attention.properties.cases import CONTEXT, tokens


def build(name: str = "differential", dim: int = 16, heads: int = 2, **options: object) -> Signed:
    torch.manual_seed(0)
    mixer = build_mixer(name, dim, heads, **{"depth": 2, **options}).double().eval()
    assert isinstance(mixer, Signed)
    return mixer


def set_share(mixer: Signed, lam: float) -> None:
    """lam = exp(0) - exp(0) + lambda_init."""
    for name in ("lambda_q1", "lambda_q2"):
        getattr(mixer, name).data.zero_()
    mixer.lambda_init = lam


def test_the_names_are_timms() -> None:
    names = {name for name, _ in build(qk_norm=True, qkv_bias=True).named_parameters()}
    lambdas = {"lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"}
    assert names == lambdas | {"qkv.weight", "qkv.bias", "proj.weight", "sub_norm.weight", "q_norm.weight", "k_norm.weight"}


def test_it_is_the_papers_formula() -> None:
    mixer, x = build(qkv_bias=True), tokens(3, 5, 16)
    q, k, v = mixer.qkv(x).chunk(3, -1)
    lam = exp((mixer.lambda_q1 @ mixer.lambda_k1).item()) - exp((mixer.lambda_q2 @ mixer.lambda_k2).item()) + mixer.lambda_init
    heads = []
    for i in range(2):  # of width 8, the queries and keys in pairs of width 4
        maps = []
        for half in (2 * i, 2 * i + 1):
            part = slice(4 * half, 4 * half + 4)
            maps.append((q[..., part] @ k[..., part].mT / 2).softmax(-1))
        o = (maps[0] - lam * maps[1]) @ v[..., 8 * i : 8 * i + 8]
        heads.append((1 - mixer.lambda_init) * o * (o.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * mixer.sub_norm.weight)
    torch.testing.assert_close(mixer(x), torch.cat(heads, -1) @ mixer.proj.weight.T)


def test_the_share_begins_at_one_fifth_and_grows_with_depth_towards_four_fifths() -> None:
    starts = [build(depth=depth).lambda_init for depth in (0, 1, 5, 40)]
    assert starts[0] == pytest.approx(0.2)
    assert starts == sorted(starts)
    assert starts[-1] == pytest.approx(0.8, abs=1e-4)
    assert build(lambda_per_head=True).share().shape == (2,)
    assert build().share().shape == ()


@pytest.mark.parametrize("name", ["differential", "grouped_differential"])
def test_without_a_share_it_is_softmax_with_wide_values(name: str) -> None:
    mixer, x = build(name, **({"ratio": 2} if name != "differential" else {})), tokens(2, 5, 16)
    set_share(mixer, 0.0)
    q, k, v = mixer.project(x)
    o, _ = attend(mixer.split(q)[0], mixer.split(k)[0], v)
    torch.testing.assert_close(mixer(x), mixer.finish(o))


def test_of_equal_halves_one_minus_the_share_is_left() -> None:
    mixer, x = build(), tokens(2, 5, 16)
    rows = mixer.qkv.weight.data.view(3, 2, 2, 4, 16)  # query, key, value; head; half
    rows[:2, :, 1] = rows[:2, :, 0]
    set_share(mixer, 0.3)
    q, k, _ = mixer.project(x)
    wanted = 0.7 * (mixer.split(q)[0] @ mixer.split(k)[0].mT / 2).softmax(-1)
    torch.testing.assert_close(mixer(x, need="full")[1], wanted)


@pytest.mark.parametrize("per_head", [False, True])
def test_rows_of_a_map_sum_to_what_the_share_leaves(per_head: bool) -> None:
    mixer = build("grouped_differential", 16, 4, ratio=2, lambda_per_head=per_head)
    full = mixer(tokens(2, 5, 16), need="full")[1]
    torch.testing.assert_close(full.sum(-1), (1 - mixer.share()).expand(4)[:, None].expand(2, 4, 5))
    assert (full < 0).any()


@pytest.mark.parametrize("name", ["differential", "grouped_differential"])
def test_the_answer_is_the_normed_map_times_the_values(name: str) -> None:
    mixer, x = build(name, 16, 2, **({"ratio": 1} if name != "differential" else {})), tokens(2, 5, 16)
    y, full = mixer(x, need="full")
    torch.testing.assert_close(mixer.finish(full @ mixer.project(x)[2]), y)
    torch.testing.assert_close(mixer.attn_drop, 0.0)


def reordered(weight: Tensor, heads: int) -> Tensor:
    """Rows of queries or keys from pairs (head, half) to groups (half, head)."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(0, 1).flatten(0, 2)


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_groups_of_one_are_the_differential_mixer_bit_for_bit(context: bool, backend: str) -> None:
    options = {"lambda_per_head": True, "qkv_bias": True, "qk_norm": True, "context_dim": CONTEXT if context else None}
    pairs, groups = build(dim=24, heads=3, **options), build("grouped_differential", 24, 3, ratio=1, **options)
    state = pairs.state_dict()
    for name, parts in (("qkv", (24, 24, 24)), ("q", (24,)), ("kv", (24, 24))):
        for kind in ("weight", "bias"):
            if f"{name}.{kind}" in state:
                *front, last = state[f"{name}.{kind}"].split(parts)
                if name == "q":
                    front, last = [], reordered(last, 3)
                state[f"{name}.{kind}"] = torch.cat([*(reordered(part, 3) for part in front), last])
    groups.load_state_dict(state)
    x = tokens(2, 5, 24)
    other = {"context": tokens(2, 7, CONTEXT)} if context else {}
    with use_backend(backend):
        assert torch.equal(pairs(x, **other), groups(x, **other))
        assert torch.equal(pairs(x, **other, need="full")[1], groups(x, **other, need="full")[1])


def test_heads_of_a_group_subtract_the_same_map() -> None:
    mixer, x = build("grouped_differential", 36, 6, ratio=3), tokens(2, 5, 36)
    q, k, _ = mixer.project(x)
    signal = (mixer.split(q)[0] @ mixer.split(k)[0].mT * mixer.query_width**-0.5).softmax(-1)
    noise = signal - mixer(x, need="full")[1]
    for i, j in ((0, 1), (0, 2), (3, 4), (3, 5)):
        torch.testing.assert_close(noise[:, i], noise[:, j])
    assert not torch.allclose(noise[:, 2], noise[:, 3])


@pytest.mark.parametrize(("dim", "heads", "ratio", "width"), [(384, 6, 3, 48), (768, 8, 4, 72), (768, 6, 1, 64), (20, 2, 2, 6)])
def test_a_query_is_an_equal_share_of_the_width_or_a_multiple_of_eight_below(dim: int, heads: int, ratio: int, width: int) -> None:
    assert build("grouped_differential", dim, heads, ratio=ratio).query_width == width


def test_the_share_stays_in_float32_under_autocast() -> None:
    mixer = build().bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert mixer.share().dtype == torch.float32
        assert mixer.float().share().dtype == torch.float32


def test_attention_dropout_acts_in_training_only() -> None:
    mixer, x = build(attn_drop=0.5), tokens(2, 5, 16)
    assert not torch.allclose(mixer.train()(x), mixer.eval()(x))
    assert torch.equal(mixer(x), build()(x))


def test_refusals_name_the_argument() -> None:
    def refused(match: str, name: str = "differential", **options: object) -> None:
        with pytest.raises(ValueError, match=match):
            build_mixer(name, **{"dim": 8, "heads": 2, **options})

    refused("give depth .* or lambda_init, one of them")
    refused("give depth .* or lambda_init, one of them", depth=1, lambda_init=0.2)
    refused("grouped_differential: give depth", "grouped_differential", ratio=1)
    refused("dim=6 does not divide by 2 heads=2", dim=6, depth=1)
    refused("heads=2 do not divide by ratio=3", "grouped_differential", depth=1)
    refused("dim=2 is too narrow for 3 heads", "grouped_differential", dim=2, ratio=2, depth=1)
    mixer: Mixer = build()
    with pytest.raises(ValueError, match="differential cannot give need='lse'"):
        mixer(tokens(2, 5, 16), need="lse")


def test_a_share_that_is_not_learned_stays_at_its_beginning_and_has_no_vectors() -> None:
    mixer, x = build(learned=False), tokens(2, 5, 16)
    assert {name for name, _ in mixer.named_parameters()} == {"qkv.weight", "proj.weight", "sub_norm.weight"}
    assert float(mixer.share()) == pytest.approx(mixer.lambda_init)
    twin = build()
    twin.load_state_dict(mixer.state_dict(), strict=False)
    set_share(twin, twin.lambda_init)
    torch.testing.assert_close(mixer(x), twin(x))
    with pytest.raises(ValueError, match="lambda_per_head is about vectors that learned=False leaves out"):
        build(learned=False, lambda_per_head=True)


def test_of_equal_maps_the_normed_answer_does_not_hang_on_the_share() -> None:
    mixer, x = build(), tokens(2, 5, 16)
    rows = mixer.qkv.weight.data.view(3, 2, 2, 4, 16)
    rows[:2, :, 1] = rows[:2, :, 0]
    mixer.sub_norm.eps = 0.0
    found = []
    for lam in (0.1, 0.6):
        for name in ("lambda_q1", "lambda_q2"):
            getattr(mixer, name).data.zero_()
        scale, mixer.lambda_init = 1 - lam, lam
        found.append(mixer(x) / scale)
    torch.testing.assert_close(found[0], found[1])
