"""A problem that is none is refused by name; one that is has its numbers exactly."""

import numpy as np
import pytest
import torch

from datamodules.accord.errors import InfeasibleError, InvalidInstanceError, PrecisionError
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.packs import pack

SQUARE = [[0, 1, 2], [1, 0, 3], [2, 3, 0]]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: TSP([[0, 1], [1, 0], [2, 2]]), InvalidInstanceError, "square"),
        (lambda: TSP([[0, -1], [1, 0]]), InvalidInstanceError, "negative"),
        (lambda: TSP([[0, float("nan")], [1, 0]]), InvalidInstanceError, "not a number"),
        (lambda: TSP([[0, 1.5], [1, 0]]), InvalidInstanceError, "whole"),
        (lambda: TSP([[0, 1 << 61], [1 << 61, 0]]), PrecisionError, "62 bits"),
        (lambda: TSP(SQUARE, xy=[[0, 0], [1, 1]]), InvalidInstanceError, "3 pairs"),
        (lambda: TSP(np.zeros((0, 0))), InvalidInstanceError, "no nodes"),
        (lambda: CVRP(SQUARE, [0, 1], 5), InvalidInstanceError, "2 demands for 3"),
        (lambda: CVRP(SQUARE, [0, 6, 1], 5), InfeasibleError, "customer 1 asks for 6"),
        (lambda: CVRP(SQUARE, [1, 1, 1], 5), InvalidInstanceError, "depot"),
        (lambda: BinPacking([3, 9], 8), InfeasibleError, "item 1"),
        (lambda: Knapsack([1, 2], [1], 3), InvalidInstanceError, "2 values and 1 weights"),
        (lambda: FlowShop([[1, 2], [3]]), InvalidInstanceError, "unequal"),
        (lambda: JobShop((((2, 1),),), machines=2), InvalidInstanceError, "machine 2 of 2"),
        (lambda: JobShop(((),), machines=2), InvalidInstanceError, "no operations"),
    ],
)
def test_what_is_no_problem_is_refused_by_name(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_nothing_can_change_an_instance_afterwards():
    one = TSP(SQUARE)
    with pytest.raises(ValueError, match="read-only"):
        one.distances[0, 1] = 7


def test_the_diagonal_counts_as_nothing():
    assert TSP([[9999, 1], [1, 9999]]).distances.tolist() == [[0, 1], [1, 0]]


def test_jobs_without_operations_are_left_out_and_said():
    one = JobShop((((0, 3),), ()), machines=1)
    assert one.size == 1
    assert "1 jobs without operations" in one.notes[0]


def test_padding_of_a_pack_is_empty_and_rows_keep_their_own_sizes():
    batch = pack([BinPacking([3, 5], 8), BinPacking([1, 2, 4], 9)])
    assert batch["weights"].tolist() == [[5, 3, 0], [4, 2, 1]]
    assert batch["ids"].tolist() == [[1, 0, -1], [2, 1, 0]]
    assert batch["size"].tolist() == [2, 3]


def test_coordinates_of_a_pack_lie_around_the_middle_of_their_box():
    batch = pack([TSP(SQUARE, xy=[[10, 10], [30, 10], [10, 20]])])
    assert torch.equal(batch["xy"][0], torch.tensor([[-0.5, -0.25], [0.5, -0.25], [-0.5, 0.25]]))
    assert batch["has_xy"].tolist() == [True]


def test_jobs_of_unequal_length_are_padded_and_counted():
    batch = pack([JobShop((((0, 3), (1, 2)), ((1, 4),)), machines=2)])
    assert batch["operations"].tolist() == [[2, 1]]
    assert batch["time"].tolist() == [[[3, 2], [4, 0]]]
