"""Slack induction by string removals (Christiaens and Vanden Berghe 2020): strings of near customers are taken out and put back one by
one at their cheapest place, now and then blinking at a place. Linked lists: a change is a few assignments.
"""

from random import Random

from datamodules.accord.instances import CVRP
from datamodules.accord.references.tsp.two_opt import neighbours

__all__ = ["Routes"]

AVERAGE = 10  # customers taken out at a time, the paper's c-bar
LONGEST = 10  # customers in a string, its L-max
SPLIT = 0.5  # strings that keep some customers in their middle, its alpha
DEPTH = 0.01  # its beta
BLINK = 0.01
NEAR = 30  # ours: places beside so many near customers are tried; all where none of them has room


class Routes:
    """Routes as linked lists. `first[r]` is 0 where a route is empty; `after` and `before` are 0 at its ends."""

    def __init__(self, instance: CVRP, routes: list[list[int]], random: Random) -> None:
        self.far, self.demands = instance.distances.tolist(), instance.demands.tolist()
        self.capacity, self.random, self.size = instance.capacity, random, instance.size
        inner = neighbours(instance.distances[1:, 1:], instance.size) if instance.size > 1 else [[]]
        self.near = [[]] + [[c + 1 for c in row] for row in inner]
        most = instance.fleet or instance.size
        self.after, self.before, self.route = ([0] * (instance.size + 1) for _ in range(3))
        self.first, self.load, self.count = [0] * most, [0] * most, [0] * most
        for r, customers in enumerate(routes):
            for i, c in enumerate(customers):
                self.route[c] = r
                self.before[c] = customers[i - 1] if i else 0
                self.after[c] = customers[i + 1] if i + 1 < len(customers) else 0
                self.load[r] += self.demands[c]
            self.first[r], self.count[r] = (customers[0] if customers else 0), len(customers)

    def saved(self) -> tuple[list[int], ...]:
        return self.after[:], self.before[:], self.route[:], self.first[:], self.load[:], self.count[:]

    def restore(self, kept: tuple[list[int], ...]) -> None:
        self.after, self.before, self.route, self.first, self.load, self.count = (part[:] for part in kept)

    def plan(self) -> tuple[tuple[int, ...], ...]:
        out = []
        for c in self.first:
            route = []
            while c:
                route.append(c)
                c = self.after[c]
            if route:
                out.append(tuple(route))
        return tuple(out)

    def ruin(self) -> tuple[list[int], int]:
        """Take strings out around one customer: who is out, and by how much the routes became longer (negative: shorter)."""
        draw = self.random.random
        used = sum(1 for c in self.count if c)
        longest = min(LONGEST, self.size / used)
        strings = int(1 + draw() * (4 * AVERAGE / (1 + longest) - 1))
        centre = 1 + int(draw() * self.size)
        out: list[int] = []
        touched: set[int] = set()
        change = 0
        for c in (centre, *self.near[centre]):
            r = self.route[c]
            if r < 0 or r in touched:
                continue
            touched.add(r)
            length = int(1 + draw() * min(self.count[r], longest))
            for customer in self._string(c, min(length, self.count[r])):
                change += self._take(customer)
                out.append(customer)
            if len(touched) == strings:
                break
        return out, change

    def recreate(self, out: list[int]) -> int | None:
        """Put them back; by how much the routes became longer, or None where someone finds no room."""
        random, demands, far = self.random, self.demands, self.far
        way = random.random() * 11
        if way < 4:
            random.shuffle(out)
        elif way < 8:
            out.sort(key=lambda c: -demands[c])
        elif way < 10:
            out.sort(key=lambda c: -far[0][c])
        else:
            out.sort(key=lambda c: far[0][c])
        change = 0
        for c in out:
            cost = self._insert(c)
            if cost is None:
                return None
            change += cost
        return change

    def _string(self, c: int, length: int) -> list[int]:
        """`length` neighbours in a route with c among them; a split string spares some in its middle."""
        draw = self.random.random
        r = self.route[c]
        spared = 0
        if length > 1 and length < self.count[r] and draw() < SPLIT:
            spared = 1
            while length + spared < self.count[r] and draw() > DEPTH:
                spared += 1
        total = length + spared
        here = [self.first[r]]
        while self.after[here[-1]]:
            here.append(self.after[here[-1]])
        place = here.index(c)
        low, high = max(0, place - total + 1), min(place, len(here) - total)
        begin = low + int(draw() * (high - low + 1))
        string = here[begin : begin + total]
        if spared:
            gap = 1 + int(draw() * (length - 1))
            string = string[:gap] + string[gap + spared :]
        return string

    def _take(self, c: int) -> int:
        before, after, r = self.before[c], self.after[c], self.route[c]
        if before:
            self.after[before] = after
        else:
            self.first[r] = after
        if after:
            self.before[after] = before
        self.load[r] -= self.demands[c]
        self.count[r] -= 1
        self.route[c] = -1
        far = self.far
        return far[before][after] - far[before][c] - far[c][after]

    def _insert(self, c: int) -> int | None:
        far, route, load, before, after = self.far, self.route, self.load, self.before, self.after
        room = self.capacity - self.demands[c]
        draw = self.random.random
        from_c = far[c]
        near = self.near[c]
        best, where, behind = None, 0, False
        for tried in (near[:NEAR], near[NEAR:]):
            for x in tried:
                r = route[x]
                if r < 0 or load[r] > room:
                    continue
                p = before[x]
                cost = far[p][c] + from_c[x] - far[p][x]
                if (best is None or cost < best) and draw() > BLINK:
                    best, where, behind = cost, x, False
                n = after[x]
                cost = far[x][c] + from_c[n] - far[x][n]
                if (best is None or cost < best) and draw() > BLINK:
                    best, where, behind = cost, x, True
            if best is not None:
                break
        alone = far[0][c] + from_c[0]
        if best is None or alone < best:
            fresh = next((r for r, count in enumerate(self.count) if not count), None)
            if fresh is not None:
                self._put(c, fresh, 0, 0)
                return alone
        if best is None:
            return None
        self._put(c, route[where], where if behind else before[where], after[where] if behind else where)
        return best

    def _put(self, c: int, r: int, before: int, after: int) -> None:
        self.before[c], self.after[c], self.route[c] = before, after, r
        if before:
            self.after[before] = c
        else:
            self.first[r] = c
        if after:
            self.before[after] = c
        self.load[r] += self.demands[c]
        self.count[r] += 1
