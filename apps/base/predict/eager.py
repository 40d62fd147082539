"""A program that is not exported, under the handles of one that is."""

from typing import Any

import torch

from apps.base.program import Program

__all__ = ["Eager"]


class Eager:
    def __init__(self, program: Program, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.program, self.metadata = program.to(self.device).eval(), program.metadata()

    def prepare(self, item: Any) -> Any:
        """One raw item (an array, a tensor, or a tuple of them) to x; a program without `prepare` takes it as it is."""
        if not hasattr(self.program, "prepare"):
            return item
        parts = item if isinstance(item, tuple) else (item,)
        with torch.inference_mode():
            return self.program.prepare(*(torch.as_tensor(part).to(self.device) for part in parts))  # pyright: ignore[reportCallIssue]

    def forward(self, *batch: Any) -> dict[str, Any]:
        with torch.inference_mode():
            return self.program(*batch)
