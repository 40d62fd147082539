"""`discern bench mixers`: every mixer beside softmax over a sweep of lengths, in each of the four patterns that CAB names."""

import argparse
import json
import os
from pathlib import Path

import torch

from apps.base.bench.arms import BATCH, HEADS, PATTERNS, WIDTH
from apps.base.bench.chart import chart
from apps.base.bench.measure import METHOD, limits
from apps.base.bench.study.pictures import embedded, read
from apps.base.bench.study.run import study
from apps.base.bench.study.trunks import arms
from apps.base.bench.sweep import Row, sweep
from apps.base.bench.table import table
from apps.base.bench.wins import BASE, wins
from apps.base.engine import add_engine, engine_of
from apps.base.errors import UserError
from apps.base.machine import measured_on
from apps.base.places import output_folder
from apps.base.shell import Shell, nearest, positive
from core_attention import list_mixers
from datamodules.errors import DataError
from datamodules.whole import write_bytes, write_whole

__all__ = ["mixers"]

LENGTHS = "64,128,256,512,1024,2048"
STUDY = ("data", "seeds", "steps")  # options that only the study takes


def mixers(shell: Shell, argv: list[str]) -> int:
    """Time, peak memory and floor of every mixer: eager, by torch's fused attention where it can, and compiled.

    Softmax is always among them: the table says from which length on each of the others beats it.
    Broken off, it goes on where it was when the same is asked for again.

    --study trains instead: every mixer in the same small vision transformer, with the same pictures, steps and seeds, and shows
    accuracy beside softmax's with intervals, and what a step costs. What a sweep of lengths left in the same folder stands in its table."""
    parser = shell.parser("bench mixers", mixers.__doc__)
    parser.add_argument("--mixers", type=_words, metavar="A,B", help="only these, beside softmax (default: all)")
    parser.add_argument("--lengths", type=_numbers, default=LENGTHS, metavar="N,N", help=f"numbers of tokens (default: {LENGTHS})")
    parser.add_argument(
        "--pattern", type=_words, default="ns", metavar="P", help="of ns, cs, nc, cc, with commas between them (default: ns)"
    )
    parser.add_argument("--rounds", type=positive, default=7, help="how often each is timed (default: 7)")
    parser.add_argument("--out", type=Path, help="where mixers.json, study.json and the pictures go (default: HOME/bench)")
    parser.add_argument("--study", action="store_true", help="train each in the same trunk (default: measure time and memory)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="of --study: classified pictures (default: the embedded beetles)")
    parser.add_argument("--seeds", type=positive, metavar="N", help="of --study: trainings of each (default: 3)")
    parser.add_argument("--steps", type=positive, metavar="N", help="of --study: steps of 32 pictures (default: 1400)")
    add_engine(parser, "of --study: trainings", jobs=None)
    options = parser.parse_args(argv)
    names = _known(list(list_mixers()) if options.mixers is None else options.mixers, list(list_mixers()), "mixer")
    patterns = _known(options.pattern, list(PATTERNS), "pattern")
    folder = output_folder("--out", options.out or shell.home / "bench")
    if options.study:
        return _study(shell, options, folder)
    if given := [flag for flag in STUDY if getattr(options, flag) is not None]:
        raise UserError(f"--{given[0]} belongs to --study")

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rates = limits(device)
    about = {
        "subject": "mixers",
        "finished": False,
        **measured_on(("torch", "triton", "discern")),
        "settings": {
            "width": WIDTH, "heads": HEADS, "batch": BATCH, "dtype": "float32", "rounds": options.rounds,
            "mixers": names, "patterns": patterns, "lengths": options.lengths,
        },
        "method": METHOD,
        "limits": {"gflops": round(rates[0] / 1e9, 1), "gb_per_s": round(rates[1] / 1e9, 1)},
    }  # fmt: skip
    file = folder / "mixers.json"
    rows = _earlier(file, about)
    if rows:
        shell.say(f"going on with {file}, which was broken off")
    for pattern in patterns:
        left = [n for n in options.lengths if not any((row["pattern"], row.get("tokens")) == (pattern, n) for row in rows)]
        measuring = sweep(names, pattern, left, options.rounds, device, rates)
        for n in left:
            shell.say(f"pattern {pattern}, {n} tokens")
            rows += [new for row in next(measuring) if (new := {"pattern": pattern, **row}) not in rows]
            _write(file, about, rows)
        own = [row for row in rows if row["pattern"] == pattern]
        what = f"mixers, pattern {pattern}: width {WIDTH}, {HEADS} heads, batch {BATCH}, float32"
        title = f"{what}\n{about['device']}, {about['threads']} thread{'s' * (about['threads'] != 1)}"
        write_bytes(folder / f"mixers-{pattern}.png", chart([row for row in own if "skipped" not in row], title, names))
        print(table(own, options.lengths, pattern))
    _write(file, {**about, "finished": True}, rows)
    shell.say(f"written: {file} and a picture a pattern")
    return 0


def _study(shell: Shell, options: argparse.Namespace, folder: Path) -> int:
    if (options.pattern, options.lengths) != (["ns"], _numbers(LENGTHS)):
        raise UserError("--pattern and --lengths are of the sweep; the study is of 64 tokens that all see each other")
    names = arms()
    if options.mixers is not None:
        names = [BASE, *(name for name in _known(options.mixers, names, "mixer") if name != BASE)]
    try:
        data = embedded() if options.data is None else read(options.data)
    except DataError as error:
        raise UserError(str(error)) from None
    engine = engine_of(options.engine, options.jobs, options.ray_address, os.cpu_count() or 1, 1, ("core_attention.trunks",))
    print(study(shell, names, data, options.seeds or 3, options.steps or 1400, options.rounds, engine, folder))
    shell.say(f"written: {folder / 'study.json'} and {folder / 'study.png'}")
    return 0


def _earlier(path: Path, about: Row) -> list[Row]:
    """The rows of a run that was broken off, if it was this very one; none of a finished one, which is measured anew."""
    try:
        earlier = json.loads(path.read_text())
        same = ("subject", "finished", "commit", "device", "threads", "versions", "settings")
        return earlier["rows"] if all(earlier[key] == about[key] for key in same) else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _write(path: Path, about: Row, rows: list[Row]) -> None:
    patterns = list(dict.fromkeys(row["pattern"] for row in rows))
    ahead = [{"pattern": p, **win} for p in patterns for win in wins([row for row in rows if row["pattern"] == p and "tokens" in row])]
    with write_whole(path, "w") as file:
        file.write(json.dumps({**about, "wins": ahead, "rows": rows}, indent=1) + "\n")


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
