"""What every pool promises: hidden tokens do not exist, samples do not meet, order does not matter, programs answer as eager."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn

from core_attention import Segments, list_pools
from kernels import use_backend
from tests.core_attention.pools.cases import DIM, VARIANTS, Case, cases, tokens

FULL = lambda case: "full" in case.spec.needs  # noqa: E731
BACKENDS = pytest.mark.parametrize("backend", ["reference", "torch"])


def test_every_pool_is_put_to_the_test() -> None:
    assert set(VARIANTS) == set(list_pools())


@cases()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shape_dtype_and_device_are_kept(case: Case, dtype: torch.dtype) -> None:
    pool, x = case.build().to(dtype), tokens(2, 5).to(dtype)
    z = pool(x)
    assert (z.shape, z.dtype) == ((2, pool.out), dtype)
    on_meta = pool.to("meta")(x.to("meta"))
    assert (on_meta.device.type, on_meta.shape, on_meta.dtype) == ("meta", z.shape, dtype)


@cases(lambda case: not case.variant.by_order)
def test_the_order_of_tokens_does_not_matter(case: Case) -> None:
    pool, x = case.build(), tokens(2, 5)
    order = torch.tensor([3, 1, 0, 2, 4])
    torch.testing.assert_close(pool(x[:, order]), pool(x))
    flat = torch.cat([x[0, order], x[1]])
    torch.testing.assert_close(pool(flat, segments=Segments.from_lengths([5, 5])), pool(x))
    if FULL(case):
        torch.testing.assert_close(pool(x[:, order], need="full")[1], pool(x, need="full")[1][:, order])


@cases()
def test_hiding_tokens_equals_removing_them(case: Case) -> None:
    pool, x, valid = case.build(), tokens(3, 7), case.mask(3, 7)
    z = pool(x, valid)
    for i in range(3):
        torch.testing.assert_close(z[i : i + 1], pool(x[i : i + 1, valid[i]]))


@cases()
@BACKENDS
def test_nan_in_hidden_tokens_changes_no_output_and_no_gradient(case: Case, backend: str) -> None:
    results = []
    for poison in (0.0, torch.nan, torch.inf):
        pool, x, valid = case.build(), tokens(3, 7), case.mask(3, 7)
        x[~valid] = poison
        x.requires_grad_()
        with use_backend(backend):
            z = pool(x, valid)
        results.append([z, *torch.autograd.grad(z.square().sum(), [x, *pool.parameters()])])
    for clean, nan, inf in zip(*results, strict=True):
        assert torch.equal(clean, nan)
        assert torch.equal(clean, inf)
    assert (results[0][1][~valid] == 0).all()


@cases()
@BACKENDS
def test_a_sample_without_tokens_gives_zeros_and_no_gradient(case: Case, backend: str) -> None:
    pool, x, valid = case.build(), tokens(3, 5).requires_grad_(), torch.ones(3, 5, dtype=torch.bool)
    valid[1] = False
    parameters = list(pool.parameters())
    with use_backend(backend), torch.autograd.set_detect_anomaly(True):
        z = pool(x, valid)
        alone = torch.autograd.grad(z[1].sum(), [x, *parameters], retain_graph=True)
        whole = torch.autograd.grad(z.square().sum(), [x, *parameters])
        ragged = pool(x[0], segments=Segments.from_lengths([0, 2, 0, 3, 0]))
        nothing = pool(x[0, :0], segments=Segments.from_lengths([0, 0]))
    assert (z[1] == 0).all()
    assert all((grad == 0).all() for grad in alone)
    assert all(grad.isfinite().all() for grad in whole)
    assert (ragged[[0, 2, 4]] == 0).all()
    assert (ragged[[1, 3]] != 0).any(1).all()
    assert torch.equal(nothing, torch.zeros(2, pool.out, dtype=torch.float64))
    assert torch.equal(pool(x[:, :0]), torch.zeros(3, pool.out, dtype=torch.float64))


@cases()
@pytest.mark.parametrize("lengths", [[3, 0, 1, 4], [5], [1, 1]])
@BACKENDS
def test_ragged_equals_each_segment_alone(case: Case, lengths: list[int], backend: str) -> None:
    pool, x = case.build(), tokens(sum(lengths))
    segments = Segments.from_lengths(lengths)
    with use_backend(backend):
        z = pool(x, segments=segments)
        for i, part in enumerate(x.split(lengths)):
            torch.testing.assert_close(z[i : i + 1], pool(part[None]))
        torch.testing.assert_close(pool(x, segments=segments._replace(offsets=segments.offsets.int())), z)


@cases()
def test_segments_do_not_meet(case: Case) -> None:
    """Whatever stands in one segment, another's answer and gradient stay, NaN included."""
    pool, segments = case.build(), Segments.from_lengths([3, 2])
    results = []
    for poison in (1.0, torch.nan):
        x = tokens(5)
        x[3:] = poison
        x.requires_grad_()
        z = pool(x, segments=segments)
        (grad,) = torch.autograd.grad(z.square().sum(), x)
        results.append((z[0], grad[:3]))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@cases(FULL)
def test_weights_sum_to_one_over_what_counts(case: Case) -> None:
    pool, x, valid = case.build(), tokens(2, 7), case.mask(2, 7)
    z, weights = pool(x, valid, need="full")
    torch.testing.assert_close(z, pool(x, valid))
    assert weights.shape[:2] == (2, 7)
    assert (weights[~valid] == 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))
    z, weights = pool(x.flatten(0, 1), segments=Segments.from_lengths([9, 5]), need="full")
    assert weights.shape[0] == 14
    torch.testing.assert_close(z, pool(x.flatten(0, 1), segments=Segments.from_lengths([9, 5])))


@cases()
@pytest.mark.parametrize("n", [1, 3])
def test_gradients_are_right_in_float64(case: Case, n: int) -> None:
    pool, x = case.build(), tokens(2, n).requires_grad_()
    valid = torch.tensor([[True] * n, [True] + [False] * (n - 1)])
    given = [x, *pool.parameters()]
    assert torch.autograd.gradcheck(lambda *_: pool(x), given, fast_mode=True)
    assert torch.autograd.gradcheck(lambda *_: pool(x, valid), given, fast_mode=True)


@cases()
def test_two_runs_are_bitwise_equal(case: Case) -> None:
    pool, x = case.build(), tokens(3, 7).requires_grad_()
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        results = []
        for _ in range(2):
            z = pool(x)
            results.append([z, *torch.autograd.grad(z.sum(), [x, *pool.parameters()])])
    finally:
        torch.use_deterministic_algorithms(before)
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)


@cases()
def test_bf16_autocast_stays_near_float32(case: Case) -> None:
    pool, x = case.build().float(), tokens(2, 40).float()
    wanted = pool(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = pool(x)
        if FULL(case):
            assert pool(x, need="full")[1].dtype == torch.float32
    assert (z.float() - wanted).square().mean().sqrt() < 3e-2 * wanted.square().mean().sqrt()


@cases()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_extreme_scores_stay_finite(case: Case, dtype: torch.dtype) -> None:
    pool, x = case.build().to(dtype), (tokens(2, 5) * (1e4 if dtype == torch.float32 else 1e2)).to(dtype).requires_grad_()
    z = pool(x)
    assert z.isfinite().all()
    assert torch.autograd.grad(z.float().mean(), x)[0].isfinite().all()


@cases()
def test_state_copies_and_pickles_answer_alike(case: Case) -> None:
    pool, other, x = case.build(), case.build(seed=1), tokens(2, 5)
    wanted = pool(x)
    assert not list(pool.parameters()) or not torch.equal(other(x), wanted)
    other.load_state_dict(pool.state_dict(), strict=True)
    for twin in (other, copy.deepcopy(pool), pickle.load(io.BytesIO(pickle.dumps(pool)))):
        assert torch.equal(twin(x), wanted)


class Batch(nn.Module):
    def __init__(self, case: Case) -> None:
        super().__init__()
        self.pool = case.build()

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        return self.pool(x, valid)


class Ragged(nn.Module):
    def __init__(self, case: Case) -> None:
        super().__init__()
        self.pool = case.build()

    def forward(self, x: Tensor, offsets: Tensor) -> Tensor:
        return self.pool(x, segments=Segments.from_offsets(offsets))


@cases()
@BACKENDS
def test_a_trace_at_one_size_is_right_at_three_others(case: Case, backend: str) -> None:
    batch, ragged = Batch(case), Ragged(case)
    with use_backend(backend):
        traced = torch.jit.trace(batch, (tokens(2, 5),), check_trace=False)
        masked = torch.jit.trace(batch, (tokens(2, 5), case.mask(2, 5)), check_trace=False)
        flat = torch.jit.trace(ragged, (tokens(5), torch.tensor([0, 2, 5])), check_trace=False)
    assert "Device" not in str(masked.inlined_graph)
    for size in ((1, 1), (3, 9), (4, 4)):
        torch.testing.assert_close(traced(tokens(*size)), batch(tokens(*size)))
        torch.testing.assert_close(masked(tokens(*size), case.mask(*size)), batch(tokens(*size), case.mask(*size)))
    for offsets in ([0, 1], [0, 4, 4, 13], [0, 0, 2, 3]):
        given = tokens(offsets[-1]), torch.tensor(offsets)
        torch.testing.assert_close(flat(*given), ragged(*given))


@cases()
def test_compiled_and_exported_programs_equal_eager(case: Case) -> None:
    batch = Batch(case)
    open_sizes = [{0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}] * 2
    with use_backend("reference"):
        exported = torch.export.export(batch, (tokens(2, 5), case.mask(2, 5)), dynamic_shapes=open_sizes).module()
    torch.compiler.reset()  # each case is a program of its own, but all share the code of Batch, which torch compiles eight times at most
    compiled = torch.compile(batch, fullgraph=True, backend="aot_eager", dynamic=True)
    for size in ((2, 5), (4, 9)):
        given = tokens(*size), case.mask(*size)
        wanted = batch(*given)
        torch.testing.assert_close(exported(*given), wanted)
        torch.testing.assert_close(compiled(*given), wanted)


@cases()
def test_what_would_be_ignored_or_cannot_be_done_is_refused(case: Case) -> None:
    pool, x = case.build(), tokens(2, 5)
    with pytest.raises(ValueError, match=r"\(T, D\) with segments, not \(5, 8\)"):
        pool(x[0])
    with pytest.raises(ValueError, match="exclude each other"):
        pool(x[0], torch.ones(5, dtype=torch.bool), Segments.from_lengths([5]))
    with pytest.raises(ValueError, match=r"mask \(2, 4\) does not fit x \(2, 5, 8\)"):
        pool(x, torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(TypeError, match="no bias mask"):
        pool(x, torch.ones(2, 5))
    with pytest.raises(ValueError, match="need='row'"):
        pool(x, need="row")
    if not FULL(case):
        with pytest.raises(ValueError, match="need='full'"):
            pool(x, need="full")
    assert pool(x).shape == (2, pool.out)
    assert x.shape[2] == DIM
