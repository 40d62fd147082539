import pytest
import torch
from torch import Tensor

from core_attention import PatternError, build_mixer
from core_attention.mixers import Halo
from kernels import use_backend
from tests.core_attention.looped import looped


def built(**options) -> Halo:
    torch.manual_seed(0)
    mixer = build_mixer("halo", 8, 2, **options).double()
    assert isinstance(mixer, Halo)
    return mixer


def by_hand(mixer: Halo, x: Tensor, grid: tuple[int, int], scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    b, a, p, w = mixer.block, mixer.halo, mixer.prefix, mixer.window
    n = p + grid[0] * grid[1]

    def seen(head: int, token: int, q: Tensor) -> list:
        if token < p:
            return [(j, 0.0) for j in range(n)]
        y, x = divmod(token - p, grid[1])
        keys: list = [(j, 0.0) for j in range(p)]
        for i in range(w):
            for j in range(w):
                yk, xk = y // b * b - a + i, x // b * b - a + j
                inside = 0 <= yk < grid[0] and 0 <= xk < grid[1]
                logit: Tensor | float = 0.0
                if mixer.pos_embed is not None:
                    row, column = mixer.pos_embed.height_rel[i - y % b + w - 1], mixer.pos_embed.width_rel[j - x % b + w - 1]
                    logit = q @ (row + column) * scale
                if inside or not mixer.hide_outside:
                    keys.append((p + yk * grid[1] + xk if inside else None, logit))
        return keys

    o, maps, lse = looped(*mixer.project(x), seen)
    return mixer.finish(o), maps, lse


@pytest.mark.parametrize(
    ("grid", "options"),
    [
        ((4, 6), {"block": 2, "halo": 1}),
        ((5, 4), {"block": 3, "halo": 1, "prefix": 1}),
        ((5, 7), {"block": 3, "halo": 0}),
        ((2, 3), {"block": 4, "halo": 1}),
        ((4, 4), {"block": 2, "halo": 1, "mask_halo": False}),
        ((5, 3), {"block": 2, "halo": 2, "mask_halo": False, "prefix": 2}),
        ((3, 5), {"block": 2, "halo": 1, "rel_pos": False}),
        ((3, 5), {"block": 2, "halo": 1, "rel_pos": False, "mask_halo": False}),
        ((3, 4), {"block": 3, "halo": 1, "scale_pos_embed": True}),
    ],
)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_it_equals_a_loop_over_windows(grid: tuple[int, int], options: dict, backend: str) -> None:
    mixer = built(**options)
    x = torch.randn(2, mixer.prefix + grid[0] * grid[1], 8, dtype=torch.float64)
    wanted, maps, lse = by_hand(mixer, x, grid, scale=0.5 if options.get("scale_pos_embed") else 1.0)
    with use_backend(backend):
        y, full = mixer(x, grid=grid, need="full")
        torch.testing.assert_close(y, wanted)
        torch.testing.assert_close(full, maps)
        torch.testing.assert_close(mixer(x, grid=grid, need="lse")[1], lse)
        torch.testing.assert_close(mixer(x, grid=grid, need="mean")[1], maps.mean(1))
        torch.testing.assert_close(mixer(x, grid=grid, need="row")[1], maps[:, :, 0])
    assert torch.equal(full == 0, maps == 0)
    parameters = list(mixer.parameters())
    torch.testing.assert_close(torch.autograd.grad(y.square().sum(), parameters), torch.autograd.grad(wanted.square().sum(), parameters))


@pytest.mark.parametrize(("grid", "block"), [((4, 4), 4), ((3, 5), 5)])
@pytest.mark.parametrize("prefix", [0, 1])
def test_one_block_without_a_rim_is_plain_attention(grid: tuple[int, int], block: int, prefix: int) -> None:
    mixer, plain = built(block=block, halo=0, rel_pos=False, prefix=prefix), build_mixer("softmax", 8, 2).double()
    plain.load_state_dict(mixer.state_dict())
    x = torch.randn(2, prefix + grid[0] * grid[1], 8, dtype=torch.float64)
    torch.testing.assert_close(mixer(x, grid=grid), plain(x))
    torch.testing.assert_close(mixer(x, grid=grid, need="full")[1], plain(x, need="full")[1])


def test_blocks_without_a_rim_know_nothing_of_each_other() -> None:
    full = built(block=2, halo=0)(torch.randn(1, 24, 8, dtype=torch.float64), grid=(4, 6), need="full")[1]
    block = torch.tensor([y // 2 * 3 + x // 2 for y in range(4) for x in range(6)])
    assert torch.equal((full != 0).all(1)[0], block[:, None] == block)


def test_padding_takes_mass_only_if_it_is_not_hidden() -> None:
    hidden, shown = built(block=2, halo=1), built(block=2, halo=1, mask_halo=False)
    shown.load_state_dict(hidden.state_dict())
    x = torch.randn(1, 36, 8, dtype=torch.float64)
    mass = shown(x, grid=(6, 6), need="full")[1].sum(-1).unflatten(-1, (6, 6))
    assert (mass[..., :2, :] < 1).all()
    torch.testing.assert_close(mass[..., 2:4, 2:4], torch.ones(1, 2, 2, 2, dtype=torch.float64))
    for one, other in zip(*(mixer(x, grid=(6, 6)).unflatten(1, (6, 6)) for mixer in (hidden, shown)), strict=True):
        torch.testing.assert_close(one[2:4, 2:4], other[2:4, 2:4])
        assert not torch.allclose(one[:2], other[:2])


def test_away_from_borders_a_picture_shifted_by_a_block_gives_a_shifted_answer() -> None:
    mixer = built(block=2, halo=1)
    x = torch.randn(1, 8, 10, 8, dtype=torch.float64)
    y, moved = (mixer(a.flatten(1, 2), grid=(8, 10)).unflatten(1, (8, 10)) for a in (x, x.roll((2, 2), (1, 2))))
    torch.testing.assert_close(moved.roll((-2, -2), (1, 2))[:, 2:-4, 2:-4], y[:, 2:-4, 2:-4])
    odd = mixer(x.roll((1, 1), (1, 2)).flatten(1, 2), grid=(8, 10)).unflatten(1, (8, 10)).roll((-1, -1), (1, 2))
    assert not torch.allclose(odd[:, 2:-4, 2:-4], y[:, 2:-4, 2:-4])


def test_what_it_cannot_do_is_refused() -> None:
    for options, message in (
        ({"block": 0}, "block=0"),
        ({"halo": -1}, "halo=-1"),
        ({"rel_pos": False, "scale_pos_embed": True}, "scale_pos_embed"),
        ({"prefix": -1}, "prefix=-1"),
    ):
        with pytest.raises(ValueError, match=message):
            build_mixer("halo", 8, 2, **options)
    with pytest.raises(PatternError, match="no pattern cs; it has ns"):
        build_mixer("halo", 8, 2, causal=True)
    mixer, x = build_mixer("halo", 8, 2, block=2, halo=1), torch.zeros(1, 12, 8)
    with pytest.raises(ValueError, match=r"x has 12 tokens, but a grid of 3x3 and prefix=0 make 9"):
        mixer(x, grid=(3, 3))
    with pytest.raises(TypeError, match="takes no key mask"):
        mixer(x, grid=(3, 4), mask=torch.ones(1, 12, dtype=torch.bool))
