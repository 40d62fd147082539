"""Texts of schedules: J2: M1(0+1=1) -> M2(1+4=5), J0-M0: 0+3 -> 3, and rows [job, machine, start, duration]."""

from apps.accord.llama.scribes.scribe import Scribe
from datamodules.accord.formats.numbers import plain
from datamodules.accord.instances import FlowShop, JobShop

__all__ = ["FlowLists", "FlowStates", "JobLists", "JobStates"]


class _Line(Scribe):
    """Decision j is job j; jobs and machines of the text are counted from 1."""

    instance: FlowShop

    def __init__(self, instance: FlowShop) -> None:
        super().__init__(instance)
        self.free = [0] * instance.times.shape[1]
        self.begun = False

    def time(self, number: int) -> str:
        return plain(number, self.instance.scale)

    def run(self, job: int) -> list[tuple[int, int]]:
        """(start, duration) on every machine."""
        ready, runs = 0, []
        for machine, time in enumerate(self.instance.times[job].tolist()):
            start = max(ready, self.free[machine])
            self.free[machine] = ready = start + time
            runs.append((start, time))
        self.begun = True
        return runs


class FlowStates(_Line):
    def opening(self) -> str:
        return ""

    def spell(self, action: int) -> str:
        return f"J{action + 1}:"

    def follow(self, action: int) -> str:
        runs = enumerate(self.run(action), 1)
        return " " + " -> ".join(f"M{k}({self.time(s)}+{self.time(p)}={self.time(s + p)})" for k, (s, p) in runs) + "\n"

    def closing(self) -> str:
        return f"Makespan: {self.time(self.free[-1])}\n"


class FlowLists(_Line):
    def opening(self) -> str:
        return "["

    def spell(self, action: int) -> str:
        return f"{', ' if self.begun else ''}[{action + 1}, 1,"

    def follow(self, action: int) -> str:
        rows = [f"{self.time(s)}, {self.time(p)}]" for s, p in self.run(action)]
        return f" {rows[0]}" + "".join(f", [{action + 1}, {k}, {row}" for k, row in enumerate(rows[1:], 2))

    def closing(self) -> str:
        return f"]\nMakespan: {self.time(self.free[-1])}\n"


class _Shop(Scribe):
    """Decision j is the next operation of job j; jobs and machines of the text are counted from 0."""

    instance: JobShop

    def __init__(self, instance: JobShop) -> None:
        super().__init__(instance)
        self.next = [0] * instance.size
        self.job_free = [0] * instance.size
        self.machine_free = [0] * instance.machines
        self.begun = False

    def time(self, number: int) -> str:
        return plain(number, self.instance.scale)

    def machine(self, job: int) -> int:
        return self.instance.jobs[job][self.next[job]][0]

    def run(self, job: int) -> tuple[int, int]:
        """(start, duration) of the next operation."""
        machine, time = self.instance.jobs[job][self.next[job]]
        start = max(self.job_free[job], self.machine_free[machine])
        self.job_free[job] = self.machine_free[machine] = start + time
        self.next[job] += 1
        self.begun = True
        return start, time


class JobStates(_Shop):
    def opening(self) -> str:
        return ""

    def spell(self, action: int) -> str:
        return f"J{action}-M{self.machine(action)}:"

    def follow(self, action: int) -> str:
        start, time = self.run(action)
        return f" {self.time(start)}+{self.time(time)} -> {self.time(start + time)}\n"

    def closing(self) -> str:
        return f"Makespan: {self.time(max(self.job_free))}\n"


class JobLists(_Shop):
    def opening(self) -> str:
        return "["

    def spell(self, action: int) -> str:
        return f"{', ' if self.begun else ''}[{action}, {self.machine(action)},"

    def follow(self, action: int) -> str:
        start, time = self.run(action)
        return f" {self.time(start)}, {self.time(time)}]"

    def closing(self) -> str:
        return f"]\nMaximum end completion time or Makespan: {self.time(max(self.job_free))}\n"
