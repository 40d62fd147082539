"""Files of untrained readers, and pictures to read, small enough for tests."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from apps.base.export import export_program
from apps.base.shell import Shell
from apps.otsnet.program import ReadWords
from datamodules.preprocess import Preprocess
from tests.apps.otsnet.tiny import CHARSET, reader

FACTS = {
    "preprocess": Preprocess((32, 64), fit="squash", mean=(0.5,) * 3, std=(0.5,) * 3).settings(),
    "licence": "",
    "charset": CHARSET,
    "calibration": {"characters": 1.5, "words": 2.0},
}


def weights_file(folder: Path, name: Any = "otsnet", charset: str = CHARSET, **options: Any) -> Path:
    """The reader with its metadata, as `export -o FILE.safetensors` writes it."""
    path = folder / f"{name}.safetensors"
    export_program(ReadWords(reader(name, charset=charset, **options), {**FACTS, "charset": charset}, []), path, None, Shell(quiet=True))
    return path


def write_pictures(folder: Path, n: int = 3, size: tuple[int, int] = (20, 50)) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"word-{number}.png" for number in range(n)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8))
    return paths
