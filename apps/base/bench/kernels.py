"""`discern bench kernels`: every operation with a fused kernel beside torch's own forms, measured on a GPU, printed and drawn."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from apps.base.bench.kernel_chart import chart
from apps.base.bench.kernel_table import table
from apps.base.errors import FailureError, UserError
from apps.base.places import output_folder
from apps.base.shell import Shell
from datamodules.whole import write_bytes

__all__ = ["kernels"]

ROOT = Path(__file__).parents[3]
SCRIPT = "benchmarks/kernels/run.py"


def kernels(shell: Shell, argv: list[str]) -> int:
    """Eager, compiled, by torch's fused attention and ours: time, peak memory, and share of what this device was measured to move and
    multiply, over the length; from which length on ours is the fastest. A form whose answers are wrong has no time.

    Measures on a CUDA device, from a checkout of the repository; broken off, it goes on where it was.
    --from draws what was measured elsewhere."""
    parser = shell.parser("bench kernels", kernels.__doc__)
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="draw this record of an earlier run, and measure nothing")
    parser.add_argument("--only", type=_words, metavar="A,B", help="only these operations")
    parser.add_argument("--dtypes", type=_words, metavar="A,B", help="of float32, float16, bfloat16 (default: bfloat16)")
    parser.add_argument("--minutes", type=float, help="begin no further length after so many")
    parser.add_argument("--out", type=Path, help="where kernels.json and the pictures go (default: HOME/bench)")
    options = parser.parse_args(argv)
    if options.source is not None and (ignored := [f"--{key}" for key in ("dtypes", "minutes") if getattr(options, key) is not None]):
        raise UserError(f"{' and '.join(ignored)}: of a measurement, and --from measures nothing")
    folder = output_folder("--out", options.out or shell.home / "bench")
    file = options.source or folder / "kernels.json"
    if options.source is None:
        _measure(file, options)
    about = _record(file)
    rows = [row for row in about["rows"] if options.only is None or row["operation"] in options.only]
    if not rows:
        raise UserError(f"{file}: no rows of {', '.join(options.only or ['anything'])}; it has {_names(about)}")
    print(table(rows))
    pictures = 0
    for operation, dtype in dict.fromkeys((row["operation"], row["dtype"]) for row in rows):
        own = [row for row in rows if (row["operation"], row["dtype"]) == (operation, dtype) and "skipped" not in row]
        if own:
            title = f"{operation}, {dtype}\n{about['device']}, torch {about['versions']['torch']}, triton {about['versions']['triton']}"
            write_bytes(folder / f"kernels-{operation}-{dtype}.png", chart(own, title))
            pictures += 1
    shell.say(f"written: {pictures} pictures in {folder}")
    return 0


def _measure(file: Path, options: argparse.Namespace) -> None:
    if not torch.cuda.is_available():
        raise UserError("there is no CUDA device here to measure kernels on; --from FILE draws what was measured on one")
    if not (ROOT / SCRIPT).exists():
        raise UserError(
            f"{SCRIPT} comes with the repository, not with the installed package; run this in a checkout, or draw with --from FILE"
        )
    words = [*(["--only", *options.only] if options.only else []), *(["--dtypes", *options.dtypes] if options.dtypes else [])]
    words += [] if options.minutes is None else ["--minutes", str(options.minutes)]
    command = [sys.executable, "-m", "benchmarks.kernels.run", "--out", str(file.resolve()), *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        kind = UserError if done.returncode == UserError.exit_code else FailureError
        raise kind(f"{SCRIPT} left with {done.returncode}: {said}; what it had measured is in {file}")


def _record(file: Path) -> dict[str, Any]:
    try:
        about = json.loads(file.read_text())
    except FileNotFoundError:
        raise UserError(f"{file}: there is no such file; {SCRIPT} writes one on a machine with a CUDA device") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as JSON: {error}") from None
    keys = ("operation", "length", "dtype", "form")
    fits = isinstance(about, dict) and about.get("subject") == "kernels" and {"device", "versions", "rows"} <= about.keys()
    if not fits or not all(isinstance(row, dict) and all(key in row for key in keys) for row in about["rows"]):
        raise UserError(f"{file}: is no record of kernels; {SCRIPT} writes one")
    return about


def _names(about: dict[str, Any]) -> str:
    return ", ".join(dict.fromkeys(row["operation"] for row in about["rows"])) or "none"


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
