"""One face among 100,000 templates: milliseconds of our exact search and of the whole answer of `identify`, beside FAISS's exact index.

    OMP_NUM_THREADS=1 python -m benchmarks.ahan.search [--faiss-python /path/to/python] [--people 10000 100000] [--smoke]

The other interpreter and how both take turns: see benchmarks/dcal/search.py, whose parts these are. `answer_ms` is search, threshold and
twin rule together, of a gallery in which every tenth person has a declared twin. Reading the gallery is not in it: `load_s` is that.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from apps.ahan.calibration_file import CalibrationFile, Open
from apps.ahan.decision import Calibration, Threshold
from apps.ahan.gallery import Entry, GalleryFolder, People
from apps.ahan.identification import Searcher, identify
from benchmarks.dcal.search import MODEL, TOP, Flat, milliseconds, queries_of, same
from benchmarks.record import write

__all__ = ["people_of"]

ALIGNER = "arcface-112"
TWINS = 10  # every so many people the next one is declared a twin


def people_of(count: int, width: int, seed: int = 0) -> People:
    """Random directions with made-up names."""
    vectors = np.random.default_rng(seed).standard_normal((count, width), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    entries = []
    for number in range(count):
        twins = (f"person {number + 1}",) if number % TWINS == 0 and number + 1 < count else ()
        entries.append(Entry(f"person {number}", "made up", "2030-01-01T00:00:00+00:00", 1, twins=twins))
    return People(MODEL, ALIGNER, vectors, tuple(entries))


def calibration_of(people: int) -> CalibrationFile:
    """Thresholds of no model: what they cost is measured, not what they decide."""
    at = Threshold(0.3, 0.001, 0.0, 0.002, 0.9, 10_000, 100)
    return CalibrationFile(MODEL, ALIGNER, Calibration(at, at, 0.05), Open(0.3, 0.01, people, 0.01 / people, 10_000, 0.9))


def loaded(people: People, folder: Path) -> tuple[People, float]:
    """(as it comes back from the disk, seconds of reading it)."""
    gallery = GalleryFolder(folder / "gallery")
    gallery.create(People.empty(people.model, people.aligner, people.vectors.shape[1]), print)
    gallery.change(lambda _: people, print)
    start = time.perf_counter()
    return gallery.read(), time.perf_counter() - start


def measure(people: People, queries: np.ndarray, flat: Flat | None) -> dict[str, Any]:
    searcher, calibration = Searcher(people), calibration_of(len(people))
    ours: list[tuple[float, float]] = []  # seconds of the clock, of the processor
    answers: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    agreed = 0
    for number, query in enumerate(queries):
        start = time.perf_counter(), time.process_time()
        hits = searcher.search(query[None], TOP)[0]
        searched = time.perf_counter() - start[0], time.process_time() - start[1]
        identify(searcher, query, hits, calibration)
        answered = time.perf_counter() - start[0], time.process_time() - start[1]
        answer = flat.search(number) if flat is not None else None
        if number == 0:  # the first warms both up
            continue
        ours.append(searched)
        answers.append(answered)
        if answer is not None:
            theirs.append((answer["seconds"][0], answer["seconds"][1]))
            agreed += same([people.row(hit.id) for hit in hits], answer["rows"], people.vectors, query)
    row = {"people": len(people), "width": queries.shape[1], "queries": len(ours), **milliseconds("search", ours)}
    row |= milliseconds("answer", answers)
    if not theirs:
        return row | dict.fromkeys(("faiss_flat_ms", "faiss_flat_cpu_ms", "search_over_faiss", "identical"), "not measured")
    ratio = statistics.median(a[1] / b[1] for a, b in zip(ours, theirs, strict=True))
    return row | milliseconds("faiss_flat", theirs) | {"search_over_faiss": round(ratio, 3), "identical": f"{agreed} of {len(ours)}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faiss-python", type=Path, help="interpreter of an environment with faiss-cpu")
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 512], help="of an embedding: tiny's and paper's")
    parser.add_argument("--queries", type=int, default=101, help="one after the other; the first is not counted")
    parser.add_argument("--smoke", action="store_true", help="few of everything, and nothing written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ahan_search.json"))
    options = parser.parse_args()
    if options.faiss_python is not None and not options.faiss_python.exists():
        parser.error(f"--faiss-python {options.faiss_python} is not there; make it with 'python -m venv' and 'pip install faiss-cpu'")
    if options.smoke:
        options.people, options.widths, options.queries = [500], [16], 4
    rows = []
    for people, width in ((people, width) for people in options.people for width in options.widths):
        with tempfile.TemporaryDirectory() as folder:
            gallery, seconds = loaded(people_of(people, width), Path(folder))
            queries = queries_of(gallery, options.queries)
            flat = Flat(options.faiss_python, gallery, queries, Path(folder)) if options.faiss_python else None
            rows.append(measure(gallery, queries, flat) | {"load_s": round(seconds, 2), "faiss": flat.version if flat else "-"})
            if flat is not None:
                flat.close()
        print(rows[-1], flush=True)
    if not options.smoke:
        write(options.out, "ahan_search", rows)


if __name__ == "__main__":
    main()
