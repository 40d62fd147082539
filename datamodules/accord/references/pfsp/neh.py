"""Nawaz, Enscore and Ham: jobs of most work first, each at the best place among those before it."""

import numpy as np

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.pfsp.insertion import insert, prices

__all__ = ["neh"]


def neh(attempt: Attempt) -> None:
    times = attempt.instance.times
    ranks = np.argsort(-times.sum(1), kind="stable")
    order = ranks[None, :1]
    for step, job in enumerate(ranks[1:], 2):
        price = prices(times, order, job[None])
        order = insert(order, price.argmin(1), job[None])
        if attempt.over():  # thousands of jobs and no time: the rest as they come
            order = np.concatenate([order, ranks[None, step:]], 1)
            break
    attempt.offer(tuple(order[0].tolist()))
