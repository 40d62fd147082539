"""Our own files: safetensors, which hold nothing but numbers and texts. tiles/<slide>.safetensors and features/<slide>.safetensors."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.mil.slides.features import SlideFeatures, checked
from datamodules.mil.slides.problems import SlideError
from datamodules.mil.slides.tiling import TileGrid
from datamodules.whole import write_whole

__all__ = ["look", "read_coords", "read_features", "read_grid", "read_truth", "write_features", "write_grid"]

SCHEMA = 1
ARRAYS = ("coords", "tissue", "pen")


def write_grid(path: Path, grid: TileGrid, truth: np.ndarray | None = None) -> None:
    """`truth` is each tile's share of annotated area."""
    plain = {field.name: getattr(grid, field.name) for field in fields(grid) if field.name not in ARRAYS}
    arrays = {name: getattr(grid, name) for name in ARRAYS} | ({} if truth is None else {"truth": truth})
    _write(path, arrays, {"kind": "tiles", **plain})


def read_grid(path: Path) -> TileGrid:
    arrays, about = _read(path, "tiles")
    plain: dict[str, Any] = {field.name: about[field.name] for field in fields(TileGrid) if field.name not in ARRAYS}
    plain = {key: (value[0], value[1]) if isinstance(value, list) else value for key, value in plain.items()}
    return TileGrid(**{name: arrays[name] for name in ARRAYS}, **plain)


def read_truth(path: Path) -> np.ndarray | None:
    return _one(path, "tiles", "truth")


def read_coords(path: Path, kind: str = "features") -> np.ndarray | None:
    """Of `kind` features or tiles; nothing else is read."""
    return _one(path, kind, "coords")


def write_features(path: Path, bag: SlideFeatures) -> None:
    arrays = {"features": bag.features} | ({} if bag.coords is None else {"coords": bag.coords})
    _write(path, arrays, {"kind": "features", "name": bag.name, **bag.about})


def read_features(path: Path) -> SlideFeatures:
    arrays, about = _read(path, "features")
    if "features" not in arrays:
        raise SlideError(f"{path}: has no features; write it again with 'discern mil slides features'")
    return checked(SlideFeatures(about.get("name", path.stem), arrays["features"], arrays.get("coords"), about), path)


def look(path: Path) -> tuple[tuple[int, ...], str, dict[str, Any]]:
    """(shape, type, what is said of them) of the features in a file, which are not read."""
    with _open(path, "features") as (file, about):
        if "features" not in file.keys():  # noqa: SIM118 - no mapping
            raise SlideError(f"{path}: has no features; write it again with 'discern mil slides features'")
        part = file.get_slice("features")
        return tuple(part.get_shape()), part.get_dtype(), about


def _write(path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    from safetensors.numpy import save

    path.parent.mkdir(parents=True, exist_ok=True)
    data = save({key: np.ascontiguousarray(value) for key, value in arrays.items()}, {"discern": json.dumps({"schema": SCHEMA, **about})})
    with write_whole(path) as file:
        file.write(data)


def _read(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with _open(path, kind) as (file, about):
        return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118 - no mapping


def _one(path: Path, kind: str, name: str) -> np.ndarray | None:
    with _open(path, kind) as (file, _):
        return file.get_tensor(name) if name in file.keys() else None  # noqa: SIM118 - no mapping


@contextlib.contextmanager
def _open(path: Path, kind: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            about = json.loads((file.metadata() or {}).get("discern", "{}"))
            if about.get("schema") != SCHEMA or about.get("kind") != kind:
                raise SlideError(f"{path}: holds no {kind} of schema {SCHEMA}; write it again with this version")
            yield file, about
    except FileNotFoundError:
        raise SlideError(f"{path}: no such file") from None
    except SlideError:
        raise
    except (SafetensorError, ValueError, OSError) as error:
        raise SlideError(f"{path}: no safetensors file that can be read ({error}); write it again") from None
