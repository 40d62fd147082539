import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.attend import attend
from tests.kernels.operations import strictly

SIZES = [(1, 1), (3, 1), (1, 4), (3, 4)]


def qkv(
    n: int = 5, m: int = 7, d: int = 4, e: int = 4, dtype: torch.dtype = torch.float64, batch: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n * 100 + m)
    make = lambda *shape: torch.randn(*shape, generator=generator, dtype=dtype)  # noqa: E731
    return make(batch, 3, n, d), make(batch, 3, m, d), make(batch, 3, m, e)


def masks(n: int, m: int) -> dict[str, dict[str, Tensor | bool]]:
    generator = torch.Generator().manual_seed(1)
    seen = torch.rand(2, 1, n, m, generator=generator) < 0.6
    seen[:, :, 0] = False  # one query that sees nothing
    bias = torch.randn(2, 3, n, m, generator=generator, dtype=torch.float64)
    masks: dict[str, dict[str, Tensor | bool]] = {
        "none": {},
        "bool": {"mask": seen},
        "keys": {"mask": seen[:, :, -1:]},
        "bias": {"mask": bias},
        "hard bias": {"mask": bias.masked_fill(~seen, -torch.inf)},
    }
    if n == m:
        masks |= {"causal": {"causal": True}, "causal bool": {"mask": seen, "causal": True}, "causal bias": {"mask": bias, "causal": True}}
    return masks


CASES = [(n, m, name) for n, m in [(5, 7), (6, 6)] for name in masks(n, m)]


@pytest.mark.parametrize(("n", "m", "name"), CASES)
def test_the_torch_form_equals_the_reference_forward_and_backward(n: int, m: int, name: str) -> None:
    results: list[list[Tensor]] = []
    for backend in ("reference", "torch"):
        leaves = [x.requires_grad_() for x in qkv(n, m, e=6)]
        with strictly(backend):
            out, _ = attend(*leaves, **masks(n, m)[name])
        results.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n", "m", "name"), CASES)
def test_the_reference_is_the_textbook_formula(n: int, m: int, name: str) -> None:
    q, k, v = qkv(n, m)
    options = masks(n, m)[name]
    out, lse = attend(q, k, v, **options, scale=0.3, need_lse=True)
    logits = torch.einsum("bhnd,bhmd->bhnm", q, k) * 0.3
    mask = options.get("mask")
    if isinstance(mask, Tensor):
        logits = logits + mask if mask.is_floating_point() else torch.where(mask, logits, -torch.inf)
    if options.get("causal"):
        logits = torch.where(torch.arange(m) <= torch.arange(n)[:, None], logits, -torch.inf)
    torch.testing.assert_close(lse, logits.logsumexp(-1))
    torch.testing.assert_close(out, logits.softmax(-1).nan_to_num() @ v)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_gradients_are_right_in_float64(n: int, m: int) -> None:
    bias = torch.randn(2, 1, n, m, dtype=torch.float64, requires_grad=True)
    leaves = [x.requires_grad_() for x in qkv(n, m)]
    assert torch.autograd.gradcheck(lambda q, k, v, b: attend(q, k, v, b, need_lse=True), [*leaves, bias])


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_query_that_sees_nothing_gives_zeros_and_no_gradient(backend: str, kind: str) -> None:
    q, k, v = (x.requires_grad_() for x in qkv())
    mask = torch.ones(5, 7, dtype=torch.bool)
    mask[2] = False
    if kind == "float":
        mask = torch.zeros(5, 7, dtype=torch.float64).masked_fill(~mask, -torch.inf)
    with strictly(backend), torch.autograd.set_detect_anomaly(True):
        out, lse = attend(q, k, v, mask, need_lse=backend == "reference")
        loss = out.sum()
        if lse is not None:
            assert (lse[:, :, 2] == -torch.inf).all()
            loss = loss + lse[:, :, [0, 1, 3, 4]].sum()
        loss.backward()
    assert (out[:, :, 2] == 0).all()
    assert q.grad is not None
    assert k.grad is not None
    assert v.grad is not None
    assert (q.grad[:, :, 2] == 0).all()
    assert k.grad.isfinite().all()
    assert v.grad.isfinite().all()


class Traced(torch.nn.Module):
    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        out, lse = attend(q, k, v, mask, causal=self.causal, need_lse=True)
        assert lse is not None
        return out, lse


@pytest.mark.parametrize("causal", [False, True])
def test_a_trace_at_one_size_is_right_at_three_others(causal: bool) -> None:
    model = Traced(causal)
    sizes = [(5, 5), (1, 1), (3, 3), (11, 11)] if causal else [(5, 7), (1, 1), (9, 2), (2, 9)]
    with use_backend("reference"):
        traced = torch.jit.trace(model, (*qkv(*sizes[0]), torch.rand(2, 1, *sizes[0]) < 0.7), check_trace=False)
    for batch, (n, m) in enumerate(sizes[1:], start=1):
        inputs = (*qkv(n, m, batch=batch), torch.rand(batch, 1, n, m) < 0.7)
        for got, wanted in zip(traced(*inputs), model(*inputs), strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)


def test_a_trace_names_no_device_so_one_file_runs_anywhere() -> None:
    with use_backend("reference"):
        traced = torch.jit.trace(Traced(causal=True), (*qkv(4, 4), torch.ones(2, 1, 4, 4, dtype=torch.bool)), check_trace=False)
    assert "Device" not in str(traced.inlined_graph)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_compile_and_export_equal_eager(backend: str) -> None:
    class Model(torch.nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return attend(q, k, v, causal=True)[0]

    length = torch.export.Dim("length", min=2, max=64)
    with strictly(backend):
        compiled = torch.compile(Model(), fullgraph=True, backend="aot_eager")
        exported = torch.export.export(Model(), qkv(5, 5), dynamic_shapes=[{2: length}] * 3).module()
        for n in (5, 9):
            wanted = Model()(*qkv(n, n))
            torch.testing.assert_close(compiled(*qkv(n, n)), wanted)
            torch.testing.assert_close(exported(*qkv(n, n)), wanted)


def test_sums_stay_in_float32_under_autocast_and_half_inputs() -> None:
    exact = qkv(40, 40, d=16)
    half = [x.bfloat16() for x in exact]
    _, wanted = attend(*(x.double() for x in half), need_lse=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, lse = attend(*half, need_lse=True)
    assert out.dtype == torch.bfloat16
    assert lse is not None
    assert lse.dtype == torch.float32
    torch.testing.assert_close(lse.double(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_huge_logits_stay_finite(backend: str) -> None:
    with strictly(backend):
        out, _ = attend(*(x * 1e4 for x in qkv(dtype=torch.float32)))
    assert out.isfinite().all()


def test_the_lse_is_computed_only_when_asked() -> None:
    assert attend(*qkv())[1] is None
    assert explain(attend, *qkv()).startswith("torch ")
    assert explain(attend, *qkv(), need_lse=True).startswith("reference ")
    assert "log-sum-exp" in explain(attend, *qkv(), need_lse=True)


def test_wrong_arguments_are_named() -> None:
    q, k, v = qkv()
    with pytest.raises(ValueError, match=r"q \(2, 3, 5, 4\).*v \(2, 3, 6, 4\)"):
        attend(q, k, v[:, :, 1:])
    with pytest.raises(ValueError, match=r"\(B, H, tokens, width\)"):
        attend(q[0], k[0], v[0])
    with pytest.raises(ValueError, match="not 5 and 7"):
        attend(q, k, v, causal=True)
    with pytest.raises(TypeError, match="True = may attend"):
        attend(q, k, v, torch.ones(5, 7, dtype=torch.int64))
