"""Weights from elsewhere into a trunk, or a model around one, with a report of what went where.

Shapes: N tokens, D width.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from core_attention.gates.names import plain_names
from core_attention.trunks.duo import DuoTrunk
from core_attention.trunks.vit import Vit

__all__ = ["LoadReport", "load", "resize_positions"]

# Classifiers of timm's and torchvision's models. A trunk ends before them by contract, so they are no reason to refuse a file.
CLASSIFIERS = ("head.", "fc.")
PREFIX = "trunk."  # of its names in a model around it


@dataclass
class LoadReport:
    loaded: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])  # in the model, not in the file: left as they were
    unexpected: list[str] = field(default_factory=list[str])  # in the file, not in the model: left out
    mismatched: dict[str, str] = field(default_factory=dict[str, str])  # in both, of other shapes: left as they were
    resized: dict[str, str] = field(default_factory=dict[str, str])  # loaded after a change of size

    def __str__(self) -> str:
        return ", ".join(
            [
                f"loaded {len(self.loaded)}",
                f"missing {len(self.missing)}{_some(self.missing)}",
                f"unexpected {len(self.unexpected)}",
                f"mismatched {len(self.mismatched)}{_some(_why(self.mismatched))}",
                f"resized {len(self.resized)}{_some(_why(self.resized))}",
            ]
        )


def load(model: nn.Module, state: Mapping[str, Tensor], strict: bool = True, grid: tuple[int, int] | None = None) -> LoadReport:
    """Copy `state` into a trunk, or a model with a `.trunk`. A file without names under `trunk.` is one of the trunk's own weights.

    A model with gates takes files without: the gates stay as they are.

    strict: refuse, before anything is changed, what does not fit (the file's classifier aside).
    grid: (height, width) in patches of the trunk that the file was made from, when it was not square.
    """
    report = LoadReport()
    own = model.state_dict()
    names = plain_names(model)
    gated = {plain: name for name, plain in names.items() if plain != name}  # plain names of what lies behind gates
    inner = getattr(model, "trunk", None)
    trunk, prefix = (model, "") if inner is None else (inner, PREFIX)
    bare = not any(name.startswith(PREFIX) for name in state)
    fitting: dict[str, Tensor] = {}
    placed: set[str] = set()
    for name, value in state.items():
        target = prefix + name if bare and (prefix + name in own or prefix + name in gated) else name
        target = gated.get(target, target)
        if target not in own:
            report.unexpected.append(name)
            continue
        placed.add(target)
        if target == f"{prefix}pos_embed" and isinstance(trunk, Vit | DuoTrunk):
            value = _fit_positions(trunk, value, grid, target, report)
        if value.shape != own[target].shape:
            remedy = "; grid=(height, width) of the file's patches may help" if target == f"{prefix}pos_embed" and grid is None else ""
            report.mismatched[target] = f"{tuple(value.shape)} in the file, {tuple(own[target].shape)} in the model{remedy}"
        else:
            fitting[target] = value
            report.loaded.append(target)
    needed = own if any(name not in names for name in placed) else names  # a file without gates lacks none
    report.missing = [name for name in own if name in needed and name not in placed]
    if strict:
        _refuse(report)
    model.load_state_dict(fitting, strict=False)
    return report


def _refuse(report: LoadReport) -> None:
    unexpected = [name for name in report.unexpected if not name.startswith(CLASSIFIERS)]
    for what, names in (("mismatched", _why(report.mismatched)), ("missing", report.missing), ("unexpected", unexpected)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ValueError(f"these weights do not fit the model: {what} {', '.join(names[:3])}{more}")


def _why(names: dict[str, str]) -> list[str]:
    return [f"{name}: {why}" for name, why in names.items()]


def _some(names: list[str]) -> str:
    return f" ({'; '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''})" if names else ""


def _fit_positions(trunk: Vit | DuoTrunk, value: Tensor, grid: tuple[int, int] | None, name: str, report: LoadReport) -> Tensor:
    if grid is None and value.shape == trunk.pos_embed.shape:
        return value
    changes: list[str] = []
    if trunk.placed and _patches_alone(trunk, value.shape[1], grid):
        # not placed is placed at zero
        value = torch.cat([value.new_zeros(1, trunk.placed, value.shape[2]), value], 1)
        changes.append(f"{trunk.placed} rows of zeros for the prefix")
    patches = value.shape[1] - trunk.placed
    if grid is None and _square(patches):
        grid = (math.isqrt(patches), math.isqrt(patches))
    if grid is not None and grid[0] * grid[1] != patches:
        raise ValueError(f"pos_embed has {patches} patches beside {trunk.placed} prefix rows, but grid={grid} says {grid[0] * grid[1]}")
    if grid is not None and grid != trunk.grid:
        changes.append(f"{grid[0]}x{grid[1]} to {trunk.grid[0]}x{trunk.grid[1]}")
        value = resize_positions(value, grid, trunk.grid, trunk.placed)
    if changes:
        report.resized[name] = ", ".join(changes)
    return value


def _patches_alone(trunk: Vit | DuoTrunk, rows: int, grid: tuple[int, int] | None) -> bool:
    """Whether a file with so many positions has none of a prefix, as those of DeiT III and of timm's models with registers."""
    if grid is not None:
        return rows == grid[0] * grid[1]
    if rows == trunk.grid[0] * trunk.grid[1]:
        return True
    # Beside one class token 25 rows may as well be those of 4x6 patches and of the class: `grid` has to tell.
    return trunk.placed > 1 and _square(rows) and not _square(rows - trunk.placed)


def _square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number


def resize_positions(pos_1ND: Tensor, old: tuple[int, int], new: tuple[int, int], prefix: int) -> Tensor:
    """Learned positions of a grid for another grid, bicubic with antialiasing; the prefix rows stay as they are."""
    map_1DHW = pos_1ND[:, prefix:].float().reshape(1, *old, -1).permute(0, 3, 1, 2)
    map_1DHW = interpolate(map_1DHW, size=new, mode="bicubic", antialias=True)
    return torch.cat([pos_1ND[:, :prefix], map_1DHW.permute(0, 2, 3, 1).flatten(1, 2).to(pos_1ND.dtype)], 1)
