"""Labels: checked, cached, and made anew where the cache is broken or old."""

import logging

import numpy as np
import pytest

from datamodules.accord import label_shards
from datamodules.accord import labels as module
from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP, TSP
from datamodules.accord.label_shards import content
from datamodules.accord.labels import chosen, labels
from datamodules.errors import DataError
from tests.datamodules.accord.references.made import KINDS, degenerate, drawn, larger


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_feasible_and_those_read_are_those_made(kind, tmp_path):
    instances = [drawn(kind, seed) for seed in range(5)]
    made = labels(instances, cache=tmp_path)
    assert labels(instances, cache=tmp_path) == made
    for instance, solution in zip(instances, made, strict=True):
        if solution.plan is not None:
            assert check(instance, solution.plan).objective == solution.objective
    assert len(list(tmp_path.glob("*.npz"))) == len({chosen(one) for one in instances})


def test_kinds_and_sizes_may_be_mixed_and_keep_their_order(tmp_path):
    instances = [*degenerate(), *(drawn(kind, 1) for kind in KINDS)]
    made = labels(instances, cache=tmp_path)
    assert [one.kind for one in made] == [one.kind for one in instances]
    assert made == labels(instances, cache=tmp_path)


def test_the_second_call_computes_nothing(tmp_path, monkeypatch):
    instances = [drawn("knapsack", seed) for seed in range(3)]
    made = labels(instances, cache=tmp_path)
    monkeypatch.setattr(module, "_one", None)
    assert labels(instances, cache=tmp_path) == made


@pytest.mark.parametrize("harm", ["cut", "old", "pickle", "short"])
def test_a_broken_or_older_shard_is_named_and_made_anew(tmp_path, caplog, monkeypatch, harm):
    instances = [drawn("binpack", seed) for seed in range(3)]
    made = labels(instances, cache=tmp_path)
    (path,) = tmp_path.glob("*.npz")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif harm == "old":
        monkeypatch.setattr(label_shards, "VERSION", 0)
        label_shards.write_shard(path, made)
        monkeypatch.undo()
    elif harm == "pickle":
        np.savez(path, version=np.array([{}], object))
    else:
        label_shards.write_shard(path, made[:2])
    with caplog.at_level(logging.WARNING):
        again = labels(instances, cache=tmp_path)
    assert path.name in caplog.text
    assert "made anew" in caplog.text
    assert [one.plan for one in again] == [one.plan for one in made]
    caplog.clear()
    assert labels(instances, cache=tmp_path) == again
    assert not caplog.text


def test_the_key_is_what_the_answer_depends_on():
    one = TSP([[0, 1, 2], [1, 0, 3], [2, 3, 0]], name="a", best=6)
    same = TSP([[0, 1, 2], [1, 0, 3], [2, 3, 0]], name="b")
    other = TSP([[0, 1, 2], [1, 0, 4], [2, 4, 0]], name="a")
    assert content(one) == content(same)
    assert content(one) != content(other)
    routes = CVRP([[0, 1], [1, 0]], [0, 1], 3)
    assert content(routes) != content(routes.with_fleet(1))


def test_a_wrong_label_is_never_written(tmp_path, monkeypatch):
    instance = drawn("pfsp", 0)
    good = labels([instance])[0]
    monkeypatch.setattr(module, "_one", lambda task: module.replace(good, objective=(good.objective or 0) - 1))
    with pytest.raises(RuntimeError, match="wrong label"):
        labels([instance], cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_unknown_methods_and_limits_are_refused_by_name():
    with pytest.raises(DataError, match=r"no method 'best'; there are auto, nearest"):
        labels([drawn("tsp", 0)], method="best")
    with pytest.raises(DataError, match="time limit"):
        labels([drawn("tsp", 0)], time_limit=0)
    with pytest.raises(DataError, match="symmetric"):
        labels([TSP([[0, 1, 2], [3, 0, 1], [1, 1, 0]])], method="batch")


def test_batched_labels_are_the_auto_method_of_middling_rounds():
    assert chosen(larger("tsp")) == "batch"
    (solution,) = labels([TSP(larger("tsp").distances[:14, :14])])
    assert solution.source == "batch"
    assert solution.status == "feasible"


@pytest.mark.full
def test_labels_made_in_processes_are_the_same(monkeypatch):
    instances = [drawn("jssp", seed) for seed in range(6)]
    monkeypatch.setattr("datamodules.accord.labels.FEW", 1)
    alone, together = labels(instances, method="tabu"), labels(instances, method="tabu", workers=2)
    assert [one.plan for one in alone] == [one.plan for one in together]
