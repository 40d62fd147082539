"""Small sets of features for the tests, written as each tool writes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.mil.slides import clam, native, trident
from datamodules.mil.slides.features import SlideFeatures

WIDTH = 5
LAYOUTS = ("clam", "pt", "trident", "native", "npz", "npy", "h5")


def features(name: str, width: int = WIDTH, label: int = 0) -> np.ndarray:
    """Of the slide of this name always the same; float16 can hold them. Positive ones lie higher."""
    rng = np.random.default_rng(list(name.encode()))
    return (rng.integers(-8, 9, (3 + rng.integers(6), width)) / 4 + 2 * label).astype(np.float32)


def slides(count: int = 24) -> list[str]:
    return [f"slide_{i:02d}" for i in range(count)]


def write(folder: Path, names: Sequence[str], layout: str = "npz", dtype: Any = np.float32, labels: Sequence[int] | None = None) -> Path:
    """The folder that a person would name."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        x = features(name, label=0 if labels is None else labels[i]).astype(dtype)
        bag = SlideFeatures(name, x, np.zeros((len(x), 2), np.int64), {"encoder": "stats", "tile_px": 64})
        if layout in ("clam", "pt"):
            clam.write_features(folder, bag)
            if layout == "pt":
                (folder / "h5_files" / f"{name}.h5").unlink()
        elif layout == "trident":
            trident.write_features(folder / "20x_256px_0px_overlap", bag)
        elif layout == "native":
            native.write_features(folder / f"{name}.safetensors", bag)
        elif layout == "npz":
            np.savez(folder / f"{name}.npz", features=x)
        elif layout == "npy":
            np.save(folder / f"{name}.npy", x)
        else:
            import h5py

            with h5py.File(folder / f"{name}.h5", "w") as file:
                file["features"] = x
    return folder


def table(path: Path, rows: Sequence[Sequence[Any]], header: str | None = "slide_id,label") -> Path:
    lines = [] if header is None else [header]
    path.write_text("\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def labelled(folder: Path, count: int = 24, layout: str = "npz", patients: int | None = None) -> Path:
    """`count` slides, alternating labels; with `patients`, so many of them have equally many slides each."""
    names = slides(count)
    write(folder, names, layout, labels=[i % 2 for i in range(count)])
    if patients is None:
        table(folder / "labels.csv", [(name, i % 2) for i, name in enumerate(names)])
    else:
        table(folder / "labels.csv", [(name, i % 2, f"p{i % patients}") for i, name in enumerate(names)], "slide_id,label,patient_id")
    return folder


def broken(path: Path, row: int = 1) -> None:
    """One row of a .npz file is not finite."""
    x = np.load(path)["features"]
    x[row, 0] = np.nan
    np.savez(path, features=x)


def save_tensor(path: Path, x: np.ndarray) -> None:
    torch.save(torch.from_numpy(x), path)
