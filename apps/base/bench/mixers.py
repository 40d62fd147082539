"""`discern bench mixers`: every mixer beside softmax over a sweep of lengths, in each of the four patterns that CAB names."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from apps.base.bench.arms import BATCH, HEADS, PASSES, PATTERNS, WIDTH, Arm, compiled, forms, inputs, make, pass_call
from apps.base.bench.chart import chart
from apps.base.bench.measure import METHOD, limits, median_ms, peak_mib
from apps.base.bench.wins import BASE, MARGIN, MEASURES, wins
from apps.base.errors import UserError
from apps.base.machine import measured_on
from apps.base.shell import Shell, nearest
from core_attention import Mixer, list_mixers
from datamodules.whole import write_whole

__all__ = ["mixers"]

LENGTHS = "64,128,256,512,1024,2048"
Row = dict[str, Any]


def mixers(shell: Shell, argv: list[str]) -> int:
    """Time, peak memory and floor of every mixer: eager, by torch's fused attention where it can, and compiled.

    Softmax is always among them: the table says from which length on each of the others beats it."""
    parser = shell.parser("bench mixers", mixers.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixers", type=_words, metavar="A,B", help="only these (default: all)")
    parser.add_argument("--lengths", type=_numbers, default=LENGTHS, metavar="N,N", help=f"numbers of tokens (default: {LENGTHS})")
    parser.add_argument(
        "--pattern", type=_words, default="ns", metavar="P", help="of ns, cs, nc, cc, with commas between them (default: ns)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="how often each is timed (default: 7)")
    parser.add_argument("--out", type=Path, help="where mixers.json and the pictures go (default: HOME/bench)")
    options = parser.parse_args(argv)
    names = _known(list(list_mixers()) if options.mixers is None else options.mixers, list(list_mixers()), "mixer")
    patterns = _known(options.pattern, list(PATTERNS), "pattern")
    if options.rounds < 1:
        raise UserError(f"--rounds is at least 1, not {options.rounds}")
    folder = options.out or shell.home / "bench"
    folder.mkdir(parents=True, exist_ok=True)

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    flops, moved = limits(device)
    about = {
        "subject": "mixers",
        **measured_on(("torch", "triton", "discern")),
        "settings": {"width": WIDTH, "heads": HEADS, "batch": BATCH, "dtype": "float32", "rounds": options.rounds},
        "method": METHOD,
        "limits": {"gflops": round(flops / 1e9, 1), "gb_per_s": round(moved / 1e9, 1)},
    }
    rows: list[Row] = []
    for pattern in patterns:
        own = [{"pattern": pattern, **row} for row in _sweep(shell, names, pattern, options, device, (flops, moved))]
        rows += own
        what = f"mixers, pattern {pattern}: width {WIDTH}, {HEADS} heads, batch {BATCH}, float32"
        title = f"{what}\n{about['device']}, {about['threads']} thread{'s' * (about['threads'] != 1)}"
        with write_whole(folder / f"mixers-{pattern}.png") as file:
            file.write(chart([row for row in own if "skipped" not in row], title, names))
        _write(folder / "mixers.json", about, rows)  # after every pattern: what was measured stays
        print(_table(own, options.lengths, pattern))
    shell.say(f"written: {folder / 'mixers.json'} and a picture a pattern")
    return 0


def _sweep(
    shell: Shell, names: list[str], pattern: str, options: argparse.Namespace, device: torch.device, rates: tuple[float, float]
) -> list[Row]:
    """One row a mixer, form and length; a row with `skipped` where something cannot be measured, and why."""
    rows: list[Row] = []
    built: dict[str, Mixer] = {}
    compiled_arms: dict[str, Arm] = {}
    for name in [BASE, *(name for name in names if name != BASE)]:
        if pattern not in list_mixers()[name].patterns:
            rows.append({"mixer": name, "skipped": f"has no pattern {pattern}"})
            continue
        try:
            built[name] = make(name, pattern, device)
        except ValueError as error:
            rows.append({"mixer": name, "skipped": str(error)})
            continue
        arm = compiled(built[name], device)
        if isinstance(arm, Arm):
            compiled_arms[name] = arm
        else:
            rows.append({"mixer": name, "form": "compiled", "skipped": arm})
    for n in options.lengths:
        shell.say(f"pattern {pattern}, {n} tokens")
        arms: dict[tuple[str, str], tuple[Arm, dict[str, Any]]] = {}
        for name, mixer in built.items():
            given = inputs(mixer, n, device)
            try:
                found = forms(mixer, given)
            except ValueError as error:  # a grid that does not divide, say
                rows.append({"mixer": name, "tokens": n, "skipped": str(error)})
                continue
            arms |= {arm.key: (arm, given) for arm in found}
            if name in compiled_arms:
                if (reason := _fails(compiled_arms[name], given)) is None:
                    arms[name, "compiled"] = (compiled_arms[name], given)
                else:
                    rows.append({"mixer": name, "form": "compiled", "skipped": reason})
                    del compiled_arms[name]
        rows += _measure(arms, n, options.rounds, device, rates)
    return rows


def _measure(
    arms: dict[tuple[str, str], tuple[Arm, dict[str, Any]]], n: int, rounds: int, device: torch.device, rates: tuple[float, float]
) -> list[Row]:
    """Of one length."""
    rows = {key: {"mixer": key[0], "form": key[1], "tokens": n} for key in arms}
    for which in PASSES:
        calls = {key: pass_call(arm, given, which) for key, (arm, given) in arms.items()}
        for key, ms in median_ms(calls, rounds, device).items():
            rows[key][f"{which}_ms"] = round(ms, 4)
            rows[key][f"{which}_mib"] = round(peak_mib(calls[key], device), 3)
            rows[key][f"{which}_floor_ms"] = round(_floor_ms(*arms[key], n, rates) * (1 if which == "forward" else 3), 4)
    return list(rows.values())


def _floor_ms(arm: Arm, given: dict[str, Any], n: int, rates: tuple[float, float]) -> float:
    cost = arm.mixer.cost(n, n if "context" in given else None, given.get("grid"))
    return 1000 * BATCH * max(cost.flops / rates[0], cost.bytes / rates[1])


def _fails(arm: Arm, given: dict[str, Any]) -> str | None:
    """Why it cannot be compiled, in one line."""
    try:
        for which in PASSES:
            pass_call(arm, given, which)()
    except Exception as error:  # whatever the compiler raises: the other arms can still be measured
        return f"torch.compile: {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    return None


def _write(path: Path, about: Row, rows: list[Row]) -> None:
    patterns = list(dict.fromkeys(row["pattern"] for row in rows))
    ahead = [{"pattern": p, **win} for p in patterns for win in wins([row for row in rows if row["pattern"] == p and "tokens" in row])]
    with write_whole(path, "w") as file:
        file.write(json.dumps({**about, "wins": ahead, "rows": rows}, indent=1) + "\n")


def _table(rows: Sequence[Row], lengths: Sequence[int], pattern: str) -> str:
    """Milliseconds forward and backward by form and length, then the lengths from which on each mixer wins, then what is missing."""
    measured = [row for row in rows if "skipped" not in row]
    cells: dict[tuple[str, str], dict[int, float]] = {}
    for row in measured:
        cells.setdefault((row["mixer"], row["form"]), {})[row["tokens"]] = row["both_ms"]
    timed = [["mixer", "form", *map(str, lengths)]]
    timed += [[*key, *(f"{found[n]:.2f}" if n in found else "-" for n in lengths)] for key, found in sorted(cells.items())]
    won = [["mixer", "forward time", "both time", "forward memory", "both memory"]]
    won += [[row["mixer"], *("never" if row[m] is None else str(row[m]) for m in MEASURES)] for row in wins(measured)]
    parts = [f"pattern {pattern}: forward and backward, ms by number of tokens", _columns(timed)]
    if len(won) > 1:
        parts += ["", f"beats softmax by {MARGIN:.0%} or more from this number of tokens on (each in its best form)", _columns(won)]
    missing = [f"{row['mixer']}{' ' + row['form'] if 'form' in row else ''}{at(row)}: {row['skipped']}" for row in rows if "skipped" in row]
    return "\n".join([*parts, *(["", "not measured", *missing] if missing else []), ""])


def at(row: Row) -> str:
    return f" at {row['tokens']} tokens" if "tokens" in row else ""


def _columns(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[int]:
    words = _words(text)
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise argparse.ArgumentTypeError(f"whole numbers from 1 with commas between them, not {text!r}")
    return sorted({int(word) for word in words})


def _known(words: list[str], known: list[str], what: str) -> list[str]:
    if not words:
        raise UserError(f"no {what} is named; there are {', '.join(known)}")
    for word in words:
        if word not in known:
            raise UserError(f"no {what} {word!r}{nearest(word, known)}; there are {', '.join(known)}")
    return list(dict.fromkeys(words))
