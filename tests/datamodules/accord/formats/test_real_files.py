"""The public instances, where the folder is there: DISCERN_PROBLEMS=FOLDER with best_known.csv in it."""

import csv
import os
from pathlib import Path

import pytest

from datamodules.accord.checker import check
from datamodules.accord.formats import FORMATS, best_known, read, read_solution, with_best
from datamodules.accord.formats.converting import losses
from datamodules.accord.formats.writing import written_as

FOLDER = Path(os.environ.get("DISCERN_PROBLEMS", Path(__file__).parents[5] / "shared/data/problems"))

ACCORD = ("named_fleet",)  # its text has none
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not (FOLDER / "best_known.csv").is_file(), reason="no folder of public instances: DISCERN_PROBLEMS=FOLDER"),
]


def rows():
    with (FOLDER / "best_known.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_instance_is_read_with_its_size_and_written_again():
    known = best_known(FOLDER)
    for row in rows():
        (one,) = read(f"{FOLDER / row['file']}{'#' if row['member'] else ''}{row['member']}")
        assert one.kind == {"bpp": "binpack"}.get(row["kind"], row["kind"])
        assert one.size == int(row["n"])
        with_best(one, *known[row["file"], row["member"]])
        for made in FORMATS.values():
            if made.write and one.kind in made.kinds:
                lost = losses([one], written_as(one, made), made, f"{one.name}{made.suffixes[0]}")
                assert set(lost) <= {"the best known value", "that the best value is proven", *(ACCORD if made.name == "accord" else ())}


def test_published_tours_and_routes_have_the_published_lengths():
    known = best_known(FOLDER)
    found = 0
    for path in [*sorted(FOLDER.glob("tsp/*.opt.tour")), *sorted(FOLDER.glob("cvrp/*.sol"))]:
        file = path.with_name(path.name.replace(".opt.tour", ".tsp").replace(".sol", ".vrp"))
        (one,) = read(file)
        plan, declared = read_solution(path, one)
        report = check(one, plan, declared)
        assert report.feasible
        assert report.objective == known[file.relative_to(FOLDER).as_posix(), ""][0]
        assert declared in (None, report.objective)
        found += 1
    assert found == 19
