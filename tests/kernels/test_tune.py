"""The choice of tiles, with times that are made up: a device only says them."""

import json
import subprocess
import sys

import pytest
import torch

from kernels import launch
from kernels.cases import CASES
from kernels.tune import Bench, chosen, in_effect, neighbours, rewritten, text, tuned
from tests.system.command import ROOT, environment

TILE = {"BLOCK_N": 32, "BLOCK_M": 64, "num_warps": 4, "num_stages": 1}


def test_neighbours_differ_in_one_number_and_stay_possible() -> None:
    found = neighbours(TILE)
    assert found[0] == TILE
    assert all(sum(other[key] != TILE[key] for key in TILE) == 1 for other in found[1:])
    assert {other["BLOCK_N"] for other in found} == {16, 32, 64}
    assert {other["num_stages"] for other in found} == {1, 2}
    assert len({json.dumps(other) for other in found}) == len(found) == 8


def test_the_fastest_by_the_median_is_chosen() -> None:
    other = {**TILE, "BLOCK_N": 64}
    assert chosen([TILE, other], [[3.0, 3.0, 3.0], [2.0, 2.0, 90.0]]) == other
    assert chosen([TILE, other], [[3.0, 3.0, 3.0], [4.0, 4.0, 0.1]]) == TILE


@pytest.mark.parametrize("key", ["BLOCK_M", "num_warps", "num_stages"])
def test_of_equals_the_smaller_is_chosen(key: str) -> None:
    larger = {**TILE, key: 2 * TILE[key]}
    assert chosen([larger, TILE], [[1.0], [1.01]]) == TILE
    assert chosen([TILE, larger], [[1.03], [1.0]]) == larger


def test_only_what_fits_and_is_right_is_timed() -> None:
    seen = []

    def timed(candidates):
        seen.extend(candidates)
        return [[float(tile["BLOCK_N"])] for tile in candidates]

    found = tuned(TILE, lambda tile: tile["BLOCK_M"] < 128, lambda tile: tile["BLOCK_N"] >= 32, timed)
    assert found["BLOCK_N"] == 32
    assert all(tile["BLOCK_M"] < 128 and tile["BLOCK_N"] >= 32 for tile in seen)
    assert {tile["BLOCK_N"] for tile in seen} == {32, 64}


def test_where_nothing_is_right_the_tile_stays() -> None:
    assert tuned(TILE, lambda tile: True, lambda tile: False, lambda candidates: pytest.fail("nothing may be timed")) == TILE


@pytest.mark.parametrize("operation", sorted(path.parent.name for path in launch.FOLDER.glob("*/tiles.json")))
def test_rows_of_an_architecture_of_its_own_change_that_one_alone(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = launch.tiles(operation)
    kernel = table[-1]["kernel"]
    rows = [{**row, "num_warps": 16} for row in in_effect(table, kernel, 95)]
    after = json.loads(text(rewritten(table, kernel, 95, rows)))

    def taken(table: list[dict], architecture: int) -> list[dict[str, int]]:
        monkeypatch.setattr(launch, "tiles", lambda name: table)
        with launch.aimed_at(architecture):
            shapes = [(dtype, width) for dtype in (torch.float32, torch.bfloat16) for width in (16, 64, 128, 256)]
            return [launch.tile(operation, kernel, torch.empty(1, dtype=dtype), width) for dtype, width in shapes]

    for architecture in (80, 86, 90):
        assert taken(after, architecture) == taken(table, architecture)
    for architecture in (95, 100):
        assert taken(after, architecture) == [{**tile, "num_warps": 16} for tile in taken(table, 95)]
    assert rewritten(after, kernel, 95, rows) == after


ROWS = [(path.parent.name, row) for path in sorted(launch.FOLDER.glob("*/tiles.json")) for row in launch.tiles(path.parent.name)]


@pytest.mark.parametrize(("operation", "kernel"), dict.fromkeys((name, row["kernel"]) for name, row in ROWS))
def test_every_row_of_a_table_is_tried_by_what_takes_its_tile(operation: str, kernel: str) -> None:
    row = in_effect(launch.tiles(operation), kernel, 90)[-1]
    bench = Bench(operation, row, 90)
    found = [one for case in CASES[bench.operation](bench.dtype, bench.width) for one in bench.launched(case)]
    assert found
    for one in found:
        assert one.operation == operation
        taken = {**one.constants, **one.options}
        assert all(taken.get(key, value) == value for key, value in row.items() if key not in launch.KEYS)


def test_a_tile_on_trial_is_taken_by_its_kernel_alone() -> None:
    x = torch.empty(1)
    before = launch.tile("gate_residual", "forward", x, 64)
    with launch.trying("gate_residual", "forward", TILE):
        assert launch.tile("gate_residual", "forward", x, 64) == TILE
        assert launch.tile("gate_residual", "backward", x, 64) != TILE
    assert launch.tile("gate_residual", "forward", x, 64) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_without_a_device_it_says_why_in_one_line() -> None:
    done = subprocess.run([sys.executable, "-m", "kernels.tune"], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no CUDA device here" in done.stderr
