"""Made sets are the same for everybody, and are what they are called."""

import hashlib

import numpy as np
import pytest

from datamodules.accord.bounds import bound
from datamodules.accord.errors import InvalidInstanceError
from datamodules.accord.formats import read
from datamodules.accord.instances import KINDS
from datamodules.accord.packs import pack
from datamodules.accord.synth import (
    CAPACITIES,
    DISTRIBUTIONS,
    SIZES,
    Draws,
    generate,
    taillard_flow_shop,
    taillard_job_shop,
    write_examples,
)

TINY = SIZES["tiny"]

# The first 64 of the tiny sets of seed 1234: another hash means that every published figure is of another set.
HASHES = {
    "tsp": "00640d3803e103df",
    "cvrp": "8a390fc5476c330b",
    "knapsack": "b00318b713d5b3f0",
    "binpack": "4fb0eb399a1f4762",
    "pfsp": "98c3319e7262fca1",
    "jssp": "c5933beaf5f4ef39",
}


def fingerprint(instances):
    """Of the integers alone, little-endian."""
    digest = hashlib.sha256()
    for instance in instances:
        for name, tensor in sorted(pack([instance]).items()):
            if tensor.is_floating_point() or name == "has_xy":
                continue
            digest.update(f"{name}{tuple(tensor.shape)}".encode() + tensor.numpy().astype("<i8").tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("kind", KINDS)
def test_the_test_sets_have_not_changed(kind):
    assert fingerprint(generate(kind, 64, TINY[kind], seed=1234)) == HASHES[kind]


@pytest.mark.parametrize(("kind", "dist"), [(kind, dist) for kind in DISTRIBUTIONS for dist in DISTRIBUTIONS[kind]])
def test_an_instance_does_not_depend_on_how_many_are_made(kind, dist):
    size = 21 if dist == "triplets" else TINY[kind]
    many = generate(kind, 5, size, seed=7, dist=dist)
    assert fingerprint(generate(kind, 2, size, seed=7, dist=dist)) == fingerprint(many[:2])
    assert fingerprint(generate(kind, 2, size, seed=7, dist=dist, first=3)) == fingerprint(many[3:])
    assert len({fingerprint([one]) for one in many}) == 5, "they differ"
    assert fingerprint(generate(kind, 5, size, seed=8, dist=dist)) != fingerprint(many), "the seed counts"
    assert len({one.name for one in many}) == 5


@pytest.mark.parametrize("budget", SIZES)
def test_every_budget_has_a_size_of_every_kind(budget):
    assert list(SIZES[budget]) == list(KINDS)
    for kind, size in SIZES[budget].items():
        (instance,) = generate(kind, 1, size)
        assert instance.kind == kind
        assert instance.size == (size[0] if isinstance(size, tuple) else size)


def test_distances_are_the_real_ones_times_a_million_rounded_half_up():
    for dist in DISTRIBUTIONS["tsp"]:
        (one,) = generate("tsp", 1, 12, dist=dist)
        exact = np.hypot(*(one.xy[:, None] - one.xy[None]).transpose(2, 0, 1))
        assert one.scale == 10**6
        assert np.abs(one.distances / one.scale - exact).max() <= 0.5001e-6
        assert (one.distances == one.distances.T).all()
        assert one.xy.min() >= 0
        assert one.xy.max() <= 1


def test_clustered_points_lie_closer_together_than_uniform_ones():
    def nearest(dist):
        sets = generate("tsp", 4, 300, dist=dist)
        return np.mean([np.median(np.sort(one.distances, 1)[:, 1]) for one in sets])

    assert nearest("clustered") < 0.8 * nearest("uniform")


def test_capacities_and_demands_are_those_of_the_papers():
    for customers in (10, 20, 50, 100):
        (one,) = generate("cvrp", 1, customers)
        assert one.capacity == {10: 20, 20: 30, 50: 40, 100: 50}[customers]
    demands = np.concatenate([one.demands[1:] for one in generate("cvrp", 100, 20)])
    assert (np.bincount(demands, minlength=11)[1:10] > 150).all(), "1..9 alike"
    assert (demands.min(), demands.max()) == (1, 9)


def test_a_capacity_between_the_known_ones_is_not_made_up():
    with pytest.raises(InvalidInstanceError, match="known for 6, 7, 8, 10, 15, 20"):
        generate("cvrp", 1, 17)
    assert generate("cvrp", 1, 17, capacity=28)[0].capacity == 28
    assert 17 not in CAPACITIES


def test_knapsacks_hold_what_the_papers_say():
    for items, real in ((50, 12.5), (100, 25), (200, 25)):
        (one,) = generate("knapsack", 1, items)
        assert one.capacity / one.scale == real
        assert one.scale == one.value_scale == 10**6
        assert one.weights.min() >= 1
        assert one.weights.max() <= one.scale
    assert generate("knapsack", 1, 30, capacity=2.25)[0].capacity == 2_250_000


@pytest.mark.parametrize(
    ("dist", "holds"),
    [
        ("uncorrelated", lambda v, w: w.max() <= 1000),
        ("weakly_correlated", lambda v, w: (np.abs(v - w) <= 100).all() and (v >= 1).all()),
        ("strongly_correlated", lambda v, w: (v == w + 100).all()),
        ("inverse_strongly_correlated", lambda v, w: (w == v + 100).all()),
        ("almost_strongly_correlated", lambda v, w: (np.abs(v - w - 100) <= 2).all() and len(set((v - w).tolist())) == 5),
        ("subset_sum", lambda v, w: (v == w).all()),
        ("similar_weights", lambda v, w: w.min() >= 100_000 and w.max() <= 100_100 and v.max() <= 1000),
        ("spanner_uncorrelated", lambda v, w: len(set((v / w).tolist())) <= 2),
        ("spanner_weakly_correlated", lambda v, w: len(set((v / w).tolist())) <= 2),
        ("spanner_strongly_correlated", lambda v, w: len(set((v / w).tolist())) <= 2),
        ("multiple_strongly_correlated", lambda v, w: (v - w == np.where(w % 6 == 0, 300, 200)).all()),
        ("profit_ceiling", lambda v, w: (v % 3 == 0).all() and (v >= w).all() and (v < w + 3).all()),
        ("circle", lambda v, w: (np.abs(v - 2 / 3 * np.sqrt(4e6 - (w - 2000.0) ** 2)) < 1).all()),
    ],
)
def test_the_thirteen_classes_of_knapsacks(dist, holds):
    (one,) = generate("knapsack", 1, 400, dist=dist)
    assert holds(one.values, one.weights)
    assert one.capacity == 50 * one.weights.sum() // 101
    assert one.weights.min() >= 1
    assert one.values.min() >= 1


def test_triplets_fill_every_bin():
    for one in generate("binpack", 10, 60, dist="triplets"):
        assert one.weights.sum() == 20 * one.capacity
        assert one.best == bound(one) == 20
        assert one.proven
        assert one.weights.min() >= 250
    with pytest.raises(InvalidInstanceError, match="multiple of 3"):
        generate("binpack", 1, 20, dist="triplets")


def test_sizes_of_falkenauers_and_scholls_items():
    sizes = np.concatenate([one.weights for one in generate("binpack", 20, 120)])
    assert (sizes.min(), sizes.max()) == (20, 100)
    sets = generate("binpack", 60, 50, dist="scholl")
    assert {one.capacity for one in sets} == {100, 120, 150}
    assert {int(one.weights.min()) // 10 for one in sets} >= {0, 2, 3}


def test_taillards_generator_makes_the_published_instances():
    """The first machine of tai20_5_01, and the first job of ta01."""
    assert taillard_flow_shop(20, 5, 873654221).times[:5, 0].tolist() == [54, 83, 15, 71, 77]
    first = taillard_job_shop(15, 15, 840612802, 398197754).jobs[0]
    assert first[:5] == ((6, 94), (12, 66), (4, 10), (7, 53), (3, 26))


def test_every_job_of_a_job_shop_passes_every_machine_once():
    for dist in DISTRIBUTIONS["jssp"]:
        for one in generate("jssp", 5, (6, 4), dist=dist):
            assert all(sorted(machine for machine, _ in job) == [0, 1, 2, 3] for job in one.jobs)
            assert all(1 <= time <= 99 for job in one.jobs for _, time in job)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: generate("vrptw", 1, 5), "kind 'vrptw'"),
        (lambda: generate("tsp", 1, 5, dist="circle"), "uniform, clustered"),
        (lambda: generate("tsp", 1, (5, 5)), "one number"),
        (lambda: generate("pfsp", 1, 5), "jobs, machines"),
        (lambda: generate("jssp", 1, (5, 0)), "at least 1"),
        (lambda: generate("tsp", -1, 5), "count -1"),
        (lambda: generate("tsp", 1, 5, seed=-1), "seed -1"),
        (lambda: generate("tsp", 1, 5, capacity=5), "tsp has none"),
        (lambda: generate("binpack", 1, 5, capacity=99.5), "whole"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(call, says):
    with pytest.raises(InvalidInstanceError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_draws_are_even():
    numbers = Draws(3, 4).integers(5, 9, 5000)
    assert (np.bincount(numbers, minlength=10)[5:] > 850).all()
    assert numbers.min() == 5
    assert sorted(Draws(3, 4).permutation(30).tolist()) == list(range(30))
    bell = Draws(3, 4).bell(5000)
    assert abs(bell.mean()) < 0.05
    assert abs(bell.std() - 1) < 0.05


def test_examples_are_files_of_every_kind_that_are_read_again(tmp_path):
    paths = write_examples(tmp_path / "examples", 2)
    assert [path.stem for path in paths] == list(KINDS)
    for path in paths:
        again = read(path)
        assert fingerprint(again) == fingerprint(generate(path.stem, 2, TINY[path.stem], seed=2))
