"""An exported bag model for the tests, that knows the made slides' tumours: what it says of a tile is learned from the truth."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from apps.base.export import export_program
from apps.base.shell import Shell
from apps.mil.options import Host
from apps.mil.slides.tile_stats import STATS_DIM, tile_stats
from apps.mil.task import Classification
from datamodules.mil.synth_slides import make_slide

PX, MPP = 64, 1.0
STATS_SHA = "0c04a4d4283429394215d58de8196220a9fe9732aa3839f1cde7dc2ea7d12d53"
ENCODING = {"encoder": "stats", "encoder_sha256": STATS_SHA, "dim": STATS_DIM, "transform": None, "mpp_target": MPP, "tile_px": PX}


def tiles() -> tuple[torch.Tensor, torch.Tensor]:
    """(features (N,48), whether the tile is tumour) of two made slides, at 1 um per pixel."""
    features, truth = [], []
    for seed in (50, 51):
        made = make_slide(1024, 1024, seed)
        for y in range(0, 1024, 128):
            for x in range(0, 1024, 128):
                part = np.s_[y : y + 128, x : x + 128]
                if made.tissue[part].mean() > 0.5:
                    features.append(tile_stats(made.picture[part][None, ::2, ::2])[0])
                    truth.append(made.tumour[part].mean() > 0.5)
    return torch.from_numpy(np.stack(features)), torch.tensor(truth)


def write_bag_file(path: Path, encoding: dict[str, Any] | None = ENCODING, labels: tuple[str, ...] = ("normal", "tumour")) -> Path:
    """Trained with every tile as a bag of its own; as attention has nothing to learn from that, it is made to follow the answer."""
    x_NF, truth_N = tiles()
    facts = {
        "classes": list(labels), "features": STATS_DIM, "mean": x_NF.mean(0).tolist(), "std": x_NF.std(0).tolist(), "patients": [],
        "counts": [1] * len(labels), "licence": "generated", "protocol": "clean", "threshold": 0.4, "encoder": encoding or {},
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        task = Classification(host=Host("ab_mil", dim=16, dropout=0.0))
        task.build(facts)
        program = task.eval().program("bags", [x_NF])
        student = task.model.student
        ready = program.prepare(x_NF)
        optimizer = torch.optim.Adam(student.parameters(), 0.02)
        for _ in range(60):
            answered = program.answering.model.answer(ready, program_segments(len(x_NF)), detail=True)
            told = torch.nn.functional.cross_entropy(answered.instance, truth_N.long())
            share = answered.attention.mean(1)[truth_N].sum()
            optimizer.zero_grad()
            (told - share.log()).backward()
            optimizer.step()
    export_program(program, path, None, Shell(quiet=True))
    return path


def retold(source: Path, path: Path, encoding: dict[str, Any] | None) -> Path:
    """The same program, saying that it was trained on other features."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith("extra/discern.json"):
                data = json.dumps(json.loads(data) | {"encoder": encoding or {}}).encode()
            new.writestr(entry, data)
    return path


def program_segments(n: int) -> Any:
    from core_attention.segments import Segments

    return Segments.from_lengths([n])
