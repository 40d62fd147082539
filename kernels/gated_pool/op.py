"""The public `gated_pool`.

Shapes as in reference.py: T tokens of all segments, S segments, D width, H hidden units, K columns of scores.
"""

from torch import Tensor

from kernels.dispatch import Form, Operation
from kernels.gated_pool import reference, torch_form, triton_form
from kernels.ragged import check_offsets

__all__ = ["gated_pool"]


def check(
    x: Tensor,
    V: Tensor,
    U: Tensor | None,
    w: Tensor,
    offsets: Tensor,
    bv: Tensor | None = None,
    bu: Tensor | None = None,
    act: str = "tanh",
) -> None:
    if act not in reference.ACTS:
        raise ValueError(f"gated_pool: act is {' or '.join(reference.ACTS)}, not {act!r}")
    if x.ndim != 2 or V.ndim != 2 or w.ndim != 2 or V.shape != (x.shape[1], w.shape[0]):
        raise ValueError(f"gated_pool: x is (T, D), V (D, H), w (H, K), not {tuple(x.shape)}, {tuple(V.shape)}, {tuple(w.shape)}")
    if U is not None and U.shape != V.shape:
        raise ValueError(f"gated_pool: U {tuple(U.shape)} is shaped as V {tuple(V.shape)}")
    if U is None and bu is not None:
        raise ValueError("gated_pool: bu is the bias of U; without U leave it out")
    for name, bias in (("bv", bv), ("bu", bu)):
        if bias is not None and bias.shape != V.shape[1:]:
            raise ValueError(f"gated_pool: {name} {tuple(bias.shape)} does not fit V {tuple(V.shape)}; it is ({V.shape[1]},)")
    check_offsets("gated_pool", offsets, x.shape[0])


gated_pool = Operation(
    reference.gated_pool,
    check,
    torch=Form(torch_form.gated_pool, torch_form.declines),
    triton=Form(triton_form.gated_pool, triton_form.declines, triton_form.pays),
)
