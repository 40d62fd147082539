"""safetensors: weights to share. No program, so no trust is needed; the round trip is bitwise."""

import json

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from apps.base.errors import FailureError
from apps.base.export.bare import META
from apps.base.program import Program

__all__ = ["check", "read", "write"]


def write(program: Program, path: str, metadata: str) -> None:
    save_file(_tensors(program), path, metadata={"format": "pt", META: metadata})


def read(path: str) -> tuple[dict[str, torch.Tensor], dict]:
    """The weights by name, and the metadata."""
    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(header.get(META, "{}"))  # noqa: SIM118


def check(program: Program, path: str) -> None:
    """Every tensor comes back with its name, type, shape and bits."""
    back, _ = read(path)
    sent = _tensors(program)
    if missing := sent.keys() ^ back.keys():
        raise FailureError(f"no file was written: {min(missing)} did not survive the round trip")
    for name, value in sent.items():
        same = value.dtype == back[name].dtype and value.shape == back[name].shape
        if not same or not torch.equal(_bits(value), _bits(back[name])):
            raise FailureError(f"no file was written: the bits of {name} changed on the way")


def _tensors(program: Program) -> dict[str, torch.Tensor]:
    """Tied weights are written under each of their names: the format knows no sharing."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in program.weights().state_dict().items()}


def _bits(value: torch.Tensor) -> torch.Tensor:
    return value.contiguous().reshape(-1).view(torch.uint8)
