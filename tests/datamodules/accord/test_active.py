"""Schedules moved to the left."""

import numpy as np

from datamodules.accord.active import left_shifted
from datamodules.accord.checker import check
from tests.apps.accord.automata import problems
from tests.apps.accord.automata.test_replay import random_plan


def test_no_operation_starts_later_and_the_schedule_stays_one():
    g = np.random.default_rng(0)
    for _ in range(200):
        shop = problems.jssp(g, int(g.integers(1, 7)))
        plan = random_plan("jssp", shop, g)
        shifted = left_shifted(shop.jobs, plan)
        assert check(shop, shifted).feasible
        assert all(a <= b for one, two in zip(shifted, plan, strict=True) for a, b in zip(one, two, strict=True))


def test_an_active_schedule_stays_as_it_is():
    g = np.random.default_rng(1)
    for _ in range(100):
        shop = problems.jssp(g, int(g.integers(1, 7)))
        once = left_shifted(shop.jobs, random_plan("jssp", shop, g))
        assert left_shifted(shop.jobs, once) == once


def test_an_operation_moves_into_a_gap_that_holds_it():
    jobs = (((0, 2), (1, 5)), ((1, 3), (0, 2)), ((0, 3),))
    # Machine 0: job 0 from 0 to 2, job 1 from 8 to 10, job 2 from 10 to 13; the gap from 2 to 8 holds job 2.
    assert left_shifted(jobs, ((0, 8), (5, 8), (10,))) == ((0, 3), (0, 3), (5,))


def test_a_gap_may_be_filled_to_the_last():
    assert left_shifted((((0, 2),), ((1, 5), (0, 2)), ((0, 3),)), ((0,), (0, 5), (7,))) == ((0,), (0, 5), (2,))
