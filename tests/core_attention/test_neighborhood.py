import pytest
import torch
from torch import Tensor

from core_attention import PatternError, build_mixer
from core_attention.mixers import Neighborhood
from core_attention.trunks import Vit
from kernels import use_backend
from tests.core_attention.looped import looped


def built(**options) -> Neighborhood:
    torch.manual_seed(0)
    mixer = build_mixer("neighborhood", 8, 2, **options).double()
    assert isinstance(mixer, Neighborhood)
    if mixer.rel_bias is not None:
        torch.nn.init.normal_(mixer.rel_bias)
    return mixer


def window(place: int, places: int, kernel: int, dilation: int) -> list[int]:
    """Of the places of one's own residue class, the `kernel` nearest; the ends shift it inward."""
    own = list(range(place % dilation, places, dilation))
    start = min(max(own.index(place) - kernel // 2, 0), len(own) - kernel)
    return own[start : start + kernel]


def by_hand(mixer: Neighborhood, x: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    k, r, p = mixer.kernel, mixer.dilation, mixer.prefix
    n = p + grid[0] * grid[1]

    def seen(head: int, token: int, q: Tensor) -> list:
        if token < p:
            return [(j, 0.0) for j in range(n)]
        y, x = divmod(token - p, grid[1])
        keys: list = [(j, 0.0) for j in range(p)]
        for yk in window(y, grid[0], k, r):
            for xk in window(x, grid[1], k, r):
                bias = 0.0 if mixer.rel_bias is None else mixer.rel_bias[head, (yk - y) // r + k - 1, (xk - x) // r + k - 1]
                keys.append((p + yk * grid[1] + xk, bias))
        return keys

    o, maps, lse = looped(*mixer.project(x), seen)
    return mixer.finish(o), maps, lse


@pytest.mark.parametrize(
    ("grid", "kernel", "dilation", "prefix"),
    [((5, 7), 3, 1, 0), ((3, 3), 3, 1, 2), ((7, 5), 3, 1, 1), ((6, 9), 3, 2, 0), ((7, 8), 3, 2, 1), ((5, 6), 5, 1, 0), ((4, 3), 1, 3, 0)],
)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_it_equals_a_loop_over_windows(grid: tuple[int, int], kernel: int, dilation: int, prefix: int, backend: str) -> None:
    mixer = built(kernel=kernel, dilation=dilation, prefix=prefix)
    x = torch.randn(2, prefix + grid[0] * grid[1], 8, dtype=torch.float64)
    wanted, maps, lse = by_hand(mixer, x, grid)
    with use_backend(backend):
        y, full = mixer(x, grid=grid, need="full")
        torch.testing.assert_close(y, wanted)
        torch.testing.assert_close(full, maps)
        torch.testing.assert_close(mixer(x, grid=grid, need="lse")[1], lse)
        torch.testing.assert_close(mixer(x, grid=grid, need="mean")[1], maps.mean(1))
        torch.testing.assert_close(mixer(x, grid=grid, need="row")[1], maps[:, :, 0])
    assert ((full != 0).sum(-1)[:, :, prefix:] == prefix + kernel**2).all()
    assert torch.equal(full == 0, maps == 0)
    parameters = list(mixer.parameters())
    torch.testing.assert_close(torch.autograd.grad(y.square().sum(), parameters), torch.autograd.grad(wanted.square().sum(), parameters))


@pytest.mark.parametrize("prefix", [0, 1])
def test_a_window_of_the_whole_grid_is_plain_attention(prefix: int) -> None:
    mixer, plain = built(kernel=5, rel_bias=False, prefix=prefix), build_mixer("softmax", 8, 2).double()
    plain.load_state_dict(mixer.state_dict())
    x = torch.randn(2, prefix + 25, 8, dtype=torch.float64)
    torch.testing.assert_close(mixer(x, grid=(5, 5)), plain(x))
    torch.testing.assert_close(mixer(x, grid=(5, 5), need="full")[1], plain(x, need="full")[1])
    torch.testing.assert_close(mixer(x, grid=(5, 5), need="lse")[1], plain(x, need="lse")[1])


def test_away_from_borders_a_shifted_picture_gives_a_shifted_answer() -> None:
    mixer = built(kernel=3)
    x = torch.randn(1, 8, 9, 8, dtype=torch.float64)
    y, moved = (mixer(a.flatten(1, 2), grid=(8, 9)).unflatten(1, (8, 9)) for a in (x, x.roll((1, 2), (1, 2))))
    torch.testing.assert_close(moved.roll((-1, -2), (1, 2))[:, 1:-2, 1:-3], y[:, 1:-2, 1:-3])
    assert not torch.allclose(moved.roll((-1, -2), (1, 2))[:, 0], y[:, 0])


def test_a_dilated_window_stays_in_its_residue_class() -> None:
    mixer = built(kernel=3, dilation=3)
    full = mixer(torch.randn(1, 90, 8, dtype=torch.float64), grid=(9, 10), need="full")[1].unflatten(-1, (9, 10)).unflatten(2, (9, 10))
    for y, x in ((0, 0), (4, 9), (8, 5)):
        rows, columns = full[0, 0, y, x].nonzero().T
        assert (rows % 3 == y % 3).all()
        assert (columns % 3 == x % 3).all()


@pytest.mark.parametrize("grid", [(13, 11), (17, 7), (7, 7), (19, 23)])
def test_odd_grids_give_finite_gradients_everywhere(grid: tuple[int, int]) -> None:
    mixer = built(kernel=7).float()
    x = torch.randn(1, grid[0] * grid[1], 8, requires_grad=True)
    gradients = torch.autograd.grad(mixer(x, grid=grid).square().sum(), [x, *mixer.parameters()])
    assert all(gradient.isfinite().all() and (gradient != 0).any() for gradient in gradients)
    assert (gradients[0].abs().amax(-1) > 0).all()


@pytest.mark.parametrize(("n", "kernel", "dilation"), [(1, 3, 1), (7, 3, 1), (8, 3, 2), (4, 7, 1)])
def test_a_causal_query_sees_the_last_few_of_its_class(n: int, kernel: int, dilation: int) -> None:
    mixer = built(kernel=kernel, dilation=dilation, causal=True)

    def seen(head: int, i: int, q: Tensor) -> list:
        keys = [i - back * dilation for back in range(kernel) if i - back * dilation >= 0]
        return [(j, mixer.rel_bias[head, 0, (j - i) // dilation + kernel - 1]) for j in keys]

    x = torch.randn(2, n, 8, dtype=torch.float64)
    o, maps, lse = looped(*mixer.project(x), seen)
    y, full = mixer(x, grid=(1, n), need="full")
    torch.testing.assert_close(y, mixer.finish(o))
    torch.testing.assert_close(full, maps)
    torch.testing.assert_close(mixer(x, grid=(1, n), need="lse")[1], lse)
    y = mixer(x, grid=(1, n))
    for i in range(1, n):
        changed = torch.cat([x[:, :i], torch.randn(2, n - i, 8, dtype=torch.float64)], 1)
        assert torch.equal(mixer(changed, grid=(1, n))[:, :i], y[:, :i])


@pytest.mark.parametrize(("name", "options"), [("neighborhood", {"kernel": 3}), ("halo", {"block": 3, "halo": 1})])
def test_a_vision_transformer_with_a_class_token_takes_windows(name: str, options: dict) -> None:
    """The class token sees every patch in one block; a far patch reaches a patch through it in two."""
    torch.manual_seed(0)
    pictures = torch.randn(1, 3, 24, 40, requires_grad=True)
    for registers in (0, 2):
        mixer_options = {**options, "prefix": 1 + registers}
        one, two = (
            Vit((24, 40), 4, width=8, depth=depth, heads=2, registers=registers, mixer=name, mixer_options=mixer_options)
            for depth in (1, 2)
        )
        for trunk, token, reached in ((one, 0, True), (one, 1 + registers, False), (two, 1 + registers, True)):
            (grad,) = torch.autograd.grad(trunk.forward_features(pictures)[0, token].square().sum(), pictures)
            assert (grad[..., -4:, -4:] != 0).any() == reached


def test_an_answer_within_inference_mode_leaves_training_possible() -> None:
    mixer, x = built(kernel=3), torch.randn(1, 12, 8, dtype=torch.float64)
    with torch.inference_mode():
        mixer(x, grid=(3, 4))
    mixer(x, grid=(3, 4)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in mixer.parameters())


def test_dropout_acts_in_training_only_and_leaves_the_maps_alone() -> None:
    mixer = built(kernel=3, prefix=1, attn_drop=0.5)
    x = torch.randn(2, 13, 8, dtype=torch.float64)
    y, full = mixer.train()(x, grid=(3, 4), need="full")
    lse = mixer(x, grid=(3, 4), need="lse")[1]
    mixer.eval()
    assert not torch.allclose(y, mixer(x, grid=(3, 4)))
    torch.testing.assert_close(full, mixer(x, grid=(3, 4), need="full")[1])
    torch.testing.assert_close(lse, mixer(x, grid=(3, 4), need="lse")[1])


def test_what_it_cannot_do_is_refused() -> None:
    x = torch.zeros(1, 12, 8)
    for options, message in (
        ({"kernel": 4}, "kernel=4 has no centre"),
        ({"kernel": 0}, "kernel=0"),
        ({"dilation": 0}, "dilation=0"),
        ({"prefix": -1}, "prefix=-1"),
        ({"causal": True, "prefix": 1}, "causal takes no prefix"),
    ):
        with pytest.raises(ValueError, match=message):
            build_mixer("neighborhood", 8, 2, **options)
    with pytest.raises(PatternError, match="no pattern nc; it has cs, ns"):
        build_mixer("neighborhood", 8, 2, context_dim=8)
    with pytest.raises(ValueError, match=r"kernel=5 with dilation=1 needs 5 cells a side, the grid is 3x4"):
        build_mixer("neighborhood", 8, 2, kernel=5)(x, grid=(3, 4))
    with pytest.raises(ValueError, match=r"needs 6 cells a side"):
        build_mixer("neighborhood", 8, 2, kernel=3, dilation=2)(x, grid=(3, 4))
    with pytest.raises(ValueError, match=r"grid=\(1, N\), not 3x4"):
        build_mixer("neighborhood", 8, 2, kernel=3, causal=True)(x, grid=(3, 4))
    with pytest.raises(ValueError, match=r"x has 12 tokens, but a grid of 3x4 and prefix=1 make 13"):
        build_mixer("neighborhood", 8, 2, kernel=3, prefix=1)(x, grid=(3, 4))
    with pytest.raises(TypeError, match="takes no pair mask"):
        build_mixer("neighborhood", 8, 2, kernel=3)(x, grid=(3, 4), mask=torch.ones(1, 12, 12, dtype=torch.bool))


@pytest.mark.parametrize(
    ("options", "grid"),
    [
        ({}, (5, 6)),
        ({"dilation": 2}, (6, 7)),
        ({"prefix": 2}, (5, 6)),
        ({"rel_bias": False}, (5, 6)),
        ({"causal": True}, (1, 12)),
        ({"causal": True, "rel_bias": False}, (1, 12)),
    ],
)
def test_attending_to_the_whole_grid_is_attending_to_gathered_windows(options, grid, monkeypatch):
    mixer = build_mixer("neighborhood", 16, heads=2, kernel=3, **options).double()
    x = torch.randn(2, options.get("prefix", 0) + grid[0] * grid[1], 16, dtype=torch.float64)
    found = []
    for whole in (False, True):
        monkeypatch.setattr(type(mixer), "overlapping", lambda self, grid, whole=whole: whole)
        leaf = x.clone().requires_grad_()
        y, lse = mixer(leaf, grid=grid, need="lse")
        grads = torch.autograd.grad(y.square().sum(), [leaf, *mixer.parameters()])
        found.append((mixer(x, grid=grid), y, lse, *grads))
    for gathered, whole in zip(*found, strict=True):
        torch.testing.assert_close(whole, gathered)
