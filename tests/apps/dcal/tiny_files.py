"""Exported files of models so small that they are made in seconds, once a test process; and pictures to ask them about."""

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import torch

from apps.base.export import export_program, torchscript
from apps.base.program import Program, method_names
from apps.base.shell import Shell
from apps.dcal.embed import Embed
from apps.dcal.model import Dcal
from apps.dcal.options import Glca
from apps.dcal.program import Classify
from core_attention.trunks import build_trunk
from datamodules.dcal.synth_identities import identities
from datamodules.preprocess import Preprocess
from kernels.dispatch import use_backend

THRESHOLD = 0.5
_KEPT = tempfile.TemporaryDirectory()


def tiny_model(seed: int = 0, head: str = "neck") -> Dcal:
    """Pictures of 24 x 24, 16 patches, 4 of them chosen."""
    trunk = build_trunk("vit_micro", seed=seed, depth=2, width=16, heads=2, image=24)
    return Dcal(trunk, 4, Glca(ratio=0.3), head=head, generator=torch.Generator().manual_seed(seed)).eval()


def facts(rows: int = 1) -> dict[str, Any]:
    """With thresholds for the first `rows` rates."""
    calibration = [{"far": far, "threshold": THRESHOLD, "tar": 0.9, "pairs": 5000} for far in (0.1, 0.01)[:rows]]
    preprocess = Preprocess(24, fit="squash", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)).settings()
    return {"preprocess": preprocess, "licence": "made from a seed; no data", "calibration": calibration}


@functools.cache
def embed_file(seed: int = 0, branches: str = "both", rows: int = 2, suffix: str = ".ts") -> Path:
    path = Path(_KEPT.name) / f"embed-{seed}-{branches}-{rows}{suffix}"
    return _written(Embed(tiny_model(seed), facts(rows), [], branches), path)


def classifier() -> Classify:
    plain = {**facts(), "classes": ["ash", "birch", "cedar", "dune"], "box_crop": False}
    plain["calibration"] = {"temperature": {}, "threshold": 0.0}
    plain["preprocess"] = Preprocess(24, fit="crop", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)).settings()
    return Classify(tiny_model(head="linear"), plain, [], "both")


@functools.cache
def classify_file() -> Path:
    return _written(classifier(), Path(_KEPT.name) / "classify.ts")


def _written(program: Program, path: Path) -> Path:
    """As an export writes it; TorchScript without the check in a fresh interpreter, which takes seconds a file and is tested elsewhere."""
    if path.suffix == ".pt2":
        export_program(program, path, None, Shell(quiet=True))
    else:
        metadata = {**program.metadata(), "schema": 1, "methods": method_names(program), "discern": "test"}
        with torch.no_grad(), use_backend("reference"):
            torchscript.write(program.eval(), str(path), json.dumps(metadata))
    return path


def yard(folder: Path, count: int = 3, each: int = 2) -> list[str]:
    """Pictures of `count` identities by two cameras, `each` by each, and what is known of them in yard.csv beside the folder."""
    folder.mkdir()
    made = identities(torch.arange(count).numpy(), each=each, seed=0)
    lines, names = ["file,camera,label"], []
    for i, (image, identity, camera) in enumerate(zip(made.images, made.identities, made.cameras, strict=True)):
        name = f"{i:03}.png"
        cv2.imwrite(str(folder / name), image[:, :, ::-1])
        lines.append(f"{folder.name}/{name},{camera},beetle {identity}")
        names.append(str(folder / name))
    (folder.parent / f"{folder.name}.csv").write_text("\n".join(lines) + "\n")
    return names
