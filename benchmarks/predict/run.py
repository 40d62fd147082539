"""What `discern predict` costs: cold, over importing torch; warm, over the program alone and over a serial loop.

    python -m benchmarks.predict.run [--rounds 5] [--warm-rounds 2] [--pictures 1000] [--out benchmarks/results/predict.json]

Cold: whole processes in turn, one picture, a small program (ViT of 0.2 M weights).
Warm: one process, pictures of 500 x 375 as JPEG, a ViT-Ti (decoding is a large share of it) and a ViT-S (a small one) at 224.
"""

import argparse
import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

from apps.base.export import export_program
from apps.base.predict import predict
from apps.base.predict.program_file import ProgramFile, take
from apps.base.shell import Shell
from apps.dcal.model import Dcal
from apps.dcal.program import Classify
from benchmarks.record import write
from core_attention.trunks import build_trunk
from datamodules.dcal.synth import CLASSES, beetles
from datamodules.pictures import read_picture
from datamodules.preprocess import Preprocess

BATCH = 8


def program(trunk: str, size: int) -> Classify:
    facts = {"classes": list(CLASSES), "preprocess": Preprocess(size).settings(), "licence": "made for a measurement", "box_crop": False}
    return Classify(Dcal(build_trunk(trunk, image=size), len(CLASSES)).eval(), facts, [])


def pictures(folder: Path, count: int) -> list[Path]:
    paths = []
    for i, image in enumerate(beetles(count, 0).images):
        paths.append(folder / f"{i:04d}.jpg")
        cv2.imwrite(str(paths[-1]), cv2.resize(image[:, :, ::-1], (500, 375), interpolation=cv2.INTER_CUBIC))
    return paths


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def whole_process(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def cold(file: Path, picture: Path, rounds: int) -> dict:
    arms: dict[str, list[float]] = {"import_torch": [], "predict": []}
    for _ in range(rounds + 1):
        arms["import_torch"].append(seconds(lambda: whole_process("-c", "import torch")))
        arms["predict"].append(seconds(lambda: whole_process("-m", "apps.cli", "predict", str(file), str(picture), "--trust")))
    a, b = (values[1:] for values in arms.values())  # the first round warms the disk's cache
    ratio = statistics.median(y / x for x, y in zip(a, b, strict=True))
    return {"what": f"cold {file.suffix}", "import_torch_s": statistics.median(a), "predict_s": statistics.median(b), "ratio": ratio}


def warm(trunk: str, file: Path, paths: list[Path], rounds: int) -> dict:
    opened = ProgramFile(take(file, True))
    xs = [opened.prepare(read_picture(path)) for path in paths]
    batches = [torch.stack(xs[i : i + BATCH]) for i in range(0, len(xs), BATCH)]

    def alone() -> None:
        for batch in batches:
            opened.forward(batch)

    def serial() -> None:
        for i in range(0, len(paths), BATCH):
            opened.forward(torch.stack([opened.prepare(read_picture(path)) for path in paths[i : i + BATCH]]))

    def whole() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            predict(Shell(quiet=True), [str(file), *map(str, paths), "--trust", "--batch", str(BATCH)])

    decoding = seconds(lambda: [read_picture(path) for path in paths])
    alone()
    arms: dict[str, list[float]] = {"alone": [], "serial": [], "predict": []}
    for _ in range(rounds):
        for name, work in (("alone", alone), ("serial", serial), ("predict", whole)):
            arms[name].append(seconds(work))
    median = {name: statistics.median(values) for name, values in arms.items()}
    over = {name: statistics.median(a / b for a, b in zip(arms["predict"], arms[name], strict=True)) for name in ("alone", "serial")}
    return {
        "what": f"warm {trunk} {file.suffix}, {len(paths)} pictures",
        **{f"{name}_s": value for name, value in median.items()},
        "decoding_share": decoding / median["alone"],
        "time_over_alone": over["alone"],
        "time_over_serial": over["serial"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-rounds", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/predict.json"))
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        paths = pictures(folder / "pictures", options.pictures)
        for suffix in (".ts", ".pt2"):
            export_program(program("vit_micro", 48), folder / f"small{suffix}", None, Shell(quiet=True))
            rows.append(cold(folder / f"small{suffix}", paths[0], options.rounds))
        for trunk in ("vit_tiny", "vit_small"):
            file = folder / f"{trunk}.ts"
            export_program(program(trunk, 224), file, None, Shell(quiet=True))
            rows.append(warm(trunk, file, paths, options.warm_rounds))
    rows = [{key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()} for row in rows]
    for row in rows:
        print(row)
    write(options.out, "predict", rows)


if __name__ == "__main__":
    main()
