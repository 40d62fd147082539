"""From photographs to aligned faces: who finds them, how long it takes, and what a missing pair of eyes costs.

    OMP_NUM_THREADS=1 python -m benchmarks.ahan.detection --data DIR [--detector FILE.onnx ...] [--model ahan.ts] [--smoke]

--data: the folder with lfw-mini.tar, photographs of 250 x 250 that nobody cropped. --detector: YuNet, SCRFD or RetinaFace files to measure,
too; they are run, so they are trusted. --model: an exported program, for what an alignment costs a verification; without it those cells
are not measured.

Three kinds of rows. Photographs: reasons of failure, and the processor's milliseconds for one with alignment and quality. Alignment: drawn
faces whose five points are known, put into photographs turned, moved and scaled at random: where the template's points come to lie, by
the eyes, by the box alone (coarse), and by all five true points, which is what is left of pose and expression. Every row of these has the
faces of which the detector finds the eyes. Verification: the same faces, embedded by the model as each of the three frames them.
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from apps.ahan.faces import Detector, Face, Framer, get_detector
from apps.ahan.metrics import auc
from apps.base.errors import UserError
from apps.base.predict.program_file import ProgramBytes, ProgramFile
from apps.base.predict.run import run
from benchmarks.record import write
from datamodules.ahan.layouts import read
from datamodules.ahan.pairs import GENUINE, draw_pairs
from datamodules.ahan.synth import TwinFaceSet, twin_faces
from datamodules.ahan.template import SIDE, box_similarity, similarity, template, warp
from datamodules.pictures import decode

__all__ = ["Placed", "displaced", "photographs", "placed"]

DRAWN, CANVAS = 160, 360  # pixels of a drawn face, of the photograph that it is put into
NAMED = ("haar", "lbp")


class Placed(NamedTuple):
    photo: np.ndarray
    points: np.ndarray  # float64 (5,2), the true ones
    face: Face  # as the detector found it, with the eyes


def photographs(detector: Detector, pictures: list[np.ndarray]) -> dict[str, Any]:
    framer, reasons, coarse, seconds = Framer(detector, SIDE), Counter[str](), 0, []
    for picture in pictures:
        start = time.process_time()
        quality = framer(picture).quality
        seconds.append(time.process_time() - start)
        reasons[quality.reason or "usable"] += 1
        coarse += quality.coarse
    failed = ", ".join(f"{name} {count}" for name, count in sorted(reasons.items()) if name != "usable")
    return {
        "detector": detector.name,
        "photographs": len(pictures),
        "usable": reasons["usable"],
        "coarse": coarse,
        "failures": failed or "none",
        "cpu_ms": round(1000 * statistics.median(seconds), 1),
    }


def placed(made: TwinFaceSet, detector: Detector, seed: int = 0) -> tuple[list[Placed], list[int]]:
    """(the faces whose eyes the detector finds in a photograph, their numbers in the set)."""
    rng = np.random.default_rng(seed)
    found, numbers = [], []
    for number, (image, points) in enumerate(zip(made.images, made.points, strict=True)):
        angle, scale = np.deg2rad(rng.uniform(-12, 12)), rng.uniform(0.7, 1.3)
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        turn = np.array([[c, -s], [s, c]])
        matrix = np.column_stack([turn, rng.uniform(-15, 15, 2) + CANVAS / 2 - turn @ np.full(2, DRAWN / 2)])
        photo = np.full((CANVAS, CANVAS, 3), 128, np.uint8)
        cv2.warpAffine(image, matrix, (CANVAS, CANVAS), photo, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        faces = [face for face in detector.detect(photo)[:1] if face.points is not None]
        if faces:
            found.append(Placed(photo, points @ turn.T + matrix[:, 2], faces[0]))
            numbers.append(number)
    return found, numbers


def frames(one: Placed, size: int) -> dict[str, np.ndarray]:
    """The matrix of each way to frame a face."""
    assert one.face.points is not None
    return {
        "five true points": similarity(one.points, size),
        "eyes": similarity(one.face.points[:2], size),
        "coarse": box_similarity(one.face.box, size),
    }


def displaced(matrix_23: np.ndarray, true_23: np.ndarray) -> tuple[float, float, float]:
    """(root mean square distance in pixels of the 112 frame, degrees, share of scale) by which a frame misses the true one."""
    back = np.linalg.inv(np.vstack([true_23, [0, 0, 1]]))
    away = (np.vstack([matrix_23, [0, 0, 1]]) @ back)[:2]
    points = template(SIDE)
    moved = points @ away[:, :2].T + away[:, 2]
    scale = float(np.hypot(away[0, 0], away[1, 0]))
    angle = float(np.degrees(np.arctan2(away[1, 0], away[0, 0])))
    return float(np.sqrt(((moved - points) ** 2).sum(1).mean())), abs(angle), abs(scale - 1)


def alignment(found: list[Placed], detector: Detector) -> list[dict[str, Any]]:
    rows = []
    for way in ("eyes", "coarse"):
        errors = np.array([displaced(frames(one, SIDE)[way], frames(one, SIDE)["five true points"]) for one in found])
        median = np.median(errors, 0)
        rows.append(
            {
                "frame": f"{detector.name}, {way}",
                "faces": len(found),
                "away_px": round(float(median[0]), 2),
                "away_px_p90": round(float(np.percentile(errors[:, 0], 90)), 2),
                "turned_degrees": round(float(median[1]), 2),
                "scaled_percent": round(100 * float(median[2]), 1),
            }
        )
    return rows


def verification(found: list[Placed], numbers: list[int], made: TwinFaceSet, program: ProgramFile | None) -> list[dict[str, Any]]:
    rows = []
    person, family, visit = (part[numbers] for part in (made.person, made.family, made.visit))
    pairs = draw_pairs(person, family, visit, 0, None, False)
    for way in ("five true points", "eyes", "coarse"):
        row: dict[str, Any] = {"framed_by": way, "pairs": len(pairs.same), "auc_general": "not measured", "auc_twin": "not measured"}
        row["model"] = "-" if program is None else program.metadata["model"][:12]
        if program is not None:
            size = program.metadata["size"]
            items = [(at, warp(one.photo, frames(one, size)[way], size), None) for at, one in enumerate(found)]
            vectors = [result.outputs["embedding"][0].numpy() for result in run(program, items, 16) if result.outputs is not None]
            scores = (np.stack(vectors)[pairs.first] * np.stack(vectors)[pairs.second]).sum(1)
            for name in ("general", "twin"):
                chosen = (pairs.kind == GENUINE) | (pairs.kind == name)
                row[f"auc_{name}"] = round(auc(scores[chosen], pairs.same[chosen]), 4)
        rows.append(row)
    return rows


def _detectors(files: list[str]) -> list[Detector]:
    found = []
    for name in (*NAMED, *files):
        try:
            found.append(get_detector(name, trusting=True))
        except UserError as error:
            print(f"{name}: not measured: {error}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with lfw-mini.tar")
    parser.add_argument("--detector", action="append", default=[], metavar="FILE", help="an ONNX detector to measure, too")
    parser.add_argument("--model", type=Path, help="an exported program of ahan")
    parser.add_argument("--families", type=int, default=30, help="of drawn twins, six images each")
    parser.add_argument("--smoke", action="store_true", help="few of everything, and nothing written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ahan_detection.json"))
    options = parser.parse_args()
    program = ProgramFile(ProgramBytes(options.model)) if options.model else None
    rows: list[dict[str, Any]] = []
    detectors = _detectors(options.detector)
    table = read(options.data / "lfw-mini.tar")
    pictures = [decode(table.store.read(record.file), record.file) for record in table.records[: 4 if options.smoke else None]]
    for detector in detectors:
        rows.append(photographs(detector, pictures))
        print(rows[-1], flush=True)
    made = twin_faces(2 if options.smoke else options.families, 6, DRAWN, seed=7)
    found, numbers = placed(made, get_detector("haar"))
    rows += alignment(found, get_detector("haar"))
    rows += verification(found, numbers, made, program)
    for row in rows:
        print(row, flush=True)
    if not options.smoke:
        write(options.out, "ahan_detection", rows)


if __name__ == "__main__":
    main()
