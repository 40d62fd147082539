"""The public `history_attention`. Shapes as in reference.py: N nodes, L layers, D width, S graphs."""

from torch import Tensor

from kernels.dispatch import Form, Operation
from kernels.history_attention import reference, torch_form, triton_form
from kernels.ragged import check_offsets

__all__ = ["history_attention"]


def check(
    states: Tensor,
    u: Tensor | None,
    bias: Tensor | None = None,
    offsets: Tensor | None = None,
    norm: str = "softmax",
    eps: float = 0.05,
) -> None:
    if norm not in reference.NORMS:
        raise ValueError(f"history_attention: norm is {', '.join(reference.NORMS)}, not {norm!r}")
    if states.ndim != 3 or states.shape[1] < 1:
        raise ValueError(f"history_attention: states are (N, L, D) with L >= 1, not {tuple(states.shape)}")
    nodes, layers, width = states.shape
    if (u is None) != (norm == "uniform"):
        raise ValueError("history_attention: norm='uniform' takes no u, every other norm needs one")
    if u is not None and u.shape not in ((nodes, width), (width,)):
        raise ValueError(f"history_attention: u {tuple(u.shape)} does not fit states {tuple(states.shape)}; it is (N, D) or (D,)")
    if bias is not None and norm == "uniform":
        raise ValueError("history_attention: norm='uniform' takes no bias")
    if bias is not None and bias.shape not in ((nodes, layers), (layers,)):
        raise ValueError(f"history_attention: bias {tuple(bias.shape)} does not fit states {tuple(states.shape)}; it is (N, L) or (L,)")
    if not 0.0 < eps <= 1.0:
        raise ValueError(f"history_attention: eps is in (0, 1], not {eps}")
    if offsets is not None:
        check_offsets("history_attention", offsets, nodes)


history_attention = Operation(
    reference.history_attention,
    check,
    torch=Form(torch_form.history_attention, torch_form.declines),
    triton=Form(triton_form.history_attention, triton_form.declines, triton_form.pays),
)
