import pytest
import torch
from torch import Tensor

from core_attention import Segments
from core_attention.depth import HistoryAttention
from core_attention.depth.history import sinusoids
from kernels import use_backend
from tests.core_attention.depth.textbook import textbook

NORMS = ["signed", "l1", "softmax", "uniform"]


def layer(norm: str, layers: int = 4, seed: int = 0, **options: bool) -> HistoryAttention:
    """In float64, with biases that are not zero."""
    torch.manual_seed(seed)
    made = HistoryAttention(6, layers, in_dim=5, norm=norm, **options).double()
    for parameter in made.parameters():
        with torch.no_grad():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made


def history(n: int, layers: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(n, layers, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("lengths", [None, [7], [1, 4, 2]])
@pytest.mark.parametrize("layers", [1, 4])
def test_the_absorbed_form_is_the_textbook_form_forward_and_backward(
    norm: str, value: bool, lengths: list[int] | None, layers: int
) -> None:
    made, x = layer(norm, layers, value=value, qk_bias=norm != "uniform"), history(7, layers).requires_grad_()
    segments = None if lengths is None else Segments.from_lengths(lengths)
    results = []
    for h, a in (made(x, segments), textbook(made, x, segments)):
        loss = h.sin().sum() + a.square().sum()
        results.append([h, a, *torch.autograd.grad(loss, [x, *made.parameters()], allow_unused=True)])
    for ours, theirs in zip(*results, strict=True):
        # A weight that one form never meets must have no effect in the other.
        ours, theirs = (torch.zeros(()) if one is None else one for one in (ours, theirs))
        torch.testing.assert_close(*torch.broadcast_tensors(ours.double(), theirs.double()), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("norm", NORMS)
def test_no_graph_changes_another(norm: str) -> None:
    made, x = layer(norm), history(7)
    h, a = made(x, Segments.from_lengths([3, 0, 4]))
    first, weights = made(x[:3], Segments.from_lengths([3]))
    torch.testing.assert_close(h[:3], first)
    torch.testing.assert_close(a[:1], weights)
    assert (a[1] == 0).all()
    poisoned = torch.cat([x[:3], torch.full_like(x[3:], torch.nan)])
    torch.testing.assert_close(made(poisoned, Segments.from_lengths([3, 0, 4]))[0][:3], first)


def test_positions_are_the_papers() -> None:
    position = sinusoids(4, 6)
    for at in range(4):
        for k in range(3):
            angle = torch.tensor(at / 10000 ** (2 * k / 6))
            torch.testing.assert_close(position[at, 2 * k], angle.sin())
            torch.testing.assert_close(position[at, 2 * k + 1], angle.cos())
    assert sinusoids(2, 5).shape == (2, 5)


def test_it_begins_with_equal_orthogonal_query_and_key_and_so_positive_scores() -> None:
    made = HistoryAttention(6, 4)
    assert made.q is not None
    assert made.k is not None
    assert torch.equal(made.q.weight, made.k.weight)
    torch.testing.assert_close(made.q.weight @ made.q.weight.T, torch.eye(6))
    _, a = made(torch.randn(9, 1, 6).expand(9, 4, 6))
    assert (a > 0).all()


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_are_right_in_float64(norm: str) -> None:
    made, x = layer(norm, value=True), history(3).requires_grad_()
    segments = Segments.from_lengths([2, 1])
    assert torch.autograd.gradcheck(lambda *_: made(x, segments)[0], [x, *made.parameters()], fast_mode=True)


def test_half_precision_keeps_scores_and_weights_in_float32() -> None:
    made, x = layer("softmax", value=True), history(40)
    wanted, weights = made(x, Segments.from_lengths([40]))
    single = made.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h, a = single(x.float(), Segments.from_lengths([40]))
    assert a.dtype == torch.float32
    torch.testing.assert_close(a.double(), weights, rtol=1e-4, atol=1e-5)
    assert (h.double() - wanted).square().mean().sqrt() < 3e-2 * wanted.square().mean().sqrt()
    h, a = made.bfloat16()(x.bfloat16())
    assert (h.dtype, a.dtype) == (torch.bfloat16, torch.float32)


class Program(torch.nn.Module):
    def __init__(self, norm: str) -> None:
        super().__init__()
        self.layer = layer(norm, value=True)

    def forward(self, x: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(x, Segments(offsets, x.shape[0], offsets.shape[0] - 1))


@pytest.mark.parametrize("norm", ["signed", pytest.param("softmax", marks=pytest.mark.full)])
def test_traced_compiled_and_exported_programs_equal_eager(norm: str) -> None:
    program = Program(norm)
    first = history(5), torch.tensor([0, 2, 5])
    open_sizes = ({0: torch.export.Dim.DYNAMIC}, {0: torch.export.Dim.DYNAMIC})
    with use_backend("reference"):
        traced = torch.jit.trace(program, first, check_trace=False)
        exported = torch.export.export(program, first, dynamic_shapes=open_sizes).module()
    compiled = torch.compile(program, fullgraph=True, backend="aot_eager", dynamic=True)
    for others in ((history(1), torch.tensor([0, 1])), (history(9), torch.tensor([0, 0, 4, 9])), (history(6), torch.tensor([0, 5, 6]))):
        wanted = program(*others)
        torch.testing.assert_close(traced(*others), wanted)
        if len(others[1]) > 2:
            torch.testing.assert_close(exported(*others), wanted)
            torch.testing.assert_close(compiled(*others), wanted)


def test_state_and_refusals() -> None:
    made, other = layer("signed", value=True), layer("signed", seed=1, value=True)
    other.load_state_dict(made.state_dict(), strict=True)
    assert torch.equal(other(history(3))[0], made(history(3))[0])
    assert set(made.state_dict()) == {"emb.weight", "emb.bias", "q.weight", "k.weight", "v.weight", "v.bias"}
    with pytest.raises(ValueError, match=r"the history is \(N, 4, 5\), not \(3, 2, 5\)"):
        made(history(3, 2))
    with pytest.raises(ValueError, match="qk_bias"):
        HistoryAttention(6, 4, norm="uniform", qk_bias=True)
    with pytest.raises(ValueError, match="norm is signed"):
        HistoryAttention(6, 4, in_dim=5, norm="median")(history(3).float())
