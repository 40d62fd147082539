"""Three operations that PyTorch's exporter to ONNX has no form for, written with operators of ONNX itself."""

from collections.abc import Sequence
from typing import Any

import torch
from onnxscript import opset18 as op

__all__ = ["OPERATIONS"]

INT64 = 7  # onnx.TensorProto.INT64


def sort_stable(x: Any, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """TopK of all: of equal values ONNX puts the one that stood first in front, in either direction, so it is stable."""
    size = op.Gather(op.Shape(x), op.Constant(value_ints=[dim]))
    return op.TopK(x, size, axis=dim, largest=int(descending), sorted=1)


def searchsorted(
    edges: Any, values: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None, sorter: Any = None
) -> Any:
    """How many edges lie below each value. Both have one dimension: where segments begin, and places of tokens."""
    if len(edges.shape) != 1 or len(values.shape) != 1 or out_int32 or side is not None or sorter is not None:
        raise NotImplementedError("searchsorted in ONNX is of one dimension, int64, and has no side and no sorter")
    edges_1S, values_T1 = op.Unsqueeze(edges, op.Constant(value_ints=[0])), op.Unsqueeze(values, op.Constant(value_ints=[1]))
    below_TS = op.LessOrEqual(edges_1S, values_T1) if right else op.Less(edges_1S, values_T1)
    return op.ReduceSum(op.Cast(below_TS, to=INT64), op.Constant(value_ints=[1]), keepdims=0)


def largest(x: Any, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
    """amax; torch means all dimensions where it names none."""
    if not dim:
        return op.ReduceMax(x, keepdims=int(keepdim))
    return op.ReduceMax(x, op.Constant(value_ints=list(dim)), keepdims=int(keepdim))


OPERATIONS = {
    torch.ops.aten.sort.stable: sort_stable,
    torch.ops.aten.searchsorted.Tensor: searchsorted,
    torch.ops.aten.amax.default: largest,
}
