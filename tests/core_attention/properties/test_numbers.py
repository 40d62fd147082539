"""Properties 1, 8, 10, 15 to 18, 20, 22: dtypes, gradients, small sizes, repeatability, precision, state, cost, threads."""

import copy
import io
import pickle
import threading
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core_attention import list_mixers
from kernels import use_backend
from tests.core_attention.properties.cases import CONTEXT, VARIANTS, Case, cases, each, tokens

# Rounded logits choose other keys: the answer jumps.
CHOOSES = {"biformer", "moh", "routing", "topk"}


def test_every_mixer_is_put_to_the_test() -> None:
    assert set(VARIANTS) == set(list_mixers())


def cast(inputs: dict[str, Any], to: torch.dtype | str) -> dict[str, Any]:
    return {name: value.to(to) if isinstance(value, torch.Tensor) else value for name, value in inputs.items()}


@cases()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shape_dtype_and_device_are_kept(case: Case, dtype: torch.dtype) -> None:
    mixer, inputs = case.build().to(dtype), cast(case.inputs(), dtype)
    y = mixer(**inputs)
    assert y.shape == inputs["x"].shape
    assert y.dtype == dtype
    on_meta = mixer.to("meta")(**cast(inputs, "meta"))
    assert (on_meta.device.type, on_meta.shape, on_meta.dtype) == ("meta", y.shape, dtype)


@cases()
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 4)])
def test_gradients_are_right_in_float64(case: Case, n: int, m: int) -> None:
    mixer, inputs = case.build(), case.inputs(batch=1, n=n, m=m)
    if case.variant.grid is not None:
        small = case.variant.small if n == 1 else case.variant.grid
        inputs = {"x": tokens(1, case.count(small), case.variant.dim), "grid": small}
    leaves = [value.requires_grad_() for value in inputs.values() if isinstance(value, torch.Tensor)]
    assert torch.autograd.gradcheck(lambda *_: mixer(**inputs), [*leaves, *mixer.parameters()], fast_mode=True)


@cases()
def test_the_smallest_sizes_work(case: Case) -> None:
    dim, heads = case.variant.least
    x = tokens(1, case.count(case.variant.small), dim)
    rest: dict[str, Any] = {"grid": case.variant.small} if case.spec.needs_grid else {}
    if case.cross:
        rest["context"] = tokens(1, 1, CONTEXT)
    assert case.build(dim=dim, heads=heads)(x, **rest).isfinite().all()


@cases()
def test_two_runs_are_bitwise_equal(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        results = []
        for _ in range(2):
            y = mixer(**inputs)
            results.append([y, *torch.autograd.grad(y.sum(), list(mixer.parameters()), allow_unused=True)])
    finally:
        torch.use_deterministic_algorithms(before)
    for one, two in zip(*results, strict=True):
        assert one is None or torch.equal(one, two)


@cases()
def test_bf16_autocast_stays_near_float32(case: Case) -> None:
    mixer, inputs = case.build().float(), cast(case.inputs(), torch.float32)
    wanted = mixer(**inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = mixer(**inputs)
        if "full" in case.spec.needs:
            assert mixer(**inputs, need="full")[1].dtype == torch.float32
    if case.name not in CHOOSES:
        assert (y.float() - wanted).square().mean().sqrt() < 3e-2 * wanted.square().mean().sqrt()


@cases()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_extreme_logits_stay_finite(case: Case, dtype: torch.dtype) -> None:
    mixer, inputs = case.build().to(dtype), cast(case.inputs(), dtype)
    inputs["x"] = (inputs["x"] * (1e4 if dtype == torch.float32 else 1e2)).requires_grad_()
    y = mixer(**inputs)
    assert y.isfinite().all()
    (grad,) = torch.autograd.grad(y.float().mean(), inputs["x"])
    assert grad.isfinite().all()


@cases()
def test_state_copies_and_pickles_answer_alike(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    wanted = mixer(**inputs)
    other = case.build(seed=1)
    assert not torch.equal(other(**inputs), wanted)
    other.load_state_dict(mixer.state_dict(), strict=True)
    for twin in (other, copy.deepcopy(mixer), pickle.load(io.BytesIO(pickle.dumps(mixer)))):
        assert torch.equal(twin(**inputs), wanted)


@cases()
def test_cost_is_what_torch_counts(case: Case) -> None:
    heads = 4 if case.variant.heads > 1 else 1  # a mixer without heads takes no other number
    mixer, inputs = case.build(dim=64, heads=heads).float(), case.inputs(batch=1, n=48, m=32, dim=64)
    inputs = cast(inputs, torch.float32)
    with FlopCounterMode(display=False) as counted, use_backend("reference"):
        mixer(**inputs)
    m = inputs["context"].shape[1] if case.cross else None
    cost = mixer.cost(inputs["x"].shape[1], m, inputs.get("grid"))
    assert cost.flops == pytest.approx(counted.get_total_flops(), rel=0.05)
    assert cost.params == sum(parameter.numel() for parameter in mixer.parameters())


@each()
def test_two_models_in_two_threads_give_what_one_gives(case: Case) -> None:
    mixers, inputs = [case.build(), case.build()], case.inputs()
    wanted, got = case.build()(**inputs), [[], []]

    def work(i: int) -> None:
        with use_backend(("reference", "torch")[i]):
            got[i].extend(mixers[i](**inputs) for _ in range(20))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got[0]) == len(got[1]) == 20
    for y in (*got[0], *got[1]):
        torch.testing.assert_close(y, wanted)
