"""What the attention core's own forms gain over the plain ones: time by interleaved rounds, and memory where it is the point.

python -m benchmarks.core.run [--rounds 7] [--only history gated_pool ...] [--out benchmarks/results/core.json]
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.core import gated_pool, gpsa, history, rollout
from benchmarks.record import write

SUBJECTS: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "history": history.rows,
    "gated_pool": gated_pool.rows,
    "gpsa": gpsa.rows,
    "rollout": rollout.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/core.json"))
    options = parser.parse_args()
    rows = []
    for name in options.only:
        for row in SUBJECTS[name](options.rounds):
            rows.append({"what": name, **row})
            print(rows[-1], flush=True)
    write(options.out, "core", rows)


if __name__ == "__main__":
    main()
