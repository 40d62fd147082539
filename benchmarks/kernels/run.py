"""Every operation with kernels, length by length: ours beside eager, compiled, torch's chunked form, the composition with products in the
dtype of the inputs, SDPA and FlexAttention where they apply.

    python -m benchmarks.kernels.run [--only gated_pool ...] [--dtypes bfloat16 ...] [--lengths 1024 ...] [--out FILE] [--minutes 8]
    python -m benchmarks.kernels.run --resume FILE --out FILE        # goes on with what the first file, of the same device, has not got
    TRITON_INTERPRET=1 python -m benchmarks.kernels.run --smoke      # two lengths on a processor: says that it runs, not how fast

Torch and triton only. Right before fast: ours has no time where its error against float64 is above the limit; the others have their error
beside their time. All operations at one length, then at the next, so that minutes that run out have something of all. Broken off, or out
of minutes, it goes on where it was when the same file is named again. benchmarks/kernels/crossover.py makes a table of the record.
"""

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.kernels.crossover import PASSES, Row
from benchmarks.kernels.shapes import SUBJECTS, Subject, Widths
from kernels.errors import judged, parts, under
from kernels.launch import INTERPRETED, capability
from kernels.timing import Floor, measure_floor, peak_bytes, rounds

EAGER_BYTES = 16 * 2**30  # a map that would not fit is not tried
MAPS = ("eager", "compiled", "plain")
SMOKE = (8, 17)


class BrokenDeviceError(Exception):
    """No form's own: CUDA is at its end in this process."""


def forms(name: str, subject: Subject, smoke: bool) -> dict[str, Callable[..., Any]]:
    made = {"ours": under("triton", subject.call), "eager": under("reference", subject.call)}
    if "torch" in getattr(importlib.import_module(f"kernels.{name}"), name).forms:
        made["torch form"] = under("torch", subject.call)
    if subject.plain is not None:
        made["plain"] = subject.plain
    if not smoke:  # the best that torch makes of it: without products in float32 where there is a way
        made["compiled"] = under("reference", torch.compile(subject.plain or subject.call, dynamic=False))
    if subject.sdpa is not None:
        made["sdpa"] = subject.sdpa
    if subject.flex is not None and not smoke:
        made["flex"] = subject.flex
    return made


def first(call: Callable[..., Any]) -> Callable[..., Tensor]:
    return lambda *inputs: parts(call(*inputs))[0]


def step(call: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Callable[[], Any]:
    leaves = [x for x in inputs if x.requires_grad]
    gradient = torch.randn_like(call(*inputs))
    return lambda: torch.autograd.grad(call(*inputs), leaves, gradient)


def reason(error: Exception, device: str) -> str:
    """Why a form was skipped, unless it took the device with it: then nothing that follows would be a measurement."""
    said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    if device == "cuda":
        try:
            torch.cuda.synchronize()
        except RuntimeError as broken:
            raise BrokenDeviceError(said) from broken
    return said


def rows_of(name: str, length: int, dtype: torch.dtype, device: str, floor: Floor, smoke: bool) -> list[Row]:
    subject = SUBJECTS[name]
    about = {"operation": name, "length": length, "dtype": str(dtype).removeprefix("torch.")}
    torch.manual_seed(0)
    torch.compiler.reset()  # torch compiles one function eight times at most
    inputs = subject.inputs(length, dtype, device)
    table = {form: first(call) for form, call in forms(name, subject, smoke).items()}
    exact = table["eager"]
    if subject.square and subject.map_bytes(length) > EAGER_BYTES:
        table = {form: call for form, call in table.items() if form not in MAPS}
    rows: list[Row] = []
    found: dict[str, dict[str, Any]] = {form: {"error": None} for form in table}
    if length <= (1024 if subject.square else 10**5):  # in float64 the reference needs eight times the room
        for form, call in list(table.items()):
            try:
                verdicts = judged(call, exact, inputs, dtype)
            except Exception as error:  # a form that does not run has no time, and the others still have theirs
                rows.append({**about, "form": form, "skipped": reason(error, device)})
                del table[form]
                continue
            worst = max(verdicts, key=lambda each: each.error / each.limit)
            found[form] = {"error": worst.error, "limit": worst.limit}
            if form == "ours" and worst.error > worst.limit:
                wrong = f"FAIL: {worst.what} is off by {worst.error:.1e}, above {worst.limit:.0e}"
                rows.append({**about, "form": form, "error": worst.error, "skipped": wrong})
                del table[form]
    for which, kind in enumerate(PASSES):
        calls: dict[str, Callable[[], Any]] = {}
        peaks: dict[str, int] = {}
        for form, call in list(table.items()):
            try:
                made: Callable[[], Any] = (lambda call=call: call(*inputs)) if which == 0 else step(call, inputs)
                made()
                peaks[form], calls[form] = peak_bytes(made, device), made
            except Exception as error:
                rows.append({**about, "form": form, "pass": kind, "skipped": reason(error, device)})
                del table[form]
        if not calls:
            continue
        times = rounds(calls, device, *((2, 2, 0.0) if smoke else (10, 50, 2.0)))
        moved = sum(subject.moved(length, inputs[0].element_size())[: which + 1])
        done = sum(subject.flops(length)[: which + 1])
        for form, own in times.items():
            low, middle, high = statistics.quantiles(own, n=5)[0], statistics.median(own), statistics.quantiles(own, n=5)[-1]
            ratios = [a / b for a, b in zip(own, times["ours"], strict=True)] if "ours" in times else None
            rows.append(
                {
                    **about, "form": form, "pass": kind, **found[form], "ms": round(middle, 4), "ms_20": round(low, 4),
                    "ms_80": round(high, 4), "times_ours": None if ratios is None else round(statistics.median(ratios), 3),
                    "peak_bytes": peaks[form], "gb_per_s": round(moved / middle / 1e6, 1), "tflops": round(done / middle / 1e9, 2),
                    "floor_ms": round(floor.milliseconds(moved, done), 4),
                    "share_of_floor": round(floor.milliseconds(moved, done) / middle, 3),
                }
            )  # fmt: skip
    return rows


def order(names: list[str], lengths: list[int] | None, smoke: bool) -> list[tuple[str, int]]:
    """(operation, length): all operations at one length, then at the next; lengths in the order in which they were named."""
    own = {name: SMOKE if smoke else SUBJECTS[name].lengths for name in names}
    if lengths is not None:
        return [(name, length) for length in lengths for name in names if length in own[name]]
    return [(name, own[name][i]) for i in range(max(map(len, own.values()))) for name in names if i < len(own[name])]


def commit_here() -> str | None:
    try:
        return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip() or None
    except FileNotFoundError:  # a bare machine with a copy of the files
        return None


def about_here(device: str, commit: str | None) -> dict[str, Any]:
    import triton

    return {
        "subject": "kernels",
        "device": torch.cuda.get_device_name() if device == "cuda" else f"{platform.processor() or 'processor'}, interpreted",
        "architecture": capability(torch.device("cuda", torch.cuda.current_device())) if device == "cuda" else INTERPRETED,
        "versions": {"torch": torch.__version__, "triton": triton.__version__},
        "commit": commit or commit_here(),
        "settings": {name: getattr(Widths, name) for name in ("heads", "head", "wide", "hidden", "rows")},
    }


def earlier(path: Path, about: dict[str, Any]) -> tuple[dict[str, Any], list[Row]] | None:
    """(floors, rows) of the file if they were measured here as well."""
    try:
        kept = json.loads(path.read_text())
        return (kept["floors"], kept["rows"]) if all(kept[key] == about[key] for key in about) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def written(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    draft.write_text(json.dumps(document, indent=1) + "\n")
    os.replace(draft, path)  # noqa: PTH105


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS), metavar="OPERATION")
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "float16", "bfloat16"], default=["bfloat16"])
    parser.add_argument("--lengths", nargs="+", type=int, help="only these, of each operation's own, in this order")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kernels.json"))
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on from this record (default: from that of --out)")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no further length after so many; one takes up to a minute"
    )
    parser.add_argument("--commit", help="of these files, where git does not say")
    parser.add_argument("--smoke", action="store_true", help="two small lengths on a processor; with --out it is written, too")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() and not options.smoke else "cpu"
    if device == "cpu" and not options.smoke:
        parser.error("there is no CUDA device; --smoke with TRITON_INTERPRET=1 tries the code on a processor")
    if options.smoke:
        Widths.small()
    start, about = time.monotonic(), about_here(device, options.commit)
    kept = earlier(options.resume or options.out, about)
    if kept is None and options.resume is not None:
        parser.error(f"{options.resume} is no record of this device, commit and these versions; without --resume it begins anew")
    floors, rows = kept or ({}, [])
    wanted = [
        (dtype, *each)
        for dtype in (["float32"] if options.smoke else options.dtypes)
        for each in order(options.only, options.lengths, options.smoke)
    ]
    left = [each for each in wanted if not any((row["dtype"], row["operation"], row["length"]) == each for row in rows)]
    for count, (dtype, name, length) in enumerate(left):
        if time.monotonic() - start > 60 * options.minutes:
            print(f"out of minutes: {len(left) - count} of {len(wanted)} are left; the same line goes on with them")
            break
        if dtype not in floors:
            floors[dtype] = vars(measure_floor(device, getattr(torch, dtype)))
        try:
            made = rows_of(name, length, getattr(torch, dtype), device, Floor(**floors[dtype]), options.smoke)
        except BrokenDeviceError as error:
            parser.exit(1, f"{name} at {length}, {dtype}: broke the device: {error}; the same line tries it again, --only goes round it\n")
        rows += made
        for row in made:
            print(json.dumps(row), flush=True)
        if not options.smoke or parser.get_default("out") != options.out:
            written(options.out, {**about, "date": str(date.today()), "floors": floors, "rows": rows})


if __name__ == "__main__":
    main()
