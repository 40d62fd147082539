"""Iterated greedy (Ruiz and Stuetzle 2007), many chains side by side: jobs go out and back to their best places, then every one.

# ours: chains in one array, so that NumPy's cost of a call is shared; the best chain's sequence is handed to the worst now and then.
"""

import numpy as np

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.pfsp.insertion import insert, makespans, prices, remove
from datamodules.accord.references.pfsp.neh import neh

__all__ = ["iterated_greedy", "search"]

OUT = 4  # jobs taken out, the paper's d
HEAT = 0.4  # its T: the temperature is this tenth of the mean time
CHAINS = 24
ROUNDS = 2  # per job, where no clock stops the search
SHARE = 50  # rounds between gifts


def iterated_greedy(attempt: Attempt) -> None:
    if attempt.plan is None:
        neh(attempt)
    attempt.relax()
    search(attempt, None if attempt.deadline is not None else ROUNDS * attempt.instance.size)


def search(attempt: Attempt, rounds: int | None) -> None:
    """From the attempt's plan; 0 rounds is the descent by insertion only."""
    times, size = attempt.instance.times, attempt.instance.size
    if size == 1:
        attempt.prove()
    if attempt.plan is None or attempt.ended():
        return
    if rounds == 0:
        _descend(attempt)
        return
    random = attempt.rng
    heat = HEAT * float(times.mean()) / 10
    order_BK = np.repeat(np.array(attempt.plan)[None], CHAINS, 0)
    value_B = makespans(times, order_BK)
    done = 0
    while (rounds is None or done < rounds) and not attempt.ended():
        done += 1
        fresh_BK = _rebuild(attempt, order_BK)
        if fresh_BK is None:
            return
        fresh_BK, fresh_B = _pass(attempt, fresh_BK)
        best = int(fresh_B.argmin())
        if attempt.better(int(fresh_B[best])):
            attempt.offer(tuple(fresh_BK[best].tolist()), int(fresh_B[best]))
        take_B = fresh_B - value_B < -heat * np.log(1 - random.random(CHAINS)) if heat > 0 else fresh_B <= value_B
        order_BK = np.where(take_B[:, None], fresh_BK, order_BK)
        value_B = np.where(take_B, fresh_B, value_B)
        if done % SHARE == 0:
            worst = int(value_B.argmax())
            order_BK[worst], value_B[worst] = attempt.plan, attempt.objective


def _rebuild(attempt: Attempt, order_BK: np.ndarray) -> np.ndarray | None:
    """Some jobs out of each chain, and back at their best places, one after another."""
    size = attempt.instance.size
    out = min(OUT, size - 1)
    ranks_BK = attempt.rng.random(order_BK.shape).argsort(1)
    gone_BD = np.take_along_axis(order_BK, ranks_BK[:, :out], 1)
    stay_BK = np.sort(ranks_BK[:, out:], 1)
    order_BK = np.take_along_axis(order_BK, stay_BK, 1)
    for step in range(out):
        if attempt.over():
            return None
        order_BK = _best_insert(attempt, order_BK, gone_BD[:, step])[0]
    return order_BK


def _pass(attempt: Attempt, order_BK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each job once, in an order of each chain's own, at its best place among the others; stops at the clock, complete."""
    value_B = makespans(attempt.instance.times, order_BK)
    jobs_BK = attempt.rng.random(order_BK.shape).argsort(1)
    for step in range(order_BK.shape[1]):
        if attempt.over():
            break
        job_B = jobs_BK[:, step]
        place_B = (order_BK == job_B[:, None]).argmax(1)
        order_BK, value_B = _best_insert(attempt, remove(order_BK, place_B), job_B)
    return order_BK, value_B


def _best_insert(attempt: Attempt, order_BK: np.ndarray, job_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ties are broken at random: plateaus are wide."""
    price = prices(attempt.instance.times, order_BK, job_B)
    place_B = (price + attempt.rng.random(price.shape)).argmin(1)
    return insert(order_BK, place_B, job_B), price[np.arange(len(job_B)), place_B]


def _descend(attempt: Attempt) -> None:
    """Job by job to a better place, until none has one."""
    times, order = attempt.instance.times, np.array(attempt.plan)[None]
    value, still, job = int(makespans(times, order)[0]), 0, 0
    while still < attempt.instance.size and not attempt.over():
        place = (order == job).argmax(1)
        shorter = remove(order, place)
        price = prices(times, shorter, np.array([job]))
        if int(price.min()) < value:
            value, still = int(price.min()), 0
            order = insert(shorter, price.argmin(1), np.array([job]))
        still += 1
        job = (job + 1) % attempt.instance.size
    attempt.offer(tuple(order[0].tolist()), value)
