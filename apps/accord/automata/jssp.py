"""The job shop: action j starts the next operation of job j as early as its job and its machine allow.

`generator` says which jobs are open: "active" those of Giffler and Thompson's conflict set (an optimum is among these schedules), "semi"
every unfinished job, "nondelay" those that could start first (fast, and may miss every optimum).
Tokens are operations: j * O + o of the padded (J,O). Jobs may be of unequal length and come to a machine twice.

B instances, S rollouts, J jobs, O operations of a job, M machines.
"""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata.arithmetic import chosen, first_true, ratio, real, spread
from apps.accord.automata.base import Automaton
from datamodules.accord.active import left_shifted
from datamodules.accord.solution import Plan

__all__ = ["JSSPAutomaton"]


class JSSPAutomaton(Automaton):
    def __init__(self, generator: Literal["active", "semi", "nondelay"] = "active", masked: bool = True) -> None:
        if generator not in ("active", "semi", "nondelay"):
            raise ValueError(f"generator={generator!r}; it is 'active', 'semi' or 'nondelay'")
        super().__init__("jssp", state_width=9, option_width=5, masked=masked)
        self.generator = generator

    def own_actions(self, batch: dict[str, Tensor]) -> int:
        return batch["operations"].shape[1]

    def most_steps(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["operations"].sum(1)

    def begin(self, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        time_BJO = batch["time"]
        machines = int(batch["machines"].max().item())
        load_BM = torch.zeros([time_BJO.shape[0], machines], dtype=torch.int64, device=time_BJO.device)
        load_BM = load_BM.scatter_add(1, batch["machine"].flatten(1), time_BJO.flatten(1))
        work_BJ = time_BJO.sum(2)
        state = {
            "next": torch.zeros_like(spread(work_BJ, rollouts)),
            "job_free": torch.zeros_like(spread(work_BJ, rollouts)),
            "job_work": spread(work_BJ, rollouts),  # still to do
            "machine_free": torch.zeros_like(spread(load_BM, rollouts)),
            "machine_work": spread(load_BM, rollouts),
            "count": torch.zeros_like(spread(batch["size"], rollouts)),
            "total": spread(batch["operations"].sum(1), rollouts),
            "bound": spread(torch.maximum(work_BJ.amax(1), load_BM.amax(1)), rollouts),
            "longest": spread(time_BJO.amax(2).amax(1), rollouts),
        }
        return self.looked_ahead(batch, state)

    def looked_ahead(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Adds what each job would do next: open or not, on which machine, how long, from when."""
        next_BSJ = state["next"]
        length = batch["time"].shape[2]
        state["open"] = next_BSJ < batch["operations"].unsqueeze(1)
        jobs_J = torch.arange(next_BSJ.shape[2], device=next_BSJ.device)
        last_B1J = (batch["operations"].unsqueeze(1) - 1).clamp(min=0)
        place_BSJ = jobs_J * length + torch.minimum(next_BSJ, last_B1J)
        state["place"] = place_BSJ
        state["machine"] = batch["machine"].flatten(1).gather(1, place_BSJ.flatten(1)).view(next_BSJ.shape)
        state["time"] = batch["time"].flatten(1).gather(1, place_BSJ.flatten(1)).view(next_BSJ.shape)
        start_BSJ = torch.maximum(state["job_free"], state["machine_free"].gather(2, state["machine"]))
        state["start"] = start_BSJ
        last_BS1 = state["machine_free"].amax(2, keepdim=True)
        state["span"] = last_BS1.squeeze(2)
        state["now"] = torch.where(state["open"], start_BSJ, last_BS1).amin(2)  # the earliest start; the makespan where nothing is left
        return state

    def finished(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["count"] == state["total"]

    def allowed(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        open_BSJ, start_BSJ = state["open"], state["start"]
        if self.generator == "semi":
            return open_BSJ
        never = 9223372036854775807  # the greatest int64
        if self.generator == "nondelay":
            return open_BSJ & (start_BSJ == start_BSJ.masked_fill(~open_BSJ, never).amin(2, keepdim=True))
        end_BSJ = (start_BSJ + state["time"]).masked_fill(~open_BSJ, never)
        least_BS1 = end_BSJ.amin(2, keepdim=True)
        first_BS = first_true(end_BSJ == least_BS1)
        same_BSJ = state["machine"] == chosen(state["machine"], first_BS).unsqueeze(2)
        # The first itself is open even where it takes no time, and so starts no earlier than it ends.
        itself_BSJ = torch.arange(open_BSJ.shape[2], device=open_BSJ.device) == first_BS.unsqueeze(2)
        return open_BSJ & same_BSJ & ((start_BSJ < least_BS1) | itself_BSJ)

    def existing(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return spread(real(batch["size"], state["next"].shape[2]), state["next"].shape[1])

    def breach(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        return torch.full_like(action_BS, self.REPEATED).masked_fill(chosen(state["open"], action_BS), self.KEPT)

    def advance(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> dict[str, Tensor]:
        new = state.copy()
        job_BS1 = action_BS.clamp(min=0).unsqueeze(2)
        step_BS1 = active_BS.long().unsqueeze(2)
        machine_BS1 = state["machine"].gather(2, job_BS1)
        time_BS1 = state["time"].gather(2, job_BS1) * step_BS1
        end_BS1 = state["start"].gather(2, job_BS1) + time_BS1
        new["next"] = state["next"].scatter_add(2, job_BS1, step_BS1)
        new["job_work"] = state["job_work"].scatter_add(2, job_BS1, -time_BS1)
        new["machine_work"] = state["machine_work"].scatter_add(2, machine_BS1, -time_BS1)
        active_BS1 = active_BS.unsqueeze(2)
        job_free_BS1 = torch.where(active_BS1, end_BS1, state["job_free"].gather(2, job_BS1))
        new["job_free"] = state["job_free"].scatter(2, job_BS1, job_free_BS1)
        machine_free_BS1 = torch.where(active_BS1, end_BS1, state["machine_free"].gather(2, machine_BS1))
        new["machine_free"] = state["machine_free"].scatter(2, machine_BS1, machine_free_BS1)
        new["count"] = state["count"] + active_BS.long()
        return self.looked_ahead(batch, new)

    def token_of(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        return chosen(state["place"], action_BS)

    def tokens(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["place"]

    def value(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["span"]

    def phi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """Share of operations done; over the bound: makespan, now, the most work left of a job and of a machine, the latest and mean lead
        of jobs and of machines on now, among those with work left."""
        bound_BS, now_BS = state["bound"], state["now"]
        busy_BSM = state["machine_work"] > 0
        job_lead_BSJ = (state["job_free"] - now_BS.unsqueeze(2)).clamp(min=0) * state["open"]
        machine_lead_BSM = (state["machine_free"] - now_BS.unsqueeze(2)).clamp(min=0) * busy_BSM
        return torch.stack(
            [
                ratio(state["count"], state["total"]),
                ratio(state["span"], bound_BS),
                ratio(now_BS, bound_BS),
                ratio(state["job_work"].amax(2), bound_BS),
                ratio(state["machine_work"].amax(2), bound_BS),
                ratio(job_lead_BSJ.amax(2), bound_BS),
                ratio(job_lead_BSJ.sum(2), bound_BS.double() * state["open"].sum(2)),
                ratio(machine_lead_BSM.amax(2), bound_BS),
                ratio(machine_lead_BSM.sum(2), bound_BS.double() * busy_BSM.sum(2)),
            ],
            2,
        )

    def psi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """Of each job's next operation: start and end after now and duration over the longest time, work left of job and machine over the
        bound."""
        open_BSJ = state["open"].unsqueeze(3)
        offset_BSJ = state["start"] - state["now"].unsqueeze(2)
        times_BSJQ = torch.stack([offset_BSJ, offset_BSJ + state["time"], state["time"]], 3) * open_BSJ
        works_BSJQ = torch.stack([state["job_work"], state["machine_work"].gather(2, state["machine"])], 3) * open_BSJ
        longest_BS11, bound_BS11 = state["longest"][:, :, None, None], state["bound"][:, :, None, None]
        return torch.cat([ratio(times_BSJQ, longest_BS11), ratio(works_BSJQ, bound_BS11)], 3)

    def plan(self, instance: Any, actions: list[int]) -> Plan:
        starts: list[list[int]] = [[] for _ in instance.jobs]
        job_free, machine_free = [0] * len(instance.jobs), [0] * instance.machines
        for action in actions:
            if not 0 <= action < len(instance.jobs):
                continue
            job, done = instance.jobs[action], len(starts[action])
            # An operation that the job does not have is still said: the checker names it.
            machine, time = job[done] if done < len(job) else (-1, 0)
            start = max(job_free[action], machine_free[machine] if machine >= 0 else 0)
            starts[action].append(start)
            job_free[action] = start + time
            if machine >= 0:
                machine_free[machine] = start + time
        return tuple(tuple(one) for one in starts)

    def ordered(self, instance: Any, plan: Plan, rng: np.random.Generator | None = None) -> list[int]:
        """The schedule left-shifted, then the open job that starts first in it: no later than the plan, but for "nondelay"."""
        jobs = instance.jobs
        starts = left_shifted(jobs, plan)
        next_, job_free, machine_free = [0] * len(jobs), [0] * len(jobs), [0] * instance.machines
        actions: list[int] = []
        while any(next_[j] < len(job) for j, job in enumerate(jobs)):
            heads = [(j, *job[next_[j]]) for j, job in enumerate(jobs) if next_[j] < len(job)]
            early = {j: max(job_free[j], machine_free[machine]) for j, machine, _ in heads}
            if self.generator == "active":
                end, first, machine = min((early[j] + time, j, machine) for j, machine, time in heads)
                heads = [head for head in heads if head[1] == machine and (early[head[0]] < end or head[0] == first)]
            elif self.generator == "nondelay":
                heads = [head for head in heads if early[head[0]] == min(early.values())]
            _, _, chosen_, machine = min((starts[j][next_[j]], starts[j][next_[j]] + time, j, machine) for j, machine, time in heads)
            job_free[chosen_] = machine_free[machine] = early[chosen_] + jobs[chosen_][next_[chosen_]][1]
            next_[chosen_] += 1
            actions.append(chosen_)
        return actions
