"""Tabu search on the blocks of a longest path: an operation goes to the front or the back of its block (N6 of Balas and Vazacopoulos), the
makespan after it estimated from heads and tails; what was just turned round stays so for a while.
"""

from itertools import pairwise
from random import Random

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.jssp.graph import Orders, Shop
from datamodules.accord.references.jssp.rules import RULES, dispatch

__all__ = ["rules", "search", "tabu"]

MOVES = 60  # per operation, where no clock stops the search
STALE = 12  # moves per operation without a better plan, after which the search goes back to the best and is shaken
SHAKES = 8

Move = tuple[int, bool, int, int, list[int]]  # estimate, behind?, who moves, past whom, those passed


def rules(attempt: Attempt) -> None:
    """The best of all dispatching rules."""
    for active in (False, True):
        for priority in RULES.values():
            attempt.offer(dispatch(attempt.instance, priority, active))
            if attempt.over():
                return


def tabu(attempt: Attempt) -> None:
    if attempt.plan is None:
        rules(attempt)
    search(attempt, None if attempt.deadline is not None else MOVES * sum(len(job) for job in attempt.instance.jobs))


def search(attempt: Attempt, moves: int | None) -> None:
    """From the attempt's plan; 0 moves is the descent only."""
    if attempt.plan is None or attempt.over():
        return
    attempt.relax()
    shop, random = Shop(attempt.instance), Random(attempt.seed)
    orders = Orders(shop, attempt.plan)
    attempt.offer(shop.plan(orders.head), orders.makespan)  # everything as early as it can be
    if moves == 0:
        _descend(attempt, orders)
        return
    tenure = 10 + len(shop.lengths) / shop.machines
    forbidden: dict[tuple[int, int], int] = {}  # (a, b): a may not come before b again until then
    best = orders.saved()
    done = last = 0
    while (moves is None or done < moves) and not attempt.ended():
        done += 1
        choice = _choose(orders, forbidden, done, attempt.objective or 0, random)
        if choice is None or done - last > STALE * shop.count:
            orders.restore(best)
            forbidden.clear()
            _shake(orders, random)
            last = done
            continue
        _, behind, mover, past, passed = choice
        kept = orders.saved()
        if not _apply(orders, choice):  # operations without time can close a circle
            orders.restore(kept)
            forbidden[(past, mover) if behind else (mover, past)] = done + shop.count
            continue
        until = done + int(tenure * (1 + 0.4 * random.random()))
        for other in passed:
            forbidden[(mover, other) if behind else (other, mover)] = until
        if attempt.better(orders.makespan):
            attempt.offer(shop.plan(orders.head), orders.makespan)
            best, last = orders.saved(), done


def _descend(attempt: Attempt, orders: Orders) -> None:
    """The first move that truly shortens it, most promising first, until there is none."""
    improved = True
    while improved and not attempt.over():
        improved = False
        kept, was = orders.saved(), orders.makespan
        for move in sorted(_all_moves(orders, 0.0)):
            if _apply(orders, move) and orders.makespan < was:
                improved = True
                break
            orders.restore(kept)
    attempt.offer(orders.shop.plan(orders.head), orders.makespan)


def _apply(orders: Orders, move: Move) -> bool:
    """False: the orders go in a circle."""
    _, behind, mover, past, _ = move
    if behind:
        orders.move_behind(mover, past)
    else:
        orders.move_ahead(mover, past)
    return orders.measure()


def _all_moves(orders: Orders, pick: float) -> list[Move]:
    blocks = orders.blocks(pick)
    last = len(blocks) - 1
    return [move for i, one in enumerate(blocks) if len(one) > 1 for move in _moves(orders, one, ahead=i > 0, behind=i < last)]


def _choose(orders: Orders, forbidden: dict[tuple[int, int], int], now: int, best: int, random: Random) -> Move | None:
    """The move of least estimate that is not forbidden or promises a new best; a forbidden one only where there is no other."""
    least: Move | None = None
    barred: list[Move] = []
    for move in _all_moves(orders, random.random()):
        estimate, behind, mover, _, passed = move
        if any(forbidden.get((other, mover) if behind else (mover, other), 0) > now for other in passed) and estimate >= best:
            barred.append(move)
        elif least is None or estimate < least[0] or (estimate == least[0] and random.random() < 0.5):
            least = move
    if least is None and barred:
        return random.choice(barred)
    return least


def _moves(orders: Orders, block: list[int], ahead: bool, behind: bool) -> list[Move]:
    """Within the first block only its back matters, within the last only its front."""
    shop, head, tail = orders.shop, orders.head, orders.tail
    out: list[Move] = []
    first, last = block[0], block[-1]
    if behind:
        for i, u in enumerate(block[:-1]):
            after = shop.job_after[u]
            if after >= 0 and (tail[after] > tail[last] or shop.job[u] == shop.job[last]):
                continue  # last could come after u's job's next: a circle
            passed = block[i + 1 :]
            out.append((_estimate(orders, [*passed, u], u, last), True, u, last, passed))
    if ahead:
        for i, v in enumerate(block[1:], 1):
            before = shop.job_before[v]
            if before >= 0 and (head[before] + shop.time[before] > head[first] + shop.time[first] or shop.job[v] == shop.job[first]):
                continue
            if behind and len(block) == 2:
                continue  # the same swap
            passed = block[:i]
            out.append((_estimate(orders, [v, *passed], first, v), False, v, first, passed))
    return out


def _estimate(orders: Orders, sequence: list[int], was_first: int, was_last: int) -> int:
    """The longest path through what moved, with the heads before and the tails behind as they were."""
    shop, head, tail, time = orders.shop, orders.head, orders.tail, orders.shop.time
    p = orders.before[was_first]
    end = head[p] + time[p] if p >= 0 else 0
    starts = []
    for o in sequence:
        b = shop.job_before[o]
        if b >= 0 and head[b] + time[b] > end:
            end = head[b] + time[b]
        starts.append(end)
        end += time[o]
    n = orders.after[was_last]
    rest = tail[n] if n >= 0 else 0
    most = 0
    for o, start in zip(reversed(sequence), reversed(starts), strict=True):
        a = shop.job_after[o]
        if a >= 0 and tail[a] > rest:
            rest = tail[a]
        rest += time[o]
        if start + rest > most:
            most = start + rest
    return most


def _shake(orders: Orders, random: Random) -> None:
    """Some random swaps of neighbours on longest paths: those never close a circle where operations take time."""
    for _ in range(SHAKES):
        pairs = [pair for block in orders.blocks(random.random()) for pair in pairwise(block)]
        pairs = [(u, v) for u, v in pairs if orders.shop.job[u] != orders.shop.job[v]]
        if not pairs:
            return
        kept = orders.saved()
        u, v = random.choice(pairs)
        orders.move_behind(u, v)
        if not orders.measure():
            orders.restore(kept)
