"""pt2: the heir of TorchScript. Forward is the archive itself; every other method is an exported program of its own inside it.

A scripted loop of unknown length has no exported form: such a program is refused here and stays TorchScript.
"""

import io
from typing import Any

import torch
import torch.fx.experimental._config as sizes
from torch import nn

from apps.base.errors import FailureError
from apps.base.export.bare import META
from apps.base.program import Call, Program, last_line, method_names

__all__ = ["exported", "write"]


class _Method(nn.Module):
    """torch.export takes a module's forward: this is a method in its clothes."""

    def __init__(self, program: Program, method: str) -> None:
        super().__init__()
        self.program = program
        self.method = method

    def forward(self, *args: Any) -> Any:
        return getattr(self.program, self.method)(*args)


def write(program: Program, path: str, metadata: str, calls: list[Call]) -> None:
    extra = {META: metadata}
    for method in method_names(program):
        if method != "forward":
            inner = io.BytesIO()
            torch.export.save(_strip(exported(program, method, calls, "pt2")), inner)
            extra[f"{method}.pt2"] = inner.getvalue().decode("latin-1")  # extra files are text
    with open(path, "wb") as file:  # noqa: PTH123
        torch.export.save(exported(program, "forward", calls, "pt2"), file, extra_files=extra)


def exported(program: Program, method: str, calls: list[Call], form: str) -> torch.export.ExportedProgram:
    """One method with its free sizes; what torch.export has no form for is refused in the name of `form`."""
    args = next((call.args for call in calls if call.method == method), None)
    if args is None:
        raise ValueError(f"{type(program).__name__}.calls() has no call of {method}")
    dynamic = (program.dynamic(method, args),)
    # Oblivious: the size that stands in the example decides nothing, so that "is it one?" and "is it contiguous?" keep no guard.
    with torch.no_grad(), sizes.patch(backed_size_oblivious=True):  # pyright: ignore[reportAttributeAccessIssue]
        try:
            return torch.export.export(_Method(program, method), args, dynamic_shapes=dynamic)
        except Exception as error:  # torch.export raises whatever its parts raise
            what = f"{type(program).__name__}.{method}"
            raise FailureError(f"{what} has no {form} form with free sizes ({last_line(error)[:200]}); write .ts instead") from error


def _strip(exported: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Parameters that the method never reads would ride along: every method would carry the whole model."""
    inputs = [node for node in exported.graph.nodes if node.op == "placeholder"]
    for node, spec in zip(inputs, exported.graph_signature.input_specs, strict=True):
        if spec.target in exported.state_dict and not node.users:
            exported.state_dict[spec.target] = _empty_like(exported.state_dict[spec.target])
    return exported


def _empty_like(value: torch.Tensor) -> torch.Tensor:
    empty = torch.empty(0, dtype=value.dtype)
    return nn.Parameter(empty, requires_grad=False) if isinstance(value, nn.Parameter) else empty
