"""Good answers to learn from: each kind by the method that pays (brief 3.1), checked, and kept on disk in shards.

labels(instances, cache="labels")  # the second call reads what the first one made
"""

import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP, TSP, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.label_shards import read_shard, shard_name, write_shard
from datamodules.accord.packs import pack
from datamodules.accord.references import METHODS, batch_labels
from datamodules.accord.solution import Solution
from datamodules.errors import DataError
from datamodules.workers import start_worker, worker_context

__all__ = ["chosen", "labels"]

SHARD = 256  # instances in a file
FEW = 64  # instances for which processes would take longer to start than to work
BATCHED = 60  # nodes: larger rounds gain more from a search of their own
SMALL_ROUTES, SMALL_SHOP = 9, 40  # customers; jobs x machines that are proven in a fraction of a second
BATCH = "batch"  # tsp in torch, many at once

_log = logging.getLogger(__name__)


def labels(
    instances: Sequence[Instance],
    method: str = "auto",
    time_limit: float | None = None,
    cache: str | os.PathLike[str] | None = None,
    *,
    workers: int = 0,
) -> list[Solution]:
    """One solution an instance, without traces. `time_limit`: seconds an instance, else each method's own end; `workers`: processes.

    Every plan has passed the checker. One that a clock ended is no worse a label, but not the same one on another machine.
    """
    if time_limit is not None and time_limit <= 0:
        raise DataError(f"labels: a time limit of {time_limit} s; give a positive number, or none")
    folder = None if cache is None else Path(cache)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    out: list[Solution | None] = [None] * len(instances)
    groups: dict[tuple[str, str], list[int]] = {}
    for i, instance in enumerate(instances):
        groups.setdefault((instance.kind, chosen(instance) if method == "auto" else method), []).append(i)
    for (kind, name), members in groups.items():
        if name != BATCH and name not in METHODS[kind]:
            raise DataError(f"labels: {kind} has no method {name!r}; there are auto, {', '.join(METHODS[kind])}")
        for first in range(0, len(members), SHARD):
            places = members[first : first + SHARD]
            made = _shard([instances[i] for i in places], name, time_limit, folder, workers)
            for i, solution in zip(places, made, strict=True):
                out[i] = solution
    return [solution for solution in out if solution is not None]


def chosen(instance: Instance) -> str:
    """What `auto` is."""
    size = instance.size
    if isinstance(instance, TSP):
        batched = 12 < size <= BATCHED and bool((instance.distances == instance.distances.T).all())
        return BATCH if batched else "exact" if size <= 12 else "local"
    if isinstance(instance, CVRP):
        return "exact" if size <= SMALL_ROUTES else "local"
    if isinstance(instance, FlowShop):
        return "exact" if size <= 10 and instance.times.size <= 2 * SMALL_SHOP else "local"
    if isinstance(instance, JobShop):
        return "exact" if sum(len(job) for job in instance.jobs) <= SMALL_SHOP else "local"
    return "exact" if isinstance(instance, Knapsack) or size <= 2 * SMALL_SHOP else "local"


def _shard(instances: list[Instance], name: str, time_limit: float | None, folder: Path | None, workers: int) -> list[Solution]:
    path = None if folder is None else folder / shard_name(instances, name, time_limit)
    if path is not None and path.exists():
        try:
            return read_shard(path, instances)
        except DataError as error:
            _log.warning("%s; it is made anew", error)
    made = _make(instances, name, time_limit, workers)
    for instance, solution in zip(instances, made, strict=True):
        if solution.plan is not None:
            report = check(instance, solution.plan)
            if not report.feasible or report.objective != solution.objective:
                raise RuntimeError(f"{name} gave a wrong label for {instance.name or instance.kind}: {report}")
    if path is not None:
        write_shard(path, made)
    return made


def _make(instances: list[Instance], name: str, time_limit: float | None, workers: int) -> list[Solution]:
    if name == BATCH:
        return _batched(instances)
    tasks = [(instance, name, time_limit) for instance in instances]
    if workers <= 0 or len(tasks) < FEW:
        return [_one(task) for task in tasks]
    context = worker_context(("datamodules.accord.labels",))
    with ProcessPoolExecutor(workers, context, initializer=start_worker, initargs=(0,)) as pool:
        return list(pool.map(_one, tasks, chunksize=max(1, len(tasks) // (4 * workers))))


def _one(task: tuple[Instance, str, float | None]) -> Solution:
    instance, name, time_limit = task
    deadline = None if time_limit is None else time.monotonic() + time_limit
    return replace(METHODS[instance.kind][name](instance, deadline=deadline), trace=())


def _batched(instances: list[Any]) -> list[Solution]:
    if instances[0].kind != "tsp" or any((one.distances != one.distances.T).any() for one in instances):
        raise DataError(f"labels: the method {BATCH} is for tsp with symmetric distances")
    began = time.monotonic()
    plans = batch_labels("tsp", pack(instances)).tolist()
    wall = (time.monotonic() - began) / len(instances)
    out = []
    for one, row in zip(instances, plans, strict=True):
        order = np.array(row[: one.size])
        length = int(one.distances[order, np.roll(order, -1)].sum())
        out.append(Solution("tsp", tuple(row[: one.size]), length, "feasible", wall=wall, source=BATCH))
    return out
