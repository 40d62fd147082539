import pytest
import torch
from torch.nn.functional import conv2d

from core_attention import PatternError, build_mixer
from tests.core_attention.properties.cases import Case, Variant, tokens

CASE = Case("lka", "ns", Variant(heads=1, grid=(31, 29)))


def test_a_cell_sees_23_by_23_cells_and_no_more() -> None:
    mixer, inputs = CASE.build(), CASE.inputs(batch=1)
    x = inputs["x"].requires_grad_()
    y = mixer(**inputs).unflatten(1, (31, 29))
    (grad,) = torch.autograd.grad(y[0, 15, 14].square().sum(), x)
    seen = (grad.unflatten(1, (31, 29))[0] != 0).any(-1)
    wanted = torch.zeros(31, 29, dtype=torch.bool)
    wanted[15 - 11 : 15 + 12, 14 - 11 : 14 + 12] = True
    assert torch.equal(seen, wanted)


def test_moving_the_picture_moves_the_answer_away_from_the_border() -> None:
    mixer, x = CASE.build(), CASE.inputs(batch=1)["x"].unflatten(1, (31, 29))
    y, moved = (mixer(part.flatten(1, 2), grid=(31, 29)).unflatten(1, (31, 29)) for part in (x, x.roll((2, 1), (1, 2))))
    torch.testing.assert_close(moved[:, 14:17, 13:16], y[:, 12:15, 12:15])


def test_the_shortcut_is_inside() -> None:
    mixer, inputs = CASE.build(), CASE.inputs()
    for parameter in mixer.get_submodule("proj_2").parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(mixer(**inputs), inputs["x"])


def test_the_two_kernels_act_as_one_of_their_size() -> None:
    """Where no border cuts in: the 5x5 kernel, spread over the 49 places of the dilated one."""
    mixer = CASE.build()
    gate = mixer.get_submodule("spatial_gating_unit")
    u = tokens(1, 8, 31, 29)
    small, spread = gate.conv0, gate.conv_spatial
    impulse = torch.zeros(1, 8, 45, 45, dtype=torch.float64)
    impulse[..., 22, 22] = 1
    bare = conv2d(conv2d(impulse, small.weight, padding=2, groups=8), spread.weight, padding=9, dilation=3, groups=8)
    kernel = bare[..., 11:34, 11:34].flip(2, 3).transpose(0, 1)
    assert bare.count_nonzero() == kernel.count_nonzero() == 8 * 23 * 23
    bias = spread.bias + spread.weight.sum((1, 2, 3)) * small.bias
    wanted = conv2d(u, kernel, bias, padding=11, groups=8)[..., 11:-11, 11:-11]
    torch.testing.assert_close(spread(small(u))[..., 11:-11, 11:-11], wanted)


def test_what_it_cannot_do_is_refused_in_one_line() -> None:
    x = torch.zeros(1, 6, 8)
    mixer = build_mixer("lka", 8, 1)
    with pytest.raises(ValueError, match="build it with heads=1, not 4"):
        build_mixer("lka", 8, 4)
    with pytest.raises(PatternError, match="lka has no pattern cs; it has ns"):
        build_mixer("lka", 8, 1, causal=True)
    with pytest.raises(PatternError, match="lka has no pattern nc; it has ns"):
        build_mixer("lka", 8, 1, context_dim=4)
    with pytest.raises(ValueError, match="lka: x has 6 tokens, but a grid of 2x2 and prefix=0 make 4"):
        mixer(x, grid=(2, 2))
    with pytest.raises(ValueError, match="lka needs a grid"):
        mixer(x)
    with pytest.raises(ValueError, match="lka cannot give need='full'"):
        mixer(x, grid=(2, 3), need="full")
    with pytest.raises(TypeError, match="lka takes no key mask; it takes none"):
        mixer(x, grid=(2, 3), mask=torch.ones(1, 6, dtype=torch.bool))
