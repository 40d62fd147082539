"""One query among 100,000 vectors: milliseconds of our exact gallery search, beside FAISS's exact flat index.

    OMP_NUM_THREADS=1 python -m benchmarks.dcal.search [--faiss-python /path/to/python] [--entries 100000] [--smoke]

--faiss-python: the interpreter of an environment with faiss-cpu and numpy, which are no dependencies of ours; without it the column is
not measured. It runs beside this process and answers one query at a time, so that the rounds of both alternate and share whatever the
machine does meanwhile; its milliseconds are taken inside it, around the search alone, as ours are. `cpu_ms` is the processor's time,
which other work does not lengthen by waiting; the ratio is of it. Both find the same ten. Ours are hits with names, FAISS's are numbers of
rows. Medians over the queries.
"""

import argparse
import hashlib
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import torch

from apps.dcal.gallery import Entry, Gallery
from apps.dcal.search import Searcher
from benchmarks.record import write

__all__ = ["FLAT", "Flat", "milliseconds", "queries_of", "same"]

TOP, MODEL = 10, "benchmark"
TIE = 1e-6  # two scores nearer than this may stand in either order: the sums were made in another one

# What the other interpreter runs: a line in is the number of a query, a line out its answer.
FLAT = """
import json, sys, time
import faiss, numpy as np
vectors, queries = np.load(sys.argv[1]), np.load(sys.argv[2])
faiss.omp_set_num_threads(int(sys.argv[3]))
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)
print(json.dumps({"version": faiss.__version__}), flush=True)
for line in sys.stdin:
    query = queries[int(line)][None]
    start = time.perf_counter(), time.process_time()
    scores, rows = index.search(query, int(sys.argv[4]))
    seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    print(json.dumps({"seconds": seconds, "rows": rows[0].tolist(), "scores": scores[0].tolist()}), flush=True)
"""


class Vectors(Protocol):
    """A gallery of any application."""

    @property
    def vectors(self) -> np.ndarray: ...


def gallery_of(entries: int, width: int, seed: int = 0) -> Gallery:
    """Random directions."""
    vectors = np.random.default_rng(seed).standard_normal((entries, width), np.float32)
    names = [Entry(f"{row}.jpg", hashlib.sha256(str(row).encode()).hexdigest()) for row in range(entries)]
    return Gallery.empty(MODEL, width).append(vectors, names, MODEL)


def queries_of(gallery: Vectors, count: int, seed: int = 1) -> np.ndarray:
    """Each near an entry of the gallery, as another picture of the same one would be."""
    rng = np.random.default_rng(seed)
    near = gallery.vectors[rng.integers(len(gallery.vectors), size=count)]
    queries = near + rng.standard_normal(near.shape, np.float32) / near.shape[1] ** 0.5
    return queries / np.linalg.norm(queries, axis=1, keepdims=True)


def same(ours: list[int], theirs: list[int], vectors: np.ndarray, query: np.ndarray) -> bool:
    """The same rows in the same order, up to the order of scores that cannot be told apart in float64."""
    if len(ours) != len(theirs):
        return False
    found, expected = (vectors[rows].astype(np.float64) @ query.astype(np.float64) for rows in (ours, theirs))
    return all(a == b or abs(x - y) <= TIE for a, b, x, y in zip(ours, theirs, found, expected, strict=True))


class Flat:
    """FAISS's exact index in its own process."""

    def __init__(self, python: Path, gallery: Vectors, queries: np.ndarray, folder: Path) -> None:
        np.save(folder / "vectors.npy", gallery.vectors)
        np.save(folder / "queries.npy", queries)
        arguments = [folder / "vectors.npy", folder / "queries.npy", torch.get_num_threads(), TOP]
        self.process = subprocess.Popen(
            [str(python), "-c", FLAT, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = self._line()["version"]

    def search(self, number: int) -> dict[str, Any]:
        _pipe(self.process.stdin).write(f"{number}\n")
        _pipe(self.process.stdin).flush()
        return self._line()

    def close(self) -> None:
        _pipe(self.process.stdin).close()
        self.process.wait()

    def _line(self) -> dict[str, Any]:
        line = _pipe(self.process.stdout).readline()
        if not line:
            raise SystemExit("--faiss-python: that interpreter ended; it needs faiss-cpu and numpy, see its message above")
        return json.loads(line)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def measure(gallery: Gallery, queries: np.ndarray, flat: Flat | None) -> dict[str, Any]:
    searcher = Searcher(gallery)
    ours: list[tuple[float, float]] = []  # seconds of the clock, of the processor
    theirs: list[tuple[float, float]] = []
    agreed = 0
    for number, query in enumerate(queries):
        start = time.perf_counter(), time.process_time()
        hits = searcher.search(query[None], MODEL, top=TOP)[0]
        seconds = time.perf_counter() - start[0], time.process_time() - start[1]
        answer = flat.search(number) if flat is not None else None
        if number == 0:  # the first warms both up
            continue
        ours.append(seconds)
        if answer is not None:
            theirs.append((answer["seconds"][0], answer["seconds"][1]))
            agreed += same([hit.row for hit in hits], answer["rows"], gallery.vectors, query)
    row = {"entries": len(gallery), "width": queries.shape[1], "queries": len(ours)} | milliseconds("ours", ours)
    if not theirs:
        return row | dict.fromkeys(("faiss_flat_ms", "faiss_flat_cpu_ms", "ours_over_faiss", "identical"), "not measured")
    ratio = statistics.median(a[1] / b[1] for a, b in zip(ours, theirs, strict=True))
    return row | milliseconds("faiss_flat", theirs) | {"ours_over_faiss": round(ratio, 3), "identical": f"{agreed} of {len(ours)}"}


def milliseconds(who: str, seconds: list[tuple[float, float]]) -> dict[str, Any]:
    clock, processor = zip(*seconds, strict=True)
    return {f"{who}_ms": round(1000 * statistics.median(clock), 2), f"{who}_cpu_ms": round(1000 * statistics.median(processor), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faiss-python", type=Path, help="interpreter of an environment with faiss-cpu")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 384], help="of the vectors: two branches of 128 or of 192")
    parser.add_argument("--queries", type=int, default=101, help="one after the other; the first is not counted")
    parser.add_argument("--smoke", action="store_true", help="few of everything, and nothing written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dcal_search.json"))
    options = parser.parse_args()
    if options.faiss_python is not None and not options.faiss_python.exists():
        parser.error(f"--faiss-python {options.faiss_python} is not there; make it with 'python -m venv' and 'pip install faiss-cpu'")
    if options.smoke:
        options.entries, options.widths, options.queries = 500, [16], 4
    rows = []
    for width in options.widths:
        gallery = gallery_of(options.entries, width)
        queries = queries_of(gallery, options.queries)
        with tempfile.TemporaryDirectory() as folder:
            flat = Flat(options.faiss_python, gallery, queries, Path(folder)) if options.faiss_python else None
            rows.append(measure(gallery, queries, flat) | {"faiss": flat.version if flat else "-"})
            if flat is not None:
                flat.close()
        print(rows[-1], flush=True)
    if not options.smoke:
        write(options.out, "dcal_search", rows)


if __name__ == "__main__":
    main()
