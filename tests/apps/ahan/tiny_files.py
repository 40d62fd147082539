"""An exported file of a model so small that it is made in a second, once a test process; faces to ask it about; thresholds."""

import functools
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from apps.ahan.calibration_file import CalibrationFile, Open
from apps.ahan.decision import Calibration, Threshold
from apps.ahan.options import Tapwca
from apps.ahan.presets import build
from apps.ahan.program import EmbedRegions
from apps.base.export import torchscript
from apps.base.program import method_names
from datamodules.ahan.synth import Knobs, twin_faces
from kernels.dispatch import use_backend

_KEPT = tempfile.TemporaryDirectory()
FAMILIES, EACH = 6, 4


def embed_file(seed: int = 0) -> Path:
    return _embed_file(seed)


@functools.cache
def _embed_file(seed: int) -> Path:
    """As an export writes it, without the check in a fresh interpreter, which is tested elsewhere."""
    path = Path(_KEPT.name) / f"embed-{seed}.ts"
    program = EmbedRegions(build("tiny", tapwca=Tapwca(), seed=seed).eval(), "made from a seed", [])
    metadata = {**program.metadata(), "schema": 1, "methods": method_names(program), "discern": "test"}
    with torch.no_grad(), use_backend("reference"):
        torchscript.write(program.eval(), str(path), json.dumps(metadata))
    return path


def made_by(seed: int = 0) -> tuple[str, str]:
    """(model, aligner) of the file."""
    from apps.base.predict.program_file import ProgramBytes

    told = ProgramBytes(embed_file(seed)).metadata()
    return told["model"], told["aligner"]


def write_faces(folder: Path) -> list[str]:
    """Aligned faces of 12 people in pairs of twins, 4 of each: face-<family><a|b>-<number>.png."""
    folder.mkdir()
    made = twin_faces(FAMILIES, EACH, seed=3, knobs=Knobs(pose=0.0, occlude=0.0))
    names = []
    for at, (image, person) in enumerate(zip(made.images, made.person, strict=True)):
        names.append(str(folder / f"face-{person // 2}{'ab'[person % 2]}-{at % EACH}.png"))
        cv2.imwrite(names[-1], image[:, :, ::-1].copy())
    return names


def write_table(folder: Path) -> Path:
    """The same with faces.csv: who they are, two visits of each, and a column `light`."""
    rows = ["image,person,family,kind,session,split,light"]
    for name in write_faces(folder):
        file = Path(name).name
        _, person, number = file.removesuffix(".png").split("-")
        light = "day" if int(person[:-1]) % 2 else "lamp"
        rows.append(f"{file},{person},{person[:-1]},MZ,{int(number) // 2},val,{light}")
    (folder / "faces.csv").write_text("\n".join(rows) + "\n")
    return folder / "faces.csv"


def threshold(value: float, far: float = 0.01) -> Threshold:
    return Threshold(value, far, 0.0, 0.02, 0.9, 1000, 40)


def calibration(
    general: float = -1.0, twin: float | None = -1.0, delta: float | None = 0.0, identify: float | None = -1.0
) -> CalibrationFile:
    """By default everybody is accepted who is no further away than the twin."""
    model, aligner = made_by()
    made = CalibrationFile(model, aligner, Calibration(threshold(general), threshold(twin) if twin is not None else None, delta))
    return replace(made, identify=None if identify is None else Open(identify, 0.01, 50, 0.0002, 5000, 0.9))
