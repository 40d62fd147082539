"""The permutation flow shop: action j puts job j next on all machines.

Padded machines have no times, so the last one always holds the makespan.
B instances, S rollouts, N jobs, M machines.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata.arithmetic import chosen, ratio, real, rows, spread
from apps.accord.automata.base import Automaton
from datamodules.accord.solution import Plan

__all__ = ["PFSPAutomaton"]


PLACES = 8  # ours: phi shows the front at this many machines, evenly spread, so that any number of machines fits


class PFSPAutomaton(Automaton):
    def __init__(self, masked: bool = True) -> None:
        super().__init__("pfsp", state_width=2 + PLACES, option_width=3, masked=masked)
        self.places = PLACES

    def own_actions(self, batch: dict[str, Tensor]) -> int:
        return batch["times"].shape[1]

    def most_steps(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["size"]

    def begin(self, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        count, jobs, machines = batch["times"].shape
        return {
            "left": spread(real(batch["size"], jobs), rollouts),
            "front": torch.zeros([count, rollouts, machines], dtype=torch.int64, device=batch["times"].device),
            "count": torch.zeros_like(spread(batch["size"], rollouts)),
            "work": spread(batch["times"].sum(2).sum(1), rollouts),
            "longest": spread(batch["times"].amax(2).amax(1), rollouts),
        }

    def finished(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["count"] == batch["size"].unsqueeze(1)

    def allowed(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["left"]

    def existing(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return spread(real(batch["size"], state["left"].shape[2]), state["left"].shape[1])

    def breach(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        return torch.full_like(action_BS, self.REPEATED).masked_fill(chosen(state["left"], action_BS), self.KEPT)

    def advance(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> dict[str, Tensor]:
        new = state.copy()
        job_BS = action_BS.clamp(min=0)
        left = state["left"]
        new["left"] = left.scatter(2, job_BS.unsqueeze(2), (chosen(left, job_BS) & ~active_BS).unsqueeze(2))
        new["count"] = state["count"] + active_BS.long()
        moved_BSM = torch.stack(passed(list(state["front"].unbind(2)), list(rows(batch["times"], job_BS).unbind(2))), 2)
        new["front"] = torch.where(active_BS.unsqueeze(2), moved_BSM, state["front"])
        return new

    def token_of(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        return action_BS

    def tokens(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return torch.arange(state["left"].shape[2], device=state["left"].device).expand(state["left"].shape)

    def value(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["front"][:, :, -1]

    def phi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """Share of the jobs done, the last completion and the front behind the first machine's, over the mean work of a machine."""
        machines_B1 = batch["machines"].unsqueeze(1)
        steps = torch.arange(self.places, device=machines_B1.device)
        places_BK = (2 * steps * (machines_B1 - 1) + self.places - 1) // (2 * (self.places - 1))
        front = state["front"]
        shown_BSK = front.gather(2, spread(places_BK, front.shape[1])) - front[:, :, :1]
        marks_BSK = torch.cat([front[:, :, -1:], shown_BSK], 2)
        share_BS1 = ratio(state["count"], batch["size"].unsqueeze(1)).unsqueeze(2)
        return torch.cat([share_BS1, ratio(marks_BSK.double() * machines_B1.unsqueeze(2), state["work"].unsqueeze(2))], 2)

    def psi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """If the job came next: the mean idle time of the machines, by how much the last completion grows, and by how much what the rest
        needs at least does (ours), over the longest time."""
        times, front = batch["times"], state["front"]
        ends = passed(list(front.unsqueeze(2).unbind(3)), list(times.unsqueeze(1).unbind(3)))
        # The idle time of a machine is its new completion less its old one less the job's time; padded machines have the last one's.
        last_BSN = ends[-1] - front[:, :, -1:]
        busy_BSN = torch.zeros_like(last_BSN)
        for end, before_BS in zip(ends, front.unbind(2)):  # noqa: B905 (TorchScript's zip knows no strict)
            busy_BSN = busy_BSN + (end - before_BS.unsqueeze(2))
        machines_B11 = batch["machines"][:, None, None]
        padded_B11 = times.shape[2] - machines_B11
        idle_BSN = busy_BSN - padded_B11 * last_BSN - times.sum(2).unsqueeze(1)
        longest_BS1 = state["longest"].unsqueeze(2)
        grown_BSN = self.needed(batch, state, ends, times)
        return torch.stack(
            [ratio(idle_BSN.double() / machines_B11, longest_BS1), ratio(last_BSN, longest_BS1), ratio(grown_BSN, longest_BS1)], 3
        )

    def needed(self, batch: dict[str, Tensor], state: dict[str, Tensor], ends: list[Tensor], times: Tensor) -> Tensor:
        """(B,S,N) how much later than now every job could be done at the earliest: each machine still has its work, and then the shortest
        way of a job through the machines behind it."""
        left_BSN = state["left"]
        behind_BNM = times.sum(2, keepdim=True) - times.cumsum(2)
        rest_BSM = torch.matmul(left_BSN.double(), times.double()).long()
        now_BS = torch.zeros_like(state["work"])
        then_BSN = torch.zeros_like(left_BSN, dtype=torch.int64)
        for k, end_BSN in enumerate(ends):
            behind_BSN = torch.where(left_BSN, behind_BNM[:, :, k].unsqueeze(1), state["work"].unsqueeze(2))
            least_BS = rest_BSM[:, :, k] + behind_BSN.amin(2) * left_BSN.any(2)
            now_BS = torch.maximum(now_BS, state["front"][:, :, k] + least_BS)
            then_BSN = torch.maximum(then_BSN, end_BSN + least_BS.unsqueeze(2) - times[:, :, k].unsqueeze(1) * left_BSN)
        return then_BSN - now_BS.unsqueeze(2)

    @torch.jit.export
    def starts(self, batch: dict[str, Tensor]) -> Tensor:
        jobs = torch.arange(batch["times"].shape[1], device=batch["size"].device)
        return jobs.masked_fill(~real(batch["size"], jobs.shape[0]), -1)

    def plan(self, instance: Any, actions: list[int]) -> Plan:
        return tuple(a for a in actions if 0 <= a < instance.size)

    def ordered(self, instance: Any, plan: Plan, rng: np.random.Generator | None = None) -> list[int]:
        """The permutation; there is one order only."""
        return [int(job) for job in plan]


def passed(front: list[Tensor], times: list[Tensor]) -> list[Tensor]:
    """The completions after one more job: c_k = max(c_k, c_{k-1}) + p_k, machine by machine."""
    ends = [front[0] + times[0]]
    for k in range(1, len(front)):
        ends.append(torch.maximum(front[k], ends[k - 1]) + times[k])
    return ends
