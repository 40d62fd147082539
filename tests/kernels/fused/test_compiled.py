"""What the kernels take of devices that are not here: kernels/compiled.json, written by `python -m kernels.compile_check`."""

import json
import os
import subprocess
import sys

import pytest
import torch

from kernels.cases import CASES
from kernels.compile_check import ARCHITECTURES, DTYPES, SHARED, STACK, TABLE, WIDTHS, fingerprint, launches, launches_of, sources
from kernels.launch import FOLDER, aimed_at
from kernels.shared.attention import row_lse

TABLE_ROWS = json.loads(TABLE.read_text())
OPERATIONS = sorted(CASES)
# How many of a case's first tensors all its products have; kernels without a product, or without some of them.
FACTORS = {
    "diff_attention": 5,
    "head_mean_map": 2,
    "paired_attention": 5,
    "reversed_attend": 3,
    "sigmoid_attention": 3,
    "apply_transposed": 2,
}
WITHOUT = ("row_lse", "row_sums")


def test_every_operation_with_kernels_has_cases_and_rows() -> None:
    with_kernels = sorted(path.parent.name for path in FOLDER.glob("*/triton_form.py"))
    assert with_kernels == OPERATIONS == sorted(TABLE_ROWS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_table_is_of_these_kernels(operation: str) -> None:
    assert TABLE_ROWS[operation]["hash"] == fingerprint(operation), "run python -m kernels.compile_check"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_table_is_of_borrowed_kernels_as_well(operation: str) -> None:
    launched = {one.operation for _, one in launches(operation, 80, torch.float32, 32)}
    assert launched <= set(sources(operation))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_kernel_fits_every_device(operation: str) -> None:
    for row in TABLE_ROWS[operation]["rows"]:
        assert row["shared"] <= SHARED[row["architecture"]], row
        assert row["registers"] <= 255, row
        assert row["stack"] <= STACK, row


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_kernel_is_in_the_table(operation: str) -> None:
    rows = {(row["kernel"], row["architecture"], row["dtype"], row["width"]) for row in TABLE_ROWS[operation]["rows"]}
    for architecture in ARCHITECTURES:
        for dtype in DTYPES:
            for width in WIDTHS:
                for _, one in launches(operation, architecture, dtype, width):
                    assert (one.kernel, architecture, str(dtype).removeprefix("torch."), width) in rows


@pytest.mark.parametrize(("operation", "factors"), FACTORS.items())
def test_tiles_are_as_small_as_the_widest_factor_of_a_product_asks(operation: str, factors: int) -> None:
    """A tile for numbers of 16 bits does not hold those of 32, wherever they come from."""

    def shapes(wide: set[int]) -> list[tuple[str, dict[str, int]]]:
        case = CASES[operation](torch.bfloat16, 64)[0]
        made = case._replace(tensors=tuple(x.float() if i in wide else x for i, x in enumerate(case.tensors)))
        listed = [(one.kernel, {**one.options, **{key: one.constants.get(key) for key in ("BLOCK_N", "BLOCK_M")}})
                  for one in launches_of(made, 90)]  # fmt: skip
        return [one for one in listed if one[0] not in WITHOUT]

    narrow, widest = shapes(set()), shapes(set(range(factors)))
    assert narrow != widest
    for i in range(factors):
        assert shapes({i}) == widest, f"only tensor {i} is wide"


def test_a_kernel_compiles_here_for_a_device_that_is_not() -> None:
    code = """
import torch
from kernels.compile_check import compiled, launches
for what, one in launches("gate_residual", 90, torch.bfloat16, 64)[:1]:
    print(sorted(compiled(one, 90)))
"""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "['registers', 'shared', 'stack']", done.stderr


def test_listed_launches_carry_the_tile_of_their_device() -> None:
    for architecture in ARCHITECTURES:
        for _, one in launches("gate_residual", architecture, torch.float32, 64):
            assert one.options["num_warps"] >= 1
            assert "BLOCK_R" in one.constants


@pytest.mark.parametrize("wide", [0, 1])
def test_a_log_sum_exp_takes_the_tile_of_the_wider_of_queries_and_keys(wide: int) -> None:
    q, k = (torch.zeros(1, 1, 4, 64, dtype=torch.float32 if i == wide else torch.bfloat16) for i in range(2))
    with aimed_at(90) as listed:
        row_lse(q, k, None, 1.0)
        row_lse(q.float(), k.float(), None, 1.0)
    mixed, whole = ((one.constants["BLOCK_N"], one.constants["BLOCK_M"], one.options["num_warps"]) for one in listed)
    assert mixed == whole
