"""Every operation with kernels, length by length: ours, eager, compiled, torch's chunked form, SDPA and FlexAttention where they apply.

    python -m benchmarks.kernels.run [--only gated_pool ...] [--dtypes bfloat16 ...] [--out FILE] [--minutes 9] [--crossover]
    TRITON_INTERPRET=1 python -m benchmarks.kernels.run --smoke      # two lengths on a processor: says that it runs, not how fast

Torch and triton only. Right before fast: a form whose error against float64 is above the limit has its error and no time. Broken off,
or out of minutes, it goes on where it was when the same file is named again. --crossover rewrites kernels/crossover.json: from which size
on ours was faster than the best of the others, at every longer length, too.
"""

import argparse
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

from benchmarks.kernels.shapes import SUBJECTS, Subject, Widths
from kernels.errors import judged, parts, under
from kernels.launch import FOLDER
from kernels.timing import Floor, measure_floor, peak_bytes, rounds

Row = dict[str, Any]

EAGER_BYTES = 16 * 2**30  # a map that would not fit is not tried
PASSES = ("forward", "forward and backward")


def forms(subject: Subject, smoke: bool) -> dict[str, Callable[..., Any]]:
    made = {"ours": under("triton", subject.call), "eager": under("reference", subject.call), "torch form": under("torch", subject.call)}
    if not smoke:
        made["compiled"] = under("reference", torch.compile(subject.call, dynamic=False))
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


def reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def rows_of(name: str, length: int, dtype: torch.dtype, device: str, floor: Floor, smoke: bool) -> list[Row]:
    subject = SUBJECTS[name]
    about = {"operation": name, "length": length, "dtype": str(dtype).removeprefix("torch.")}
    torch.manual_seed(0)
    torch.compiler.reset()  # torch compiles one function eight times at most
    inputs = subject.inputs(length, dtype, device)
    table = {form: first(call) for form, call in forms(subject, smoke).items()}
    exact = table["eager"]
    if subject.square and subject.map_bytes(length) > EAGER_BYTES:
        table = {form: call for form, call in table.items() if form not in ("eager", "compiled")}
    rows: list[Row] = []
    found: dict[str, float | None] = dict.fromkeys(table)
    if length <= (1024 if subject.square else 10**5):  # in float64 the reference needs eight times the room
        for form, call in list(table.items()):
            try:
                verdicts = judged(call, exact, inputs, dtype)
            except Exception as error:  # a form that does not run has no time, and the others still have theirs
                rows.append({**about, "form": form, "skipped": reason(error)})
                del table[form]
                continue
            worst = max(verdicts, key=lambda each: each.error / each.limit)
            found[form] = worst.error
            if worst.error > worst.limit:
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
                rows.append({**about, "form": form, "pass": kind, "skipped": reason(error)})
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
                    **about, "form": form, "pass": kind, "error": found[form], "ms": round(middle, 4), "ms_20": round(low, 4),
                    "ms_80": round(high, 4), "times_ours": None if ratios is None else round(statistics.median(ratios), 3),
                    "peak_bytes": peaks[form], "gb_per_s": round(moved / middle / 1e6, 1), "tflops": round(done / middle / 1e9, 2),
                    "floor_ms": round(floor.milliseconds(moved, done), 4),
                    "share_of_floor": round(floor.milliseconds(moved, done) / middle, 3),
                }
            )  # fmt: skip
    return rows


def crossovers(rows: list[Row], architecture: int, before: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """From which size ours is faster, forward and backward in every dtype, than the best of the others, there and at all that is longer."""
    found = {name: dict(entry) for name, entry in before.items()}
    for name in {row["operation"] for row in rows}:
        own = [row for row in rows if row["operation"] == name]
        lost = {row["length"] for row in own if row["form"] == "ours" and "skipped" in row}
        beside = [row for row in own if row.get("pass") == PASSES[1] and row["form"] != "ours" and "skipped" not in row]
        lost |= {row["length"] for row in beside if row["times_ours"] is None or row["times_ours"] <= 1}
        faster = [length for length in {row["length"] for row in beside} if length > max(lost, default=0)]
        entry = found.setdefault(name, {})
        entry.pop(str(architecture), None)
        if faster:
            entry[str(architecture)] = SUBJECTS[name].size(min(faster))
    return {name: entry for name, entry in sorted(found.items()) if entry}


def about_here(device: str) -> dict[str, Any]:
    import triton

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "subject": "kernels",
        "device": torch.cuda.get_device_name() if device == "cuda" else f"{platform.processor() or 'processor'}, interpreted",
        "versions": {"torch": torch.__version__, "triton": triton.__version__},
        "commit": commit or None,
        "settings": {name: getattr(Widths, name) for name in ("heads", "head", "wide", "hidden", "rows")},
    }


def earlier(path: Path, about: dict[str, Any]) -> tuple[dict[str, Any], list[Row]]:
    """(floors, rows) of the file if they were measured here as well."""
    try:
        kept = json.loads(path.read_text())
        return (kept["floors"], kept["rows"]) if all(kept[key] == about[key] for key in about) else ({}, [])
    except (OSError, ValueError, KeyError, TypeError):
        return {}, []


def written(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    draft.write_text(json.dumps(document, indent=1) + "\n")
    os.replace(draft, path)  # noqa: PTH105


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS), metavar="OPERATION")
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "float16", "bfloat16"], default=["bfloat16"])
    parser.add_argument("--lengths", nargs="+", type=int, help="only these, of each operation's own")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kernels.json"))
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no further length after so many")
    parser.add_argument("--crossover", action="store_true", help="rewrite kernels/crossover.json for this device")
    parser.add_argument("--smoke", action="store_true", help="two small lengths on a processor; with --out it is written, too")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() and not options.smoke else "cpu"
    if device == "cpu" and not options.smoke:
        parser.error("there is no CUDA device; --smoke with TRITON_INTERPRET=1 tries the code on a processor")
    if options.smoke:
        Widths.small()
    start, about = time.monotonic(), about_here(device)
    floors, rows = earlier(options.out, about)
    wanted = [
        (dtype, name, length)
        for dtype in (["float32"] if options.smoke else options.dtypes)
        for name in options.only
        for length in ((8, 17) if options.smoke else SUBJECTS[name].lengths)
        if options.lengths is None or length in options.lengths
    ]
    left = [each for each in wanted if not any((row["dtype"], row["operation"], row["length"]) == each for row in rows)]
    for count, (dtype, name, length) in enumerate(left):
        if time.monotonic() - start > 60 * options.minutes:
            print(f"out of minutes: {len(left) - count} of {len(wanted)} are left; the same line goes on with them")
            break
        if dtype not in floors:
            floors[dtype] = vars(measure_floor(device, getattr(torch, dtype)))
        made = rows_of(name, length, getattr(torch, dtype), device, Floor(**floors[dtype]), options.smoke)
        rows += made
        for row in made:
            print(json.dumps(row), flush=True)
        if not options.smoke or parser.get_default("out") != options.out:
            written(options.out, {**about, "date": str(date.today()), "floors": floors, "rows": rows})
    if options.crossover and not options.smoke:
        major, minor = torch.cuda.get_device_capability()
        table = FOLDER / "crossover.json"
        table.write_text(json.dumps(crossovers(rows, 10 * major + minor, json.loads(table.read_text())), indent=1) + "\n")


if __name__ == "__main__":
    main()
