"""Numbers that lie so far apart that an index times a stride is more than an int32 holds. Between them is a file's hole: nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.errors import parts, strictly
from kernels.gate_residual import gate_residual
from kernels.gated_pool import gated_pool
from kernels.history_attention import history_attention
from kernels.segment_attend import segment_attend
from kernels.segment_pool import segment_pool
from kernels.segment_softmax import segment_softmax
from tests.kernels.fused.checks import needs_interpreter
from tests.kernels.programs import offsets_of, randn

pytestmark = needs_interpreter


def far(x: Tensor, dim: int, path: Path) -> Tensor:
    """The same numbers, along `dim` just so far apart that the last of them is 2^31 numbers away."""
    apart = 2**31 // (x.shape[dim] - 1)
    assert apart < 2**31 <= (x.shape[dim] - 1) * apart
    inner = x.movedim(dim, 0)
    room = torch.from_file(str(path), shared=True, size=2**31 + inner[0].numel(), dtype=x.dtype)
    strides = list(inner[0].contiguous().stride())
    strides.insert(dim, apart)
    return room.as_strided(x.shape, strides).copy_(x)


def pool(x: Tensor, V: Tensor, U: Tensor, w: Tensor) -> Any:
    return gated_pool(x, V, U, w, offsets_of([4, 3]))


# what, call, shapes of its tensors, which of them lies far apart, along which dimension
FAR: list[tuple[str, Callable[..., Any], list[tuple[int, ...]], int, int]] = [
    ("columns of a gate", gate_residual, [(4, 5), (4, 5), (4, 5)], 2, 1),
    ("columns of tokens", pool, [(7, 5), (5, 3), (5, 3), (3, 1)], 0, 1),
    ("layers", history_attention, [(4, 3, 5), (4, 5)], 0, 1),
    ("layers, graphs", lambda x, u: history_attention(x, u, None, offsets_of([3, 1])), [(4, 3, 5), (4, 5)], 0, 1),
    ("columns of states", history_attention, [(4, 2, 3), (4, 3)], 0, 2),
    ("columns of long segments", lambda x, s: segment_attend(x, s, offsets_of([9])), [(9, 5), (9, 3)], 0, 1),
    ("columns of short segments", lambda x, s: segment_attend(x, s, offsets_of([2, 3])), [(5, 5), (5, 3)], 0, 1),
    ("scores of long segments", lambda x, s: segment_attend(x, s, offsets_of([9])), [(9, 5), (9, 3)], 1, 1),
    ("scores of short segments", lambda x, s: segment_attend(x, s, offsets_of([2, 3])), [(5, 5), (5, 3)], 1, 1),
    ("weights", lambda x, s: segment_pool(x, s, offsets_of([9])), [(9, 5), (9, 3)], 1, 1),
    ("scores", lambda s: segment_softmax(s, offsets_of([6, 3])), [(9, 3)], 0, 1),
]


@pytest.mark.parametrize(("call", "shapes", "which", "dim"), [each[1:] for each in FAR], ids=[each[0] for each in FAR])
def test_far_apart_is_as_near(call: Callable[..., Any], shapes: list[tuple[int, ...]], which: int, dim: int, tmp_path: Path) -> None:
    tensors = [randn(*shape, seed=i).half() for i, shape in enumerate(shapes)]
    found: list[list[Tensor]] = []
    for place in (lambda x: x, lambda x: far(x, dim, tmp_path / "numbers")):
        leaves = [(place(x) if i == which else x).detach().requires_grad_() for i, x in enumerate(tensors)]
        with strictly("triton"):
            answer = parts(call(*leaves))[0]
        found.append([answer, *torch.autograd.grad(answer, leaves, torch.ones_like(answer))])
    for near, apart in zip(*found, strict=True):
        assert torch.equal(near, apart)
