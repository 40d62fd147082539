"""TorchScript: the first format. It answers fastest from a cold start, and needs torch alone."""

from typing import Any

import torch

from apps.base.export.bare import META
from apps.base.program import Program, method_names, quiet_jit, with_traces

__all__ = ["write"]


def write(program: Program, path: str, metadata: str) -> None:
    twin: Any = with_traces(program)
    with quiet_jit():
        scripted = torch.jit.script(twin)
        offered = scripted._c._method_names()
        for method in method_names(program):
            if method not in offered:
                raise TypeError(f"{type(program).__name__}.{method} is not marked @torch.jit.export")
        torch.jit.save(scripted, path, _extra_files={META: metadata})
