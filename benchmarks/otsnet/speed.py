"""How fast the exported readers read, beside a reader of PARSeq-S's shape in the same run; and a cold `discern predict` of one word.

    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.speed [--rounds 30] [--only nano small parseq-s] [--smoke]

TorchScript files of readers that nobody trained (time does not hang on what they know: all loops are of fixed length), one thread, batches
of 1 and 32 crops of 32 x 128 that lie in memory. Interleaved: every file in turn, the first rounds not counted; medians, and the median
over the rounds of the ratio to the first PARSeq-S row. PARSeq-S's shape: width 384, 12 blocks of 6 heads, patches of 4 x 8, one decoder
layer, 26 slots; letter by letter and one refinement, or all at once and two. Cold: whole processes in turn, one picture, beside
`import torch`.
About four minutes. --smoke takes nano alone, one round, and writes nothing.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch

from apps.base.export import export_program
from apps.base.predict.program_file import ProgramFile, take
from apps.base.shell import Shell
from apps.otsnet.options import Decoder, Observe
from apps.otsnet.program import ReadWords
from benchmarks.otsnet.fitting import Arm
from benchmarks.predict.run import cold
from benchmarks.record import write
from datamodules.otsnet.charset import charset
from datamodules.otsnet.generator import Generator
from datamodules.otsnet.word_data import HALF
from datamodules.preprocess import Preprocess

BATCHES, WARM_UP, COLD_ROUNDS = (1, 32), 2, 5
COLUMNS = Observe(grid="1x32")
PARSEQ_S = Observe(dim=384, pairs=3, depth=12, stem="patch")
ARMS = {
    "parseq-s": Arm("PARSeq-S shape, letter by letter", "parseq", {"observe": PARSEQ_S}),
    "parseq-s-once": Arm(
        "PARSeq-S shape, all at once", "parseq", {"observe": PARSEQ_S, "decoder": Decoder(autoregressive=False, refine=2)}
    ),
    "nano": Arm("OTSNet nano", parts={"observe": COLUMNS}),
    "nano-strokes": Arm("OTSNet nano, 8x16", parts={"observe": Observe()}),
    "nano-softmax": Arm("OTSNet nano, softmax", parts={"observe": replace(COLUMNS, attention="softmax")}),
    "nano-ctc": Arm("CTC nano", "ctc", {"observe": replace(COLUMNS, attention="softmax")}),
    "nano-parseq": Arm("PARSeq-like nano", "parseq", {"observe": COLUMNS}),
    "small": Arm("OTSNet small", parts={"observe": Observe(size="small")}),
    "small-softmax": Arm("OTSNet small, softmax", parts={"observe": Observe(size="small", attention="softmax")}),
}


def program(arm: Arm) -> ReadWords:
    characters = charset("94").characters
    preprocess = Preprocess((32, 128), "squash", 1.0, HALF, HALF).settings()
    facts = {"charset": characters, "slots": 26, "preprocess": preprocess, "licence": "made for a measurement"}
    torch.manual_seed(0)
    return ReadWords(arm.task().make_model(facts).eval(), facts, [])


def rates(files: dict[str, ProgramFile], rounds: int) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {name: {"reader": ARMS[name].title} for name in files}
    for batch in BATCHES:
        x = torch.rand(batch, 3, 32, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
        seconds: dict[str, list[float]] = {name: [] for name in files}
        for turn in range(rounds + WARM_UP):
            for name, file in files.items():
                start = time.perf_counter()
                file.forward(x)
                if turn >= WARM_UP:
                    seconds[name].append(time.perf_counter() - start)
        base = seconds.get("parseq-s")
        for name, values in seconds.items():
            ratio = statistics.median(b / a for a, b in zip(values, base, strict=True)) if base else None
            rows[name] |= {
                f"ms_{batch}": round(1e3 * statistics.median(values), 2),
                f"images_a_second_{batch}": round(batch / statistics.median(values), 1),
                f"best_{batch}": round(batch / min(values), 1),
                f"times_parseq_s_{batch}": "-" if ratio is None else round(ratio, 2),
            }
    return [*rows.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", nargs="+", choices=ARMS, default=[*ARMS], metavar="ROW", help=f"{', '.join(ARMS)}; the table needs all")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/otsnet_speed.json"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder, files = Path(name), {}
        for arm in ["nano"] if options.smoke else options.only:
            path = folder / f"{arm}.ts"
            export_program(program(ARMS[arm]), path, None, Shell(quiet=True))
            files[arm] = ProgramFile(take(path, True))
        rows = rates(files, 1 if options.smoke else options.rounds)
        for row in rows:
            print(row, flush=True)
        if options.smoke:
            return
        if "nano" in files:
            picture = folder / "word.png"
            cv2.imwrite(str(picture), Generator().draw(0).image[:, :, ::-1])
            rows.append({key: round(value, 3) if isinstance(value, float) else value for key, value in _cold(folder, picture).items()})
            print(rows[-1])
    if len(options.only) == len(ARMS):
        write(options.out, "otsnet_speed", rows)


def _cold(folder: Path, picture: Path) -> dict[str, Any]:
    return {**cold(folder / "nano.ts", picture, COLD_ROUNDS), "what": "cold predict of one word, nano"}


if __name__ == "__main__":
    main()
