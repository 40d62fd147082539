import pytest
import torch

from core_attention import PatternError, build_mixer
from core_attention.mixers.hilo import HiLo
from kernels import use_backend
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(grid: tuple[int, int], heads: int = 4, **options: object) -> tuple[HiLo, torch.Tensor]:
    case = Case("hilo", "ns", Variant(heads=heads, grid=grid))
    mixer = case.build(**options)
    assert isinstance(mixer, HiLo)
    return mixer, case.inputs()["x"]


def test_windows_of_one_cell_are_plain_attention() -> None:
    mixer, x = random((2, 3), ws=1)
    plain = build_mixer("softmax", 8, 4).double()
    plain.load_state_dict(
        {
            "qkv.weight": torch.cat([mixer.l_q.weight, mixer.l_kv.weight]),
            "qkv.bias": torch.cat([mixer.l_q.bias, mixer.l_kv.bias]),
            "proj.weight": mixer.l_proj.weight,
            "proj.bias": mixer.l_proj.bias,
        }
    )
    for got, wanted in zip(mixer(x, grid=(2, 3), need="full"), plain(x, need="full"), strict=True):
        torch.testing.assert_close(got, wanted)


def test_one_window_over_everything_is_plain_attention() -> None:
    mixer, x = random((2, 3), ws=3, alpha=0.0)
    plain = build_mixer("softmax", 8, 4).double()
    plain.load_state_dict({name.removeprefix("h_"): value for name, value in mixer.state_dict().items()})
    for got, wanted in zip(mixer(x, grid=(2, 3), need="full"), plain(x, need="full"), strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize(("grid", "ws"), [((4, 6), 2), ((3, 5), 2), ((5, 4), 3), ((2, 1), 4)])
def test_it_equals_a_loop_over_windows(grid: tuple[int, int], ws: int, backend: str) -> None:
    mixer, x = random(grid, ws=ws)
    height, width = grid
    windows = [
        [i * width + j for i in range(top, min(top + ws, height)) for j in range(left, min(left + ws, width))]
        for top in range(0, height, ws)
        for left in range(0, width, ws)
    ]

    def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unflatten(-1, (2, 2)).transpose(1, 2) for part in (q, k, v))  # two heads of width 2
        return ((q @ k.transpose(2, 3) / 2**0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)

    hi = torch.zeros(2, height * width, 4, dtype=torch.float64)
    for cells in windows:
        hi[:, cells] = attention(*mixer.h_qkv(x[:, cells]).chunk(3, -1))
    blurred = torch.stack([x[:, cells].mean(1) for cells in windows], 1)
    lo = attention(mixer.l_q(x), *mixer.l_kv(blurred).chunk(2, -1))
    with use_backend(backend):
        y = mixer(x, grid=grid)
    torch.testing.assert_close(y, torch.cat([mixer.h_proj(hi), mixer.l_proj(lo)], -1))


@pytest.mark.parametrize("grid", [(4, 6), (3, 5)])
def test_the_dense_map_times_the_values_of_every_cell_is_the_answer(grid: tuple[int, int]) -> None:
    mixer, x = random(grid)
    y, full = mixer(x, grid=grid, need="full")
    values = torch.cat([mixer.h_qkv(x).chunk(3, -1)[2], mixer.l_kv(x).chunk(2, -1)[1]], -1)
    hi, lo = (full @ values.unflatten(-1, (4, 2)).transpose(1, 2)).transpose(1, 2).flatten(2).chunk(2, -1)
    torch.testing.assert_close(torch.cat([mixer.h_proj(hi), mixer.l_proj(lo)], -1), y)


def test_hi_heads_come_first_and_see_nothing_outside_their_window() -> None:
    mixer, x = random((3, 5), alpha=0.25)
    full = mixer(x, grid=(3, 5), need="full")[1]
    window = torch.tensor([i // 2 * 3 + j // 2 for i in range(3) for j in range(5)])
    same = window[:, None] == window
    assert (mixer.h_heads, mixer.l_heads) == (3, 1)
    assert ((full[:, :3] != 0) == same).all()
    assert (full[:, 3:] > 0).all()


def test_dropout_acts_in_training_only() -> None:
    mixer, x = random((4, 4), attn_drop=0.5)
    y = mixer(x, grid=(4, 4))
    torch.manual_seed(0)
    assert not torch.allclose(mixer.train()(x, grid=(4, 4)), y)
    assert torch.equal(mixer.eval()(x, grid=(4, 4)), y)


def test_heads_are_split_by_alpha_rounded_down() -> None:
    assert {name.split(".")[0] for name in random((2, 2))[0].state_dict()} == {"l_q", "l_kv", "l_proj", "h_qkv", "h_proj"}
    assert {name.split(".")[0] for name in random((2, 2), alpha=0.2)[0].state_dict()} == {"h_qkv", "h_proj"}
    assert {name.split(".")[0] for name in random((2, 2), alpha=1.0)[0].state_dict()} == {"l_q", "l_kv", "l_proj"}


def test_what_it_cannot_do_is_refused_in_one_line() -> None:
    x, mixer = tokens(1, 7, 8).float(), build_mixer("hilo", 8, 2)
    with pytest.raises(ValueError, match="dim=8 does not divide by heads=3"):
        build_mixer("hilo", 8, 3)
    with pytest.raises(ValueError, match="ws is the side of a window, at least 1, not 0"):
        build_mixer("hilo", 8, 2, ws=0)
    with pytest.raises(ValueError, match="alpha is the share of Lo heads"):
        build_mixer("hilo", 8, 2, alpha=1.5)
    with pytest.raises(PatternError, match="hilo has no pattern cs; it has ns"):
        build_mixer("hilo", 8, 2, causal=True)
    with pytest.raises(ValueError, match="hilo: x has 7 tokens, but a grid of 2x3 and prefix=0 make 6"):
        mixer(x, grid=(2, 3))
    with pytest.raises(ValueError, match="hilo cannot give need='mean'"):
        mixer(x[:, :6], grid=(2, 3), need="mean")
    with pytest.raises(TypeError, match="hilo takes no key mask"):
        mixer(x[:, :6], grid=(2, 3), mask=torch.ones(1, 6, dtype=torch.bool))
