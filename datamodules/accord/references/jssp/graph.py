"""A job shop as a graph: operations numbered job by job, and an order on each machine. Heads and tails are longest paths.

head[o]: the earliest start of o; tail[o]: from its start to the end of all, o's own time included.
"""

from datamodules.accord.instances import JobShop

__all__ = ["Orders", "Shop"]


class Shop:
    """What does not change: `job_before` and `job_after` are -1 at a job's ends."""

    def __init__(self, instance: JobShop) -> None:
        self.time: list[int] = []
        self.machine: list[int] = []
        self.job: list[int] = []
        self.place: list[int] = []
        self.job_before: list[int] = []
        self.job_after: list[int] = []
        for j, job in enumerate(instance.jobs):
            for place, (machine, time) in enumerate(job):
                number = len(self.time)
                self.time.append(time)
                self.machine.append(machine)
                self.job.append(j)
                self.place.append(place)
                self.job_before.append(number - 1 if place else -1)
                self.job_after.append(number + 1 if place + 1 < len(job) else -1)
        self.machines, self.lengths = instance.machines, [len(job) for job in instance.jobs]
        self.count = len(self.time)

    def plan(self, head: list[int]) -> tuple[tuple[int, ...], ...]:
        out, at = [], 0
        for length in self.lengths:
            out.append(tuple(head[at : at + length]))
            at += length
        return tuple(out)


class Orders:
    """The order on each machine, as links; `measure` finds heads, tails and the makespan."""

    def __init__(self, shop: Shop, plan: tuple[tuple[int, ...], ...]) -> None:
        self.shop = shop
        start = [time for job in plan for time in job]
        # along jobs and machines this key rises even where operations take no time: no circle
        ranks = sorted(range(shop.count), key=lambda o: (start[o], start[o] + shop.time[o], shop.place[o], shop.job[o]))
        self.before, self.after = [-1] * shop.count, [-1] * shop.count
        last = [-1] * shop.machines
        for o in ranks:
            m = shop.machine[o]
            if last[m] >= 0:
                self.before[o], self.after[last[m]] = last[m], o
            last[m] = o
        self.head, self.tail, self.makespan = [0] * shop.count, [0] * shop.count, 0
        self.measure()

    def saved(self) -> tuple[list[int], list[int]]:
        return self.before[:], self.after[:]

    def restore(self, kept: tuple[list[int], list[int]]) -> None:
        self.before, self.after = kept[0][:], kept[1][:]
        self.measure()

    def measure(self) -> bool:
        """False where the orders go in a circle."""
        shop, before, after = self.shop, self.before, self.after
        time, job_before, job_after = shop.time, shop.job_before, shop.job_after
        waiting = [(p >= 0) + (q >= 0) for p, q in zip(job_before, before, strict=True)]
        ready = [o for o, n in enumerate(waiting) if not n]
        head = [0] * shop.count
        for o in ready:  # grows while it is walked: a topological order
            end = head[o] + time[o]
            n = job_after[o]
            if n >= 0:
                if head[n] < end:
                    head[n] = end
                waiting[n] -= 1
                if not waiting[n]:
                    ready.append(n)
            n = after[o]
            if n >= 0:
                if head[n] < end:
                    head[n] = end
                waiting[n] -= 1
                if not waiting[n]:
                    ready.append(n)
        if len(ready) < shop.count:
            return False
        tail = [0] * (shop.count + 1)  # the last one serves the index -1
        most = 0
        for o in reversed(ready):
            a, b = tail[job_after[o]], tail[after[o]]
            tail[o] = (a if a > b else b) + time[o]
            if head[o] + tail[o] > most:
                most = head[o] + tail[o]
        self.head, self.tail, self.makespan = head, tail, most
        return True

    def move_behind(self, u: int, v: int) -> None:
        """u goes right behind v, which comes later on the same machine."""
        before, after = self.before, self.after
        p, n, beyond = before[u], after[u], after[v]
        if p >= 0:
            after[p] = n
        before[n] = p
        after[v], before[u], after[u] = u, v, beyond
        if beyond >= 0:
            before[beyond] = u

    def move_ahead(self, v: int, u: int) -> None:
        """v goes right ahead of u, which comes earlier on the same machine."""
        before, after = self.before, self.after
        p, n, beyond = before[v], after[v], before[u]
        if n >= 0:
            before[n] = p
        after[p] = n
        before[u], after[v], before[v] = v, u, beyond
        if beyond >= 0:
            after[beyond] = v

    def blocks(self, pick: float) -> list[list[int]]:
        """One longest path, cut where the machine changes; `pick` in 0..1 chooses among the operations that may begin it."""
        shop, head, tail = self.shop, self.head, self.tail
        time, job_after, after, machine = shop.time, shop.job_after, self.after, shop.machine
        begins = [o for o in range(shop.count) if head[o] == 0 and tail[o] == self.makespan]
        o = begins[int(pick * len(begins))]
        out = [[o]]
        while True:
            end, rest = head[o] + time[o], tail[o] - time[o]
            n = after[o]
            if n < 0 or head[n] != end or tail[n] != rest:
                n = job_after[o]
                if n < 0 or head[n] != end or tail[n] != rest:
                    return out
            if machine[n] == machine[o] and after[o] == n:
                out[-1].append(n)
            else:
                out.append([n])
            o = n
