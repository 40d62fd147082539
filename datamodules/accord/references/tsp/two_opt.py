"""2-opt and Or-opt with neighbour lists and a stack of nodes worth a look, for symmetric distances. Lists, not arrays: moves are scalar."""

import numpy as np

__all__ = ["Round", "neighbours"]

NEAR = 10
LONGEST = 3  # nodes in a segment of Or-opt


def neighbours(distances: np.ndarray, count: int = NEAR) -> list[list[int]]:
    """Of each node the nearest others, nearest first."""
    far = distances.astype(np.float64)
    np.fill_diagonal(far, np.inf)
    return np.argsort(far, 1, kind="stable")[:, : min(count, len(distances) - 1)].tolist()


class Round:
    """A round that improves itself. `order` and `place` are each other's inverse."""

    def __init__(self, distances: np.ndarray, order: list[int]) -> None:
        self.far = distances.tolist()
        self.near = neighbours(distances)
        self.size = len(order)
        self.order: list[int] = list(order)
        self.place: list[int] = [0] * self.size
        self._number(0, self.size)

    def descend(self, nodes: list[int]) -> int:
        """Improve around these nodes, and around what changes, until nothing does; returns the length gained."""
        stack, waiting = list(nodes), [False] * self.size
        for node in stack:
            waiting[node] = True
        gained = 0
        while stack:
            node = stack.pop()
            waiting[node] = False
            gain, touched = self._improve(node)
            gained += gain
            for other in touched:
                if not waiting[other]:
                    waiting[other] = True
                    stack.append(other)
        return gained

    def swap_segments(self, first: int, middle: int, last: int) -> tuple[int, list[int]]:
        """order[first:middle] and order[middle:last] change places (a double bridge); the length lost, and the nodes at the joints."""
        order, far, end = self.order, self.far, self.order[last - self.size]
        before, a, b, c, d = order[first - 1], order[first], order[middle - 1], order[middle], order[last - 1]
        lost = far[before][c] + far[d][a] + far[b][end] - far[before][a] - far[b][c] - far[d][end]
        order[first:last] = order[middle:last] + order[first:middle]
        self._number(first, last)
        return lost, [before, a, b, c, d, end]

    def _improve(self, a: int) -> tuple[int, tuple[int, ...]]:
        """The first improving move at node a."""
        order, place, far, size = self.order, self.place, self.far, self.size
        far_a, at, near_a = far[a], place[a], self.near[a]
        following, before = order[at + 1 - size], order[at - 1]
        to_following, to_before = far_a[following], far_a[before]
        for c in near_a:  # 2-opt: (a, following), (c, e) -> (a, c), (following, e)
            gain = to_following - far_a[c]
            if gain <= 0:
                break
            e = order[place[c] + 1 - size]
            gain += far[c][e] - far[following][e]
            if gain > 0:
                self._reverse(place[following], place[c])
                return gain, (a, following, c, e)
        for c in near_a:  # the same on the other side
            gain = to_before - far_a[c]
            if gain <= 0:
                break
            e = order[place[c] - 1]
            gain += far[c][e] - far[before][e]
            if gain > 0:
                self._reverse(at, place[e])
                return gain, (a, before, c, e)
        if size < 5:
            return 0, ()
        for back in (False, True):  # Or-opt: the segment that begins at a, running forward or back, goes between c and a node beside c
            outer = following if back else before
            for length in range(1, min(LONGEST, size - 3) + 1):
                last = order[at - length + 1] if back else order[at + length - 1 - size]
                beyond = order[at - length] if back else order[at + length - size]
                freed = far[outer][a] + far[last][beyond] - far[outer][beyond]
                for c in near_a:
                    if far_a[c] >= freed:
                        break
                    step = (at - place[c]) % size if back else (place[c] - at) % size
                    if step < length:
                        continue
                    for e in (order[place[c] + 1 - size], order[place[c] - 1]):
                        step = (at - place[e]) % size if back else (place[e] - at) % size
                        if step < length:
                            continue
                        gain = freed - far_a[c] - far[last][e] + far[c][e]
                        if gain > 0:
                            self._move(last if back else a, length, c, e, a)
                            return gain, (outer, beyond, a, last, c, e)
        return 0, ()

    def _reverse(self, i: int, j: int) -> None:
        """The path from place i to place j, or what is left of the round: whichever is shorter."""
        size, order, place = self.size, self.order, self.place
        inner = (j - i) % size + 1
        if 2 * inner > size:
            i, j, inner = (j + 1) % size, (i - 1) % size, size - inner
        if i <= j:
            order[i : j + 1] = order[i : j + 1][::-1]
            self._number(i, j + 1)
            return
        for _ in range(inner // 2):
            u, v = order[i], order[j]
            order[i], order[j] = v, u
            place[v], place[u] = i, j
            i = i + 1 if i + 1 < size else 0
            j = j - 1 if j else size - 1

    def _move(self, first: int, length: int, c: int, e: int, beside_c: int) -> None:
        """The segment of `length` nodes from `first` on goes between the adjacent c and e, its node `beside_c` next to c."""
        size, order, place = self.size, self.order, self.place
        if place[first] + length > size or {place[c], place[e]} == {0, size - 1}:  # it runs over the end of the list: turn the list
            turn = (place[first] + length) % size if place[first] + length > size else place[first]
            order[:] = order[turn:] + order[:turn]
            self._number(0, size)
        i = place[first]
        segment = order[i : i + length]
        k = min(place[c], place[e])
        if {place[c], place[e]} == {0, size - 1}:
            k = size - 1
        ahead = place[c] <= place[e] if k < size - 1 else place[c] == size - 1  # does c come before e?
        if (segment[0] == beside_c) != ahead:
            segment.reverse()
        if k >= i:
            order[i : k + 1] = order[i + length : k + 1] + segment
            self._number(i, k + 1)
        else:
            order[k + 1 : i + length] = segment + order[k + 1 : i]
            self._number(k + 1, i + length)

    def _number(self, first: int, last: int) -> None:
        place, order = self.place, self.order
        for i in range(first, last):
            place[order[i]] = i
