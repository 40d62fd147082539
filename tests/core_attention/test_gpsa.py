import warnings

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from core_attention import PatternError, build_mixer
from core_attention.blocks import PreNorm
from core_attention.blocks.init import initialise
from core_attention.mixers import Gpsa
from kernels import use_backend


def built(heads: int = 4, dim: int = 12, **options: float) -> Gpsa:
    """With positions and gates away from their beginning."""
    torch.manual_seed(0)
    mixer = build_mixer("gpsa", dim, heads, **options).double()
    assert isinstance(mixer, Gpsa)
    with torch.no_grad():
        mixer.v.weight.add_(0.3 * torch.randn_like(mixer.v.weight))
        mixer.pos_proj.weight.copy_(0.3 * torch.randn_like(mixer.pos_proj.weight))
        mixer.gating_param.copy_(torch.randn(heads))
    return mixer


def whole_position_map(mixer: Gpsa, grid: tuple[int, int]) -> Tensor:
    """softmax(R) over all pairs, R from (dx, dy, dx^2 + dy^2) of each."""
    places = [(y, x) for y in range(grid[0]) for x in range(grid[1])]
    offsets = [[[xk - xq, yk - yq, (xk - xq) ** 2 + (yk - yq) ** 2] for yk, xk in places] for yq, xq in places]
    return mixer.pos_proj(torch.tensor(offsets, dtype=torch.float64)).permute(2, 0, 1).softmax(-1)


def direct(mixer: Gpsa, x: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The formula as it is written, with maps of all pairs and the mixed rows divided by their sums."""
    b, n, d = x.shape
    q, k = mixer.qk(x).reshape(b, n, 2, mixer.heads, -1).permute(2, 0, 3, 1, 4)
    content = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
    gate = mixer.gating_param.sigmoid()[:, None, None]
    mixed = (1 - gate) * content + gate * whole_position_map(mixer, grid)
    mixed = mixed / mixed.sum(-1, keepdim=True)
    v = mixer.v(x).reshape(b, n, mixer.heads, -1).transpose(1, 2)
    return mixer.proj((mixed @ v).transpose(1, 2).reshape(b, n, d)), mixed


@pytest.mark.parametrize("grid", [(4, 4), (3, 5), (7, 2), (1, 6), (1, 1)])
@pytest.mark.parametrize("heads", [1, 4])
def test_the_kronecker_form_equals_maps_of_all_pairs(grid: tuple[int, int], heads: int) -> None:
    mixer = built(heads)
    x = torch.randn(2, grid[0] * grid[1], 12, dtype=torch.float64)
    wanted, mixed = direct(mixer, x, grid)
    y, full = mixer(x, grid=grid, need="full")
    torch.testing.assert_close(y, wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(full, mixed, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(a.square().sum(), [mixer.pos_proj.weight, mixer.gating_param]) for a in (y, wanted)]
    torch.testing.assert_close(*gradients)


def test_no_map_of_all_pairs_is_formed_unless_asked_for() -> None:
    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, tuple | list) else [out]:
                if isinstance(tensor, Tensor):
                    self.numbers = max(self.numbers, tensor.numel())
            return out

    mixer, n = build_mixer("gpsa", 8, 4), 12 * 16
    for need, formed in (("none", False), ("row", False), ("mean", True)):
        with use_backend("torch"), Largest() as largest:
            mixer(torch.randn(1, n, 8), grid=(12, 16), need=need)
        assert (largest.numbers >= n * n) == formed


def test_a_closed_gate_leaves_plain_attention() -> None:
    mixer, plain = built(), build_mixer("softmax", 12, 4, qkv_bias=False).double()
    with torch.no_grad():
        mixer.gating_param.fill_(-30)
    plain.load_state_dict(
        {
            "qkv.weight": torch.cat([mixer.qk.weight, mixer.v.weight]),
            "proj.weight": mixer.proj.weight,
            "proj.bias": mixer.proj.bias,
        }
    )
    x = torch.randn(2, 15, 12, dtype=torch.float64)
    torch.testing.assert_close(mixer(x, grid=(3, 5)), plain(x), rtol=1e-10, atol=1e-10)


def test_it_starts_as_a_convolution() -> None:
    """With strong locality each of nine heads looks at one cell of a 3 x 3 kernel, with values that are the tokens."""
    mixer = build_mixer("gpsa", 18, 9, locality_strength=50.0, qkv_bias=True)
    rows, columns = mixer.position_maps(torch.zeros(1), (5, 7))
    looked_at = {(int(rows[head, 2].argmax()) - 2, int(columns[head, 3].argmax()) - 3) for head in range(9)}
    assert looked_at == {(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)}
    assert rows[:, 2].amax(-1).min() > 0.999
    torch.testing.assert_close(mixer.v(torch.eye(18)), torch.eye(18))
    torch.testing.assert_close(mixer.gating_param.sigmoid(), torch.full((9,), 0.7311), rtol=1e-3, atol=0)


def test_an_even_kernel_looks_between_the_cells() -> None:
    mixer = build_mixer("gpsa", 8, 4)
    assert sorted(map(tuple, mixer.pos_proj.weight.tolist())) == [(a, b, -1.0) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]


def test_a_trunks_own_beginning_leaves_the_convolution_in_place() -> None:
    block = PreNorm(16, 4, mixer="gpsa")
    wanted = {name: value.clone() for name, value in block.attn.state_dict().items()}
    initialise(block)
    for name in ("v.weight", "pos_proj.weight"):
        assert torch.equal(block.attn.state_dict()[name], wanted[name])
    assert not torch.equal(block.attn.qk.weight, wanted["qk.weight"])


def test_heads_that_fill_no_square_are_told() -> None:
    with pytest.warns(UserWarning, match="heads=6 is no square; the first 4"):
        mixer = build_mixer("gpsa", 12, 6)
    assert (mixer.pos_proj.weight[:4, 2] == -1).all()
    assert (mixer.pos_proj.weight[4:, 2] != -1).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_mixer("gpsa", 12, 1)


def test_parameters_are_named_and_shaped_as_in_timms_convit() -> None:
    shapes = {name: tuple(value.shape) for name, value in build_mixer("gpsa", 8, 4).state_dict().items()}
    assert shapes == {
        "gating_param": (4,), "qk.weight": (16, 8), "v.weight": (8, 8), "proj.weight": (8, 8), "proj.bias": (8,),
        "pos_proj.weight": (4, 3), "pos_proj.bias": (4,),
    }  # fmt: skip


def test_dropout_acts_in_training_only() -> None:
    mixer = built(attn_drop=0.5)
    x = torch.randn(2, 6, 12, dtype=torch.float64)
    assert not torch.allclose(mixer.train()(x, grid=(2, 3)), mixer.eval()(x, grid=(2, 3)))


def test_what_it_cannot_do_is_refused() -> None:
    mixer, x = build_mixer("gpsa", 8, 4), torch.zeros(1, 13, 8)
    with pytest.raises(ValueError, match=r"x has 13 tokens, but a grid of 3x4 and prefix=0 make 12"):  # a class token too many
        mixer(x, grid=(3, 4))
    with pytest.raises(ValueError, match="grid=0x4 has no cells"):
        mixer(x, grid=(0, 4))
    with pytest.raises(ValueError, match="needs a grid"):
        mixer(x)
    with pytest.raises(ValueError, match="need='lse'"):
        mixer(x, grid=(1, 13), need="lse")
    with pytest.raises(TypeError, match="takes no key mask; it takes none"):
        mixer(x, grid=(1, 13), mask=torch.ones(1, 13, dtype=torch.bool))
    with pytest.raises(ValueError, match="dim=8 does not divide by heads=3"):
        build_mixer("gpsa", 8, 3)
    with pytest.raises(PatternError, match="no pattern cs; it has ns"):
        build_mixer("gpsa", 8, 4, causal=True)
    with pytest.raises(PatternError, match="no pattern nc"):
        build_mixer("gpsa", 8, 4, context_dim=8)
