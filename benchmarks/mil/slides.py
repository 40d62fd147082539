"""From slide files to answers and maps, by the application's own command, on made slides whose truth is known.

    OMP_NUM_THREADS=1 python -m benchmarks.mil.slides [--slides 40] [--data slides/real_wsi] [--smoke]

Slides of 2048 x 2048 pixels at 0.5 um, two a patient, every second with a disc of tumour: of full contrast (easy), and of a quarter of it
(hard). Tiles of 128 px at 1 um, the built-in statistics of tiles as features, annotations as the truth of tiles. Then `mil crossval`,
grouped by patient, of three models with one budget of epochs, rate and width, which suits three minutes and is not tuned; mining spends
half of its epochs on its teacher. Trees are those that every `mil test` grows. Mask and pen are compared with the truth at 8 um.
Seconds are of this process. --data: what happens to real files, opened or refused.
"""

import argparse
import contextlib
import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from apps.cli import main as discern
from benchmarks.record import write
from datamodules.mil.slides.contours import Region, rasterise, read_geojson, write_geojson
from datamodules.mil.synth_slides import make_slide, outlines, write_slide

CONTRAST = {"easy": 1.0, "hard": 0.25}
SIDE, PX, SHRINK = 2048, 128, 16
BUDGET = ("--config", "features", "--model.host.dim=64", "--model.optim.lr=1e-3", "--data.batch_size=4")
HOST, MASK = ("--config", "plain"), ("--model.mask.random=0", "--model.mask.high=0.05")
ARMS = {"mean pooling": (*HOST, "--model.host.name=mean", "--model.host.gated=false"), "host: gated AB-MIL": HOST, "mined": MASK}


def said(*words: object, allow: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """What the command answers."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = discern(["--quiet", "mil", *map(str, words)])
    if code not in allow:
        raise SystemExit(f"discern mil {' '.join(map(str, words))} left with {code}")
    return json.loads(out.getvalue().splitlines()[-1])


def make(folder: Path, count: int, side: int, contrast: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The files, with (tissue outside of pen, pen) of each slide at 8 um."""
    (folder / "annotations").mkdir(parents=True)
    truth, lines = {}, ["slide_id,label,patient_id"]
    for i in range(count):
        name = f"made_{i:03d}"
        made = make_slide(side, side, i, tumour=i % 2 == 1, contrast=contrast)
        write_slide(folder / f"{name}.svs", made)
        regions = [Region(ring, kind="Tumor") for ring in outlines(made.tumour)]
        write_geojson(folder / "annotations" / f"{name}.geojson", regions)
        lines.append(f"{name},{'tumour' if i % 2 else 'normal'},p{i // 2}")
        truth[name] = (shrunk(made.tissue & ~made.pen), shrunk(made.pen))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return truth


def shrunk(mask: np.ndarray) -> np.ndarray:
    size = (mask.shape[1] // SHRINK, mask.shape[0] // SHRINK)
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5


def front_end(name: str, count: int, side: int, px: int) -> list[dict[str, Any]]:
    truth = make(Path(name), count, side, CONTRAST[name])
    start = time.process_time()
    said(
        "slides", "features", name, "--job", f"{name}_job", "--encoder", "stats", "--px", px, "--mpp", 1, "--jobs", 1,
        "--annotations", f"{name}/annotations",
    )  # fmt: skip
    seconds = (time.process_time() - start) / count
    shares, ious = [], []
    for slide, (tissue, pen) in truth.items():
        mask = rasterise(read_geojson(Path(f"{name}_job/contours_geojson/{slide}.geojson")), (side, side), tissue.shape) > 0
        ious.append((mask & tissue).sum() / (mask | tissue).sum())
        shares.append(mask[pen].mean())
    tiles = [slide["tiles"] for slide in json.loads(Path(f"{name}_job/report.json").read_text())["slides"]]
    figures = {
        "tissue mask, IoU: mean": np.mean(ious), "tissue mask, IoU: lowest": min(ious), "share of pen kept: mean": np.mean(shares),
        "share of pen kept: highest": max(shares), "tiles a slide": np.mean(tiles), "seconds a slide, file to features": seconds,
    }  # fmt: skip
    return [{"set": name, "what": what, "value": round(float(value), 4)} for what, value in figures.items()]


def arms(name: str, folds: int, epochs: int) -> list[dict[str, Any]]:
    rows = []
    for arm, words in ARMS.items():
        mined = [f"--model.teacher.epochs={epochs // 2}"] if arm == "mined" else []
        start = time.process_time()
        found = said(
            "crossval", *BUDGET, *words, *mined, f"--trainer.max_epochs={epochs}", "--trainer.accelerator=cpu", f"--data.path={name}_job",
            f"--data.labels={name}/labels.csv", f"--data.truth={name}_job/tiles", f"--data.folds={folds}", "--no-diff", "--json",
            "--name", f"{name}-{'-'.join(arm.replace(':', '').split())}",
        )  # fmt: skip
        scores = {"test/auc": found, **found["metrics"]}
        note = next((note for note in found["notes"] if note.startswith("pooled")), "AUC - (")
        rows.append(
            {
                "set": name,
                "arm": arm,
                "fold_auc": cell(scores, "auc"),
                "pooled_auc": note.partition("AUC ")[2].partition(" (")[0],
                "tile_auc_attention": cell(scores, "attention_auc"),
                "tile_auc_instance": cell(scores, "instance_auc"),
                "tile_recall_instance": cell(scores, "instance_recall"),
                "seconds": round(time.process_time() - start, 1),
            }
        )
        trees = cell(scores, "stats_auc")
        print(rows[-1], flush=True)
    rest = dict.fromkeys(("pooled_auc", "tile_auc_attention", "tile_auc_instance", "tile_recall_instance", "seconds"), "-")
    return [*rows, {"set": name, "arm": "trees", "fold_auc": trees, **rest}]


def cell(scores: dict[str, Any], name: str) -> str:
    one = scores[f"test/{name}"]
    return f"{one['mean']:.3f} ± {one['half_interval']:.3f}"


def maps(name: str) -> dict[str, Any]:
    """The last cross-validation's model over one slide."""
    said("export", "-o", "bags.ts")
    start = time.process_time()
    made = said(
        "heatmap", f"{name}_job/features/made_001.safetensors", "--model", "bags.ts", "--slide", f"{name}/made_001.svs", "--out", "maps"
    )
    seconds = round(time.process_time() - start, 2)
    assert all((Path("maps") / file).exists() for file in made["files"].values())
    return {"set": name, "what": f"seconds of heatmap with its zooming page, {made['tiles']} tiles", "value": seconds}


def real(folder: Path | None) -> list[dict[str, Any]]:
    if folder is None or not folder.is_dir():
        return [{"file": "real slides", "ended": "not measured", "why": "give --data"}]
    said("slides", "features", folder.resolve(), "--job", "real", "--encoder", "stats", "--px", PX, "--mpp", 1, "--jobs", 1, allow=(0, 1))
    slides = json.loads(Path("real/report.json").read_text())["slides"]
    return [
        {"file": one["slide"], "ended": one["status"], "why": one["reason"] or f"{one['tiles']} tiles"}
        for one in sorted(slides, key=lambda one: one["slide"])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slides", type=int, default=40, help="of each set")
    parser.add_argument("--data", type=Path, help="folder with real slides")
    parser.add_argument("--smoke", action="store_true", help="few small slides, two epochs; writes nothing")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/mil_slides.json"))
    options = parser.parse_args()
    out, data = options.out.resolve(), options.data and options.data.resolve()
    rows: list[dict[str, Any]] = []
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        try:
            for name in ("easy",) if options.smoke else CONTRAST:
                count, side, px = (12, 512, 32) if options.smoke else (options.slides, SIDE, PX)
                rows += front_end(name, count, side, px)
                print(*rows[-6:], sep="\n", flush=True)
                rows += arms(name, *((2, 2) if options.smoke else (4, 20)))
                rows.append(maps(name))
            rows += real(data)
        finally:
            os.chdir(before)
    for row in rows:
        print(row)
    if not options.smoke:
        write(out, "mil_slides", rows)


if __name__ == "__main__":
    main()
