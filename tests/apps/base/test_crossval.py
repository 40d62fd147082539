"""The numbers of a cross-validation, the checkpoint that its parent keeps, and the engine under it."""

import json
import math
import os
import signal
import socket
import statistics
from pathlib import Path

import pytest

from apps.base.crossval.plan import Cut
from apps.base.crossval.result import cut_of
from apps.base.crossval.summary import best_epoch, paired, score
from apps.base.engine import each, engine_of
from apps.base.errors import UserError
from apps.base.family.best import offer
from apps.base.interval import interval
from apps.base.tracking.run import Run


def cuts(values: dict[tuple[int, int], float]) -> dict[Cut, float]:
    return {Cut(None, fold, seed): value for (fold, seed), value in values.items()}


def test_the_interval_is_over_folds_because_seeds_of_a_fold_share_its_test_graphs() -> None:
    one = cuts({(0, 0): 0.5, (1, 0): 0.7, (2, 0): 0.9})
    thrice = cuts({(fold, seed): value for fold, value in enumerate((0.5, 0.7, 0.9)) for seed in range(3)})
    assert score(one).half_interval == pytest.approx(interval([0.5, 0.7, 0.9]))
    assert score(thrice).half_interval == pytest.approx(score(one).half_interval)  # the same answers again teach nothing
    assert score(thrice).mean == pytest.approx(0.7)
    assert score(thrice).std_seeds == pytest.approx(0)


@pytest.mark.parametrize(("count", "t"), [(2, 12.706), (5, 2.776), (20, 2.093), (21, 2.086), (31, 2.042), (121, 1.980)])
def test_an_interval_is_of_students_t_however_many_values_it_has(count: int, t: float) -> None:
    values = [float(i % 2) for i in range(count)]
    assert interval(values) == pytest.approx(t * statistics.stdev(values) / math.sqrt(count), rel=3e-4)


def test_deviations_are_of_the_population_over_folds_and_over_the_seeds_means() -> None:
    found = score(cuts({(0, 0): 0.4, (1, 0): 0.6, (0, 1): 0.8, (1, 1): 0.8}))
    assert found.std_folds == pytest.approx((0.1 + 0.0) / 2)
    assert found.std_seeds == pytest.approx(0.15)
    assert found.per_fold == {"0": pytest.approx(0.6), "1": pytest.approx(0.7)}
    assert found.per_seed == {"0": pytest.approx(0.5), "1": pytest.approx(0.8)}


def test_a_metric_that_is_nowhere_a_number_has_none() -> None:
    assert math.isnan(score(cuts({(0, 0): math.nan})).mean)
    assert score(cuts({(0, 0): math.nan, (1, 0): 0.5})).mean == 0.5


def test_a_difference_is_paired_by_fold_and_seed_alone() -> None:
    ours = cuts({(0, 0): 0.9, (1, 0): 0.3, (2, 0): 0.5, (0, 1): 0.1})
    theirs = cuts({(0, 0): 0.8, (1, 0): 0.2, (2, 0): 0.4, (5, 0): 1.0})
    gap, pairs = paired(ours, theirs)
    assert pairs == 3
    assert gap.mean == pytest.approx(0.1)
    assert gap.half_interval == pytest.approx(0, abs=1e-12)  # although the folds differ by far


def test_the_best_epoch_is_of_the_mean_curve_and_the_first_of_equals() -> None:
    assert best_epoch([[0.1, 0.9, 0.2], [0.8, 0.1, 0.8]], highest=True) == 1
    assert best_epoch([[0.5, 0.5], [0.5, 0.5, 0.9]], highest=True) == 0
    assert best_epoch([[3.0, 1.0], [3.0, 2.0]], highest=False) == 1


def test_repeats_are_cuts_of_their_own() -> None:
    found = score({Cut(repeat, 0, 0): float(repeat) for repeat in (0, 1)})
    assert found.per_fold == {"0/0": 0.0, "1/0": 1.0}
    once = {Cut(0, fold, 0): value for fold, value in enumerate((0.5, 0.7, 0.9))}
    again = {Cut(1, cut.fold, 0): value for cut, value in once.items()}
    assert score({**once, **again}).half_interval == pytest.approx(score(once).half_interval)  # the same bags again teach nothing
    config = {"data": {"init_args": {"fold": 2, "repeat": 1}}, "seed_everything": 5}
    assert cut_of(config) == Cut(1, 2, 5)
    assert Cut(1, 2, 5).label == "repeat1-fold2-seed5"


def child(home: Path, parent: Run, name: str, value: float) -> Run:
    run = Run.start(home, "toy", "checkpoints: {monitor: val/loss}", parent.id, name, "fold")
    (run.checkpoints / "best-00000003.ckpt").write_text(name)
    (run.checkpoints / "last.ckpt").write_text("last")
    row = {"file": "best-00000003.ckpt", "score": value, "step": 3, "epoch": 1}
    (run.checkpoints / "best.json").write_text(json.dumps({"monitor": "val/loss", "mode": "min", "ranking": [row]}))
    return run


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_parent_keeps_the_best_whatever_the_order_and_however_often_it_is_offered(tmp_path: Path, order: tuple[int, ...]) -> None:
    parent = Run.start(tmp_path, "toy", "a: 1")
    children = [child(tmp_path, parent, f"p-fold{i}", value) for i, value in enumerate((0.5, 0.2, 0.2, 0.9))]
    for i in order:
        offer(parent, children[i])
        offer(parent, children[i])
    (kept,) = parent.checkpoints.glob("*.ckpt")
    assert kept.read_text() == "p-fold1"
    assert json.loads((parent.checkpoints / "best.json").read_text())["ranking"][0]["file"] == kept.name
    assert not [path for run in children for path in run.checkpoints.iterdir()]


def test_a_child_may_be_named_after_a_path_or_at_length(tmp_path: Path) -> None:
    parent = Run.start(tmp_path, "toy", "a: 1")
    offer(parent, child(tmp_path, parent, f"p-data.path=g/{'far/' * 100}a.json-seed0", 0.5))
    (kept,) = parent.checkpoints.glob("*.ckpt")
    assert "far/" in kept.read_text()


def test_an_offer_that_was_broken_off_ends_the_same(tmp_path: Path) -> None:
    parent = Run.start(tmp_path, "toy", "a: 1")
    first, second = (child(tmp_path, parent, f"p-fold{i}", value) for i, value in enumerate((0.5, 0.2)))
    offer(parent, first)
    (second.checkpoints / "best-00000003.ckpt").rename(
        parent.checkpoints / f"best-{second.id}.ckpt"
    )  # killed before the ranking was written
    offer(parent, second)
    (kept,) = parent.checkpoints.glob("*.ckpt")
    assert kept.read_text() == "p-fold1"


def square(number: int) -> int:
    if number < 0:
        raise UserError("a negative number")
    return number * number


def test_processes_do_all_the_work_and_a_mistake_in_one_is_the_users() -> None:
    two = engine_of("local", 2, None, 1, 1)
    assert sorted(each(two, square, range(5), lambda item, why: -1)) == [0, 1, 4, 9, 16]
    with pytest.raises(UserError, match="negative"):
        list(each(two, square, [1, -1, 2], lambda item, why: -1))


@pytest.mark.full
def test_a_ray_cluster_does_all_the_work() -> None:
    pytest.importorskip("ray", reason="needs pip install 'discern[ray]'")
    assert sorted(each(engine_of("ray", 2, None, 1, 1), square, range(5), lambda item, why: -1)) == [0, 1, 4, 9, 16]


def killed_once(path: Path) -> str:
    with path.open("a") as file:
        file.write("begun ")
    if path.read_text() == "begun ":
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


@pytest.mark.full
def test_what_a_killed_worker_of_a_ray_cluster_held_is_done_again(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs pip install 'discern[ray]'")
    (tmp_path / "calm").write_text("begun ")
    paths = [tmp_path / "calm", tmp_path / "killed"]
    assert sorted(each(engine_of("ray", 2, None, 1, 1), killed_once, paths, lambda item, why: why)) == ["calm", "killed"]
    assert [path.read_text() for path in paths] == ["begun begun ", "begun begun "]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("local", None, "x:1"), "belongs to --engine ray"),
        (("ray", 2, "x:1"), "of this machine"),
        (("ray", None, "head"), "HOST:PORT"),
    ],
)
def test_words_of_the_engine_that_would_be_ignored_are_refused(words: tuple, says: str) -> None:
    with pytest.raises(UserError, match=says):
        engine_of(*words, default=1, threads=1)


def test_a_dead_address_of_a_cluster_is_said_before_anything_is_begun() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UserError, match=r"no cluster answers .*start one with: ray start"):
            engine_of("ray", None, f"127.0.0.1:{taken.getsockname()[1]}", 1, 1)


def test_a_cluster_that_listens_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        assert engine_of("ray", None, address, 1, 1).address == address
