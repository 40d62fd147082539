"""The network's part: greedy, then every start, symmetry and sample that was asked for, or as many as there is time for."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.accord.numbers import better
from apps.accord.solver.asked import STARTED, Asked
from apps.accord.solver.clock import Clock, Pace
from apps.accord.solver.incumbent import Improved, Incumbent
from apps.accord.solver.interrupt import Stop
from apps.accord.source import Decoded, Opened
from datamodules.accord.bounds import bound
from datamodules.accord.checker import check
from datamodules.accord.instances import Instance
from datamodules.accord.solution import Solution

__all__ = ["ModelMethod"]

TOGETHER = 4096  # rollouts that go through at once at most. ours: more are no faster on a CPU
PLACES = 500_000  # rollouts x tokens at once: the starter keeps a kibibyte of each step of a rollout, half a gibibyte in all


class ModelMethod:
    def __init__(self, opened: Opened, asked: Asked) -> None:
        self.opened, self.asked = opened, asked

    def solve_one(self, incumbent: Incumbent, clock: Clock, until: float | None, stop: Stop | None) -> None:
        """Under a clock batches of samples follow until the moment `until`; without one what was asked for, and no more."""
        instance, asked = incumbent.instance, self.asked

        def over() -> bool:
            return clock.over() or bool(stop) or (until is not None and time.monotonic() >= until)

        pace = Pace(clock, _most(instance))
        begun = time.monotonic()
        self._offer(incumbent, self._decode([instance], over=over), "model")
        pace.did(1, time.monotonic() - begun)
        if not asked.masked or incumbent.done or over():
            return
        if asked.beam:
            self._offer(incumbent, self.opened.beam([instance], asked.beam), f"model beam {asked.beam}")
            return
        several = asked.starts > 1 or asked.augment > 1
        if (several or until is not None) and self.opened.starts and instance.kind in STARTED and pace.fits(instance.size):
            begun = time.monotonic()
            decoded = self._decode([instance], starts=asked.starts if several else instance.size, augment=asked.augment, over=over)
            self._offer(incumbent, decoded, "model starts")
            pace.did(instance.size, time.monotonic() - begun)
        done, turn = 0, 0
        wanted = asked.samples if asked.samples > 1 else 0 if until is None else TOGETHER * 1000
        while done < wanted and not incumbent.done and not over():
            size = pace.next(wanted - done) if until is not None else min(wanted, _most(instance))
            if size == 0:
                return
            begun = time.monotonic()
            self._offer(incumbent, self._decode([instance], samples=size, turn=turn, over=over), "model samples")
            pace.did(size, time.monotonic() - begun)
            done, turn = done + size, turn + 1

    def solve_all(self, instances: Sequence[Instance], callback: Improved | None, stop: Stop | None) -> list[Solution]:
        """Many instances through the network together. `wall` is an instance's share of its batch."""
        answers: list[Solution | None] = [None] * len(instances)
        for group in self._groups(instances):
            part = [instances[i] for i in group]
            if stop and len(instances) > 1:
                for i in group:
                    answers[i] = Solution(instances[i].kind, None, None, "unknown", reason="stopped before its turn")
                continue
            clock = Clock()
            incumbents = [Incumbent(one, clock, None, callback) for one in part]
            reasons = self._batch(part, incumbents, lambda: bool(stop), alone=len(instances) == 1)
            share = clock.elapsed() / len(group)
            for i, incumbent, reason in zip(group, incumbents, reasons, strict=True):
                incumbent.tighten(bound(incumbent.instance))
                incumbent.reason = reason
                answers[i] = incumbent.close(wall=share)
        return [answer for answer in answers if answer is not None]

    def objectives(self, instances: Sequence[Instance]) -> np.ndarray:
        """(instances, 1 + samples): of the greedy answer, then of each drawn one, in order."""
        rows: list[Any] = [None] * len(instances)
        for group in self._groups(instances):
            part = [instances[i] for i in group]
            greedy = self._decode(part).objective_BS[:, :1]
            drawn = self._decode(part, samples=self.asked.samples).objective_BS
            for i, row in zip(group, np.concatenate([greedy, drawn], 1), strict=True):
                rows[i] = row
        return np.stack(rows)

    def _batch(self, part: list[Instance], incumbents: list[Incumbent], over: Any, *, alone: bool) -> list[str]:
        """Why there is no plan, for those that have none. `alone`: the greedy answer comes to its end, so that there is a best so far."""
        asked = self.asked
        reasons = [""] * len(part)
        rounds = [("model", self._decode(part, over=None if alone else over))]
        if asked.beam and not over():
            rounds.append((f"model beam {asked.beam}", self.opened.beam(part, asked.beam)))
        if asked.starts > 1 or asked.augment > 1:
            rounds.append(("model starts", self._decode(part, starts=asked.starts, augment=asked.augment, over=over)))
        if asked.samples > 1:
            rounds.append(("model samples", self._decode(part, samples=asked.samples, over=over)))
        for source, decoded in rounds:
            for b, incumbent in enumerate(incumbents):
                reasons[b] = self._take(incumbent, decoded, b, source) or reasons[b]
        return reasons

    def _decode(
        self, instances: list[Instance], *, samples: int = 1, starts: int = 1, augment: int = 1, turn: int = 0, over=None
    ) -> Decoded:
        asked = self.asked
        return self.opened.decode(
            instances, samples=samples, starts=starts, augment=augment, temperature=asked.temperature, masked=asked.masked,
            seed=(asked.seed + turn) % (1 << 63), stop=over,
        )  # fmt: skip

    def _offer(self, incumbent: Incumbent, decoded: Decoded, source: str) -> None:
        reason = self._take(incumbent, decoded, 0, source)
        if reason:
            incumbent.reason = reason

    def _take(self, incumbent: Incumbent, decoded: Decoded, b: int, source: str) -> str:
        """The best rollout of one instance is offered; a reason where none is a plan. Ties go to the lower rollout."""
        instance, best = incumbent.instance, None
        for s in np.flatnonzero(decoded.finished_BS[b] & ~decoded.stuck_BS[b]):
            if best is None or better(instance.kind, int(decoded.objective_BS[b, s]), int(decoded.objective_BS[b, best])):
                best = int(s)
        if best is not None:
            incumbent.offer(decoded.plan(instance, b, best), source, int(decoded.objective_BS[b, best]))
            return ""
        if decoded.stuck_BS[b].all():
            return "no way was found to fit the customers into the fleet"
        if self.asked.masked:
            return "cut before the first answer"
        violations = check(instance, decoded.plan(instance, b, 0)).violations
        return f"without masks the network broke a rule: {violations[0]}" if violations else "without masks the network came to no end"

    def _groups(self, instances: Sequence[Instance]) -> list[list[int]]:
        """Of one kind, of similar size, and not too many at once."""
        asked, groups = self.asked, []
        for kind in dict.fromkeys(instance.kind for instance in instances):
            order = sorted((i for i in range(len(instances)) if instances[i].kind == kind), key=lambda i: instances[i].size)
            while order:
                wide = max(asked.samples, asked.augment * (instances[order[-1]].size if asked.starts > 1 else 1), asked.beam, 1)
                count = max(1, min(TOGETHER, _most(instances[order[-1]])) // wide)
                groups.append(order[-count:])
                del order[-count:]
        return groups


def _most(instance: Instance) -> int:
    """Rollouts of an instance of this size at once."""
    tokens = sum(len(job) for job in instance.jobs) if instance.kind == "jssp" else instance.size  # type: ignore[union-attr]
    return max(1, min(TOGETHER, PLACES // max(tokens, 1)))
