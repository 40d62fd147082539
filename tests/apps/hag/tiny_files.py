"""An exported file of a sizer so small that it is made in a second, once a test process; frames, boxes and videos to ask it about."""

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from apps.base.export import torchscript
from apps.base.program import method_names
from apps.hag.model import Hag
from apps.hag.options import Head
from apps.hag.program import Size
from core_attention.trunks import build_trunk
from datamodules.hag.framing import Framing
from datamodules.hag.synth import PolypSet, synth_polyps
from kernels.dispatch import use_backend

_KEPT = tempfile.TemporaryDirectory()
SIDE = 48


def size_file(kind: Any = "both", seed: int = 0, **told: Any) -> Path:
    """Heads of this kind; as an export writes it, without the check in a fresh interpreter, which is tested elsewhere.

    told: further facts; with a depth among what is done to frames and planes (`sight`) the network reads that plane.
    """
    return _size_file(kind, seed, json.dumps(told))


@functools.cache
def _size_file(kind: Any, seed: int, told: str) -> Path:
    torch.manual_seed(seed)
    head = Head(kind, hidden=8)
    of_mm = {"target": "log", "begin": 6.0} if head.regresses else {}
    facts = json.loads(told)
    planes = ["depth"] if "depth" in facts.get("sight", {}) else []
    channels = [0, 1, 2, *range(3, 3 + len(planes))]
    trunk = build_trunk("resnet18", width=0.125, stages=2, stem=2, channels=len(channels))
    model = Hag({"rgb": (trunk, channels)}, head, **of_mm).eval()
    framing = Framing(SIDE, planes=planes).settings()
    program = Size(model, {"framing": framing, "planes": planes, "licence": "made from a seed", **facts}, [])
    metadata = {**program.metadata(), "schema": 1, "methods": method_names(program), "discern": "test"}
    path = Path(_KEPT.name) / f"size-{kind}-{seed}-{abs(hash(told))}.ts"
    with torch.no_grad(), use_backend("reference"):
        torchscript.write(program.eval(), str(path), json.dumps(metadata))
    return path


@functools.cache
def made(polyps: int = 64, frames: int = 2) -> PolypSet:
    return synth_polyps(polyps, frames, SIDE, seed=5)


def write_set(folder: Path, polyps: int = 64) -> Path:
    """frames.csv with boxes and mm: a quarter of the polyps to train, half to validate, a quarter to test."""
    folder.mkdir()
    found, rows = made(), ["image,polyp,patient,mm,xmin,ymin,xmax,ymax,split"]
    for at in range(2 * polyps):
        polyp, box = int(found.scenes.polyp[at]), found.scenes.box[at]
        split = "train" if polyp < polyps // 4 else "val" if polyp < 3 * polyps // 4 else "test"
        name = f"frame-{at:03d}.png"
        cv2.imwrite(str(folder / name), np.ascontiguousarray(found.images[at][:, :, ::-1]))
        corners = ",".join(f"{value:.2f}" for value in box)
        rows.append(f"{name},p{polyp},p{polyp},{found.scenes.read_mm[at]:.3f},{corners},{split}")
    (folder / "frames.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_frames(folder: Path, count: int = 6, each: int = 2) -> Path:
    """frame-0.png and so on, and boxes.csv that calls each two of them one polyp."""
    folder.mkdir()
    found, rows = made(), ["image,xmin,ymin,xmax,ymax,polyp"]
    for at in range(count):
        cv2.imwrite(str(folder / f"frame-{at}.png"), np.ascontiguousarray(found.images[at][:, :, ::-1]))
        rows.append(",".join([f"frame-{at}.png", *(f"{value:.2f}" for value in found.scenes.box[at]), f"polyp-{at // each}"]))
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_video(path: Path, frames: int = 12, rate: float = 10.0, side: int = SIDE) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (side, side))
    assert writer.isOpened()
    for at in range(frames):
        writer.write(np.ascontiguousarray(cv2.resize(made().images[at], (side, side))[:, :, ::-1]))
    writer.release()
    return path
