"""Operations that PyTorch's exporter to ONNX has no form for, or one that is not close enough, written with operators of ONNX itself."""

from collections.abc import Sequence
from typing import Any

import onnxscript
import torch

__all__ = ["OPERATIONS"]

op: Any = onnxscript.opset18  # its annotations are of what a graph is made of, not of what is given while one is made
FLOAT, INT64 = 1, 7  # onnx.TensorProto


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


def products(x: Any, dim: int, *, dtype: Any = None) -> Any:
    """cumprod along the last dimension: of each place the product of all up to it."""
    if dim not in (-1, len(x.shape) - 1) or dtype is not None:
        raise NotImplementedError("cumprod in ONNX goes along the last dimension and keeps its type")
    size = op.Squeeze(op.Gather(op.Shape(x), op.Constant(value_ints=[dim])), op.Constant(value_ints=[0]))
    places_B = op.Range(op.Constant(value_int=0), size, op.Constant(value_int=1))
    before_BB = op.LessOrEqual(op.Unsqueeze(places_B, op.Constant(value_ints=[0])), op.Unsqueeze(places_B, op.Constant(value_ints=[1])))
    upto_BB = op.Where(before_BB, op.Unsqueeze(x, op.Constant(value_ints=[-2])), op.CastLike(op.Constant(value_floats=[1.0]), x))
    return op.ReduceProd(upto_BB, op.Constant(value_ints=[-1]), keepdims=0)


def resized(x: Any, output_size: Sequence[int], align_corners: bool, scales_h: float | None = None, scales_w: float | None = None) -> Any:
    """Bilinear and antialiased: a matrix of weights for the columns, one for the rows.

    Resize of ONNX rounds the places it reads at otherwise than torch: up to 9e-5 beside it at 224 pixels.
    """
    if align_corners or scales_h is not None or scales_w is not None or not all(isinstance(size, int) for size in output_size):
        raise NotImplementedError("resizing in ONNX is to a fixed size, without align_corners and without scales")
    rows, columns = (_weights(op.Gather(op.Shape(x), op.Constant(value_ints=[2 + i])), size) for i, size in enumerate(output_size))
    return op.MatMul(rows, op.MatMul(x, op.Transpose(columns, perm=[1, 0])))


def _weights(read: Any, write: int) -> Any:
    """(written, read): how much of each pixel goes into each, step by step in float32 as torch does it."""
    one = op.Constant(value_floats=[1.0])
    scale = op.Div(op.Cast(read, to=FLOAT), op.Constant(value_floats=[float(write)]))
    middles_W = op.Mul(scale, op.Constant(value_floats=[i + 0.5 for i in range(write)]))
    stop = op.Squeeze(read, op.Constant(value_ints=[0]))
    places_R = op.Cast(op.Range(op.Constant(value_int=0), stop, op.Constant(value_int=1)), to=FLOAT)
    away_WR = op.Sub(places_R, op.Unsqueeze(middles_W, op.Constant(value_ints=[1])))
    away_WR = op.Mul(op.Add(away_WR, op.Constant(value_floats=[0.5])), op.Where(op.GreaterOrEqual(scale, one), op.Div(one, scale), one))
    triangle_WR = op.Max(op.Sub(one, op.Abs(away_WR)), op.Constant(value_floats=[0.0]))
    return op.Div(triangle_WR, op.ReduceSum(triangle_WR, op.Constant(value_ints=[1]), keepdims=1))


OPERATIONS = {
    torch.ops.aten._upsample_bilinear2d_aa.default: resized,
    torch.ops.aten.cumprod.default: products,
    torch.ops.aten.sort.stable: sort_stable,
    torch.ops.aten.searchsorted.Tensor: searchsorted,
    torch.ops.aten.amax.default: largest,
}
