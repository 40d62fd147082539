"""The data of a training: batches of one kind and one size, the same whatever the number of workers, taken up anywhere."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.accord.buckets import SPAN, Bucket, buckets_of, place, size_of, sizes_between
from datamodules.accord.checker import check
from datamodules.accord.datamodule import Problems
from datamodules.accord.dataset import collate
from datamodules.accord.instances import KINDS
from datamodules.accord.problem_order import ProblemEvalOrder, ProblemOrder
from datamodules.errors import DataError

SMALL: dict[str, Any] = {"batch_size": 4, "train": 12, "val": 5, "test": 6}


def ready(**options: Any) -> Problems:
    data = Problems(**{**SMALL, **options})
    data.setup()
    return data


def alike(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def order_of(buckets: list[Bucket], **options: Any) -> ProblemOrder:
    usual: dict[str, Any] = {"each": 4, "batch_size": 3, "seed": 0, "in_all": None, "curriculum": 0.6, "fresh": False}
    return ProblemOrder(buckets, **{**usual, **options})


BUCKETS = [Bucket("tsp", 4, 5), Bucket("tsp", 5, 5), Bucket("pfsp", (3, 2), 4), Bucket("pfsp", (4, 2), 7)]


def test_a_batch_is_of_one_kind_and_one_size() -> None:
    for batch in ready().train_dataloader():
        assert len(set(batch["size"].tolist())) == 1
        kind = list(KINDS)[int(batch["kind"][0])]
        assert {"tsp": "distances", "cvrp": "demands", "knapsack": "values", "binpack": "ids", "pfsp": "times", "jssp": "machine"}[
            kind
        ] in batch


def test_kinds_take_turns() -> None:
    kinds = [int(batch["kind"][0]) for batch in ready().train_dataloader()]
    assert kinds == [*range(6)] * 3


def test_the_number_of_workers_changes_nothing() -> None:
    for fresh in (False, True):
        alone, together = (list(ready(fresh=fresh, workers=workers).train_dataloader()) for workers in (0, 2))
        assert all(alike(one, other) for one, other in zip(alone, together, strict=True))


def test_a_loader_taken_up_within_an_epoch_gives_what_was_left() -> None:
    for fresh in (False, True):
        data = ready(fresh=fresh)
        whole = list(data.train_dataloader())
        loader = data.train_dataloader()
        loader.load_state_dict({"epoch": 0, "finished": 5})
        assert all(alike(one, other) for one, other in zip(whole[5:], loader, strict=True))


def test_epochs_differ_and_a_kept_problem_is_seen_otherwise_when_it_comes_again() -> None:
    data = ready(kinds=("knapsack",), batch_size=12, curriculum=0.0)
    loader = data.train_dataloader()
    first, second = next(iter(loader)), next(iter(loader))
    assert sorted(first["number"].tolist()) == sorted(second["number"].tolist())
    by_number = {int(number): row for number, row in zip(first["number"], first["weights"], strict=True)}
    changed = [not torch.equal(by_number[int(number)], row) for number, row in zip(second["number"], second["weights"], strict=True)]
    assert sum(changed) > 9


def test_fresh_problems_never_come_twice() -> None:
    data = ready(kinds=("tsp",), fresh=True, augment=False, curriculum=0.0)
    loader = data.train_dataloader()
    seen = [tuple(row.flatten().tolist()) for _ in range(3) for batch in loader for row in batch["distances"]]
    assert len(seen) == len(set(seen)) == 36


def test_every_label_is_a_feasible_plan_of_its_problem() -> None:
    data = ready()
    for split in ("val", "test"):
        for row in data.rows(split):  # pyright: ignore[reportArgumentType]
            report = check(row.instance, row.plan, row.objective)
            assert report.feasible
            assert not report.misdeclared


def test_evaluation_sees_every_problem_once_and_number_leads_back_to_it() -> None:
    data = ready()
    numbers = [int(number) for batch in data.test_dataloader() for number in batch["number"]]
    assert sorted(numbers) == list(range(36))
    for batch in data.test_dataloader():
        for number, best in zip(batch["number"].tolist(), batch["best"].tolist(), strict=True):
            row = data.rows("test")[number]
            assert row.number == number
            assert row.objective == best
            assert row.instance.kind == list(KINDS)[int(batch["kind"][0])]


def test_splits_share_no_problem() -> None:
    data = ready(kinds=("tsp",), curriculum=0.0)
    splits = [data.rows("val"), data.rows("test"), [row for bucket in data.train_set.kept for row in bucket]]  # pyright: ignore
    seen = [row.instance.distances.tobytes() for rows in splits for row in rows]
    assert len(seen) == len(set(seen))


def test_a_kinds_problems_do_not_depend_on_the_other_kinds() -> None:
    alone, beside = (ready(kinds=kinds, scale="smoke").rows("test") for kinds in (("binpack",), ("knapsack", "binpack")))
    same = [row.instance for row in beside if row.instance.kind == "binpack"]
    assert [row.instance.weights.tolist() for row in alone] == [one.weights.tolist() for one in same]  # pyright: ignore


def test_two_ranks_together_see_what_one_process_sees() -> None:
    alone = order_of(BUCKETS, batch_size=4)
    shares = [order_of(BUCKETS, batch_size=4, rank=rank, world=2) for rank in (0, 1)]
    assert [[*one, *other] for one, other in zip(*shares, strict=True)] == list(alone)
    whole = sorted(index for batch in ProblemEvalOrder(BUCKETS, 2) for index in batch)
    parts = [list(ProblemEvalOrder(BUCKETS, 2, rank=rank, world=2)) for rank in (0, 1)]
    assert len(parts[0]) == len(parts[1])
    assert sorted(index for part in parts for batch in part for index in batch) == whole
    assert len(whole) == len(set(whole)) == 21


def test_an_evaluation_batch_is_of_one_bucket() -> None:
    assert all(len({place(index)[0] for index in batch}) == 1 for batch in ProblemEvalOrder(BUCKETS, 3))


def test_sizes_vary_at_first_and_then_only_the_full_one_comes() -> None:
    order = order_of(BUCKETS, each=50, in_all=200, curriculum=0.6)
    chosen = [{place(index)[0] for index in indices} for epoch in (0, 1) for indices in order.epoch_order(epoch).reshape(-1, 3).tolist()]
    assert all(len(bucket) == 1 for bucket in chosen)
    flat = [bucket.pop() for bucket in chosen]
    assert {*flat[:120]} == {0, 1, 2, 3}
    assert {*flat[120:]} == {1, 3}


def test_where_the_curriculum_stands_follows_from_the_epoch_alone() -> None:
    late = order_of(BUCKETS, each=5, in_all=40)
    late.start_at(3, 4)
    assert next(iter(late))[0][1] == int(late.epoch_order(3)[4 * 3])
    assert {place(index)[0] for index in late.epoch_order(3)} == {1, 3}


def test_all_problems_of_a_bucket_come_before_one_comes_again() -> None:
    order = order_of([Bucket("tsp", 5, 7)], each=7, batch_size=2, curriculum=0.0)
    numbers = order.epoch_order(0) % SPAN
    assert sorted(numbers[:7]) == sorted(numbers[7:]) == list(range(7))


def test_the_end_of_the_training_comes_from_the_trainer() -> None:
    data = ready(kinds=("tsp", "pfsp"))
    data.trainer = SimpleNamespace(
        limit_train_batches=1.0, max_epochs=5, max_steps=-1, accumulate_grad_batches=1, global_rank=0, world_size=1
    )  # type: ignore[assignment]
    assert data.train_dataloader().order.in_all == 5 * 6  # pyright: ignore[reportAttributeAccessIssue]
    data.trainer.max_steps = 7  # type: ignore[union-attr]
    assert data.train_dataloader().order.in_all == 7  # pyright: ignore[reportAttributeAccessIssue]


def test_problems_are_spread_over_sizes_as_a_training_asks_for_them() -> None:
    sizes = sizes_between((10, 5), 0.5)
    assert sizes == [(jobs, 5) for jobs in range(5, 11)]
    buckets = buckets_of("pfsp", sizes, 1000, 0.6)
    assert sum(bucket.count for bucket in buckets) == 1000
    assert [bucket.count for bucket in buckets] == [100, 100, 100, 100, 100, 500]


def test_a_batch_holds_plans_as_tensors() -> None:
    data = ready(augment=False)
    for batch in data.test_dataloader():
        kind, plan = list(KINDS)[int(batch["kind"][0])], batch["plan"]
        rows = [data.rows("test")[number] for number in batch["number"].tolist()]
        if kind in ("tsp", "pfsp"):
            assert [tuple(row) for row in plan.tolist()] == [row.plan for row in rows]
        elif kind == "cvrp":
            assert [routes(row) for row in plan.tolist()] == [row.plan for row in rows]
        elif kind == "knapsack":
            assert [tuple(np.flatnonzero(row == 1)) for row in plan.numpy()] == [row.plan for row in rows]
        elif kind == "binpack":
            for ids, bins, row in zip(batch["ids"].tolist(), plan.tolist(), rows, strict=True):
                assert all(item in row.plan[number] for item, number in zip(ids, bins, strict=True))
        else:
            assert [tuple(map(tuple, row)) for row in plan.tolist()] == [row.plan for row in rows]


def routes(row: list[int]) -> tuple[tuple[int, ...], ...]:
    found: list[list[int]] = [[]]
    for node in (node for node in row if node >= 0):
        if node:
            found[-1].append(node)
        else:
            found.append([])
    return tuple(map(tuple, found))


def test_padding_of_unequal_problems_is_minus_one() -> None:
    rows = [ready(kinds=("tsp",), curriculum=0.0, sizes={"tsp": str(size)}).rows("test")[0] for size in (4, 6)]
    assert collate(rows)["plan"][0, 4:].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": ("tsp", "tsp")}, "each once"),
        ({"kinds": ()}, "one or more"),
        ({"sizes": {"jssp": "6"}}, "jobs x machines"),
        ({"sizes": {"tsp": "6x6"}}, "whole number"),
        ({"kinds": ("tsp",), "sizes": {"pfsp": "6x6"}}, "kinds here are tsp"),
        ({"curriculum": 1.5}, "0 to 1"),
        ({"train": 3}, "a batch of 4"),
        ({"fresh": True, "cache": "labels"}, "leave it out"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        Problems(**{**SMALL, **options})
    assert "\n" not in str(error.value)


def test_a_size_is_read_as_people_write_it() -> None:
    assert size_of("tsp", "20") == 20
    assert size_of("jssp", "10X5") == (10, 5)


def test_the_card_says_what_the_problems_follow_from() -> None:
    one, same, other = ready(), ready(), ready(made_seed=1)
    assert one.card()["fingerprint"] == same.card()["fingerprint"] != other.card()["fingerprint"]
    assert one.card()["counts"]["test"]["tsp"] == 6
