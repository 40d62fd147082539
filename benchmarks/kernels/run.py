"""Every operation with kernels, length by length: eager, compiled, torch's own form, its best composition, ours. Torch and triton only.

    python -m benchmarks.kernels.run [--only gated_pool] [--out kernels.json] [--crossover]
    TRITON_INTERPRET=1 python -m benchmarks.kernels.run --smoke      # two lengths on a processor: says that it runs, not how fast

Right before fast: a row whose error against float64 is above the tolerance has FAIL and no time. --crossover rewrites
kernels/crossover.json: from which size on ours was faster than the best of the others, at every longer length, too.
"""

import argparse
import json
import platform
import statistics
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.kernels.shapes import SUBJECTS, Subject, Widths
from benchmarks.kernels.timing import Floor, measure_floor, peak_bytes, rounds
from kernels import use_backend
from kernels.launch import FOLDER

TOLERANCE = {torch.float32: 1e-4, torch.float16: 3e-3, torch.bfloat16: 1e-2}
EAGER_BYTES = 16 * 2**30  # a map that would not fit is not tried


def forms(subject: Subject, names: tuple[str, ...]) -> dict[str, Callable[..., Any]]:
    def under(backend: str, call: Callable[..., Any] = subject.call) -> Callable[..., Any]:
        def run(*inputs: Tensor) -> Any:
            with use_backend(backend):
                return call(*inputs)

        return run

    made = {"ours": under("triton"), "eager": under("reference"), "torch form": under("torch")}
    if "compiled" in names:
        made["compiled"] = under("reference", torch.compile(subject.call))
    if subject.composed is not None:
        made["composed"] = subject.composed
    return {name: made[name] for name in names if name in made}


def first(answer: Any) -> Tensor:
    return answer if isinstance(answer, Tensor) else answer[0]


def step(call: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Callable[[], Any]:
    leaves = [x for x in inputs if x.requires_grad]
    gradient = torch.randn_like(first(call(*inputs)))
    return lambda: torch.autograd.grad(first(call(*inputs)), leaves, gradient)


def error(call: Callable[..., Any], subject: Subject, inputs: tuple[Tensor, ...]) -> float:
    """Relative root mean square against float64 of the same numbers, the worst of answer and gradients."""
    exact = tuple(x.detach().double().requires_grad_(x.requires_grad) if x.is_floating_point() else x for x in inputs)
    found = []
    for run, given in ((call, inputs), (forms(subject, ("eager",))["eager"], exact)):
        answer = first(run(*given))
        generator = torch.Generator().manual_seed(0)
        gradient = torch.randn(answer.shape, generator=generator).to(answer)
        found.append([answer, *torch.autograd.grad(answer, [x for x in given if x.requires_grad], gradient)])
    return max(float((a.double() - b).norm() / b.norm().clamp(min=1e-30)) for a, b in zip(*found, strict=True))


def rows_of(name: str, length: int, dtype: torch.dtype, device: str, floor: Floor, smoke: bool) -> list[dict[str, Any]]:
    subject = SUBJECTS[name]
    inputs = subject.inputs(length, dtype, device)
    names = ("ours", "eager", "torch form", *(() if smoke else ("compiled", "composed")))
    table = forms(subject, names)
    size = inputs[0].element_size()
    if subject.lengths[-1] <= 4096 and 4 * 8 * max(1, 4096 // length) * length**2 * 6 > EAGER_BYTES:
        table = {key: call for key, call in table.items() if key not in ("eager", "compiled")}
    held = length <= (1024 if subject.lengths[-1] <= 4096 else 10**5)  # in float64 the reference needs eight times the room
    failed = error(table["ours"], subject, inputs) if held else None
    about = {"operation": name, "length": length, "dtype": str(dtype).removeprefix("torch."), "error": failed}
    if failed is not None and failed > TOLERANCE[dtype]:
        return [{**about, "form": "ours", "pass": "FAIL"}]
    rows = []
    for kind in ("forward", "forward and backward"):
        calls = {key: (lambda call=call: call(*inputs)) if kind == "forward" else step(call, inputs) for key, call in table.items()}
        found = rounds(calls, device, 2 if smoke else 50, 0.0 if smoke else 2.0)
        least = floor.milliseconds(subject.bytes(length, size), subject.flops(length)) if kind == "forward" else None
        for key, times in found.items():
            low, middle, high = statistics.quantiles(times, n=5)[0], statistics.median(times), statistics.quantiles(times, n=5)[-1]
            ratio = statistics.median(a / b for a, b in zip(times, found["ours"], strict=True))
            rows.append(
                {
                    **about, "form": key, "pass": kind, "ms": round(middle, 4), "ms_20": round(low, 4), "ms_80": round(high, 4),
                    "times_ours": round(ratio, 3), "peak_bytes": peak_bytes(calls[key], device),
                    "share_of_floor": None if least is None else round(least / middle, 3),
                }
            )  # fmt: skip
    return rows


def crossovers(rows: list[dict[str, Any]], architecture: int) -> dict[str, dict[str, int]]:
    """From which size ours stays faster, forward and backward, than the best of the others."""
    found = json.loads((FOLDER / "crossover.json").read_text())
    for name in {row["operation"] for row in rows}:
        own = [row for row in rows if row["operation"] == name and row["pass"] == "forward and backward" and row["form"] != "ours"]
        best = {length: min(row["times_ours"] for row in own if row["length"] == length) for length in {row["length"] for row in own}}
        slow = [length for length, ratio in best.items() if ratio <= 1]
        faster = [length for length in best if length > max(slow, default=0)]
        entry = found.setdefault(name, {})
        entry.pop(str(architecture), None)
        if faster:
            entry[str(architecture)] = SUBJECTS[name].size(min(faster))
    return found


def about_here(device: str) -> dict[str, Any]:
    import triton

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "processor"
    return {
        "subject": "kernels",
        "device": name,
        "torch": torch.__version__,
        "triton": triton.__version__,
        "date": str(date.today()),
        "commit": commit,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "float16", "bfloat16"], default=["bfloat16"])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kernels.json"))
    parser.add_argument("--crossover", action="store_true", help="rewrite kernels/crossover.json for this device")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not options.smoke:
        parser.error("there is no CUDA device; --smoke with TRITON_INTERPRET=1 tries the code on a processor")
    if options.smoke:
        Widths.small()
    rows: list[dict[str, Any]] = []
    for dtype in (getattr(torch, name) for name in (["float32"] if options.smoke else options.dtypes)):
        floor = measure_floor(device, dtype)
        for name in options.only:
            for length in (8, 17) if options.smoke else SUBJECTS[name].lengths:
                made = rows_of(name, length, dtype, device, floor, options.smoke)
                rows += made
                for row in made:
                    print(json.dumps(row), flush=True)
    if options.smoke:
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({**about_here(device), "rows": rows}, indent=1) + "\n")
    if options.crossover:
        major, minor = torch.cuda.get_device_capability()
        (FOLDER / "crossover.json").write_text(json.dumps(crossovers(rows, 10 * major + minor), indent=1) + "\n")


if __name__ == "__main__":
    main()
