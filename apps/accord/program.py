"""The exported solver: a scripted loop with the automaton inside, for every kind. Every answer is feasible; nothing of ours is needed.

`forward` reads instances as rows of integers (integers.py). `rollout_<kind>` reads tensors, several instances padded to one size, and
answers the best of `samples` rollouts, or the greedy one where samples is 0. `encode` and `step` are the network alone, for those who have
an automaton and build a loop of their own.

Shapes: B instances, S rollouts, N nodes or items, J jobs, K machines, O operations, T steps, A actions, L blocks, H heads, M = N + 1,
E head width, P and Q widths of phi and psi.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from apps.accord.cache import Cache, Prefix
from apps.accord.integers import row_of, unpacked
from apps.accord.model import Accord
from apps.accord.raw_batch import bins, flow_shops, job_shops, places, routes, sacks
from apps.accord.walk import Walk
from apps.base.program import Call, Program
from datamodules.accord.instances import KINDS
from datamodules.accord.synth import generate

__all__ = ["Decide"]

TRIED = {"tsp": (6, 4), "cvrp": (7, 6), "knapsack": (9, 4), "binpack": (8, 5), "pfsp": ((5, 3), (3, 4)), "jssp": ((3, 3), (2, 4))}


class Decide(Program):
    """actions i64 (B,T), -1 behind the last; length i64 (B,); value i64 (B,), the objective; found i64 (B,), 0 where a hard fleet left no
    way (the other outputs mean nothing then); margin f32 (B,), the narrowest decision.

    An action is a node (tsp; cvrp, 0: back to the depot), a job (pfsp; jssp: its next operation), or an item + 1 (knapsack, 0: the end;
    binpack, 0: the bin is closed).
    """

    also: ClassVar[tuple[str, ...]] = ("encode", "step", *(f"rollout_{kind}" for kind in KINDS))

    def __init__(self, network: Accord, facts: dict[str, Any], examples: Sequence[Any]) -> None:
        """facts: licence, net (the options of the network), and what else its metadata shall say. examples: instances."""
        super().__init__()
        self.walk = Walk(network)
        self.kinds = list(KINDS)
        self._facts = facts
        self._examples = [row_of(one) for one in examples]

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """int64 (B,L): an instance a row, of any kind, padded to one length. Greedy."""
        answers: list[dict[str, Tensor]] = []
        longest = 0
        for b in range(x.shape[0]):
            number, batch = unpacked(x[b])
            answers.append(self.answer(self.kinds[number], batch, 0, 0))
            longest = max(longest, answers[b]["actions"].shape[1])
        actions = torch.full([x.shape[0], longest], -1, dtype=torch.int64, device=x.device)
        for b in range(x.shape[0]):
            actions[b, : answers[b]["actions"].shape[1]] = answers[b]["actions"][0]
        out = {"actions": actions}
        for name in ["length", "value", "found", "margin"]:
            out[name] = torch.cat([answer[name] for answer in answers])
        return out

    def answer(self, kind: str, batch: dict[str, Tensor], samples: int, seed: int) -> dict[str, Tensor]:
        """The best rollout of each instance by its exact objective, the first of equal ones."""
        walked = self.walk(kind, batch, samples, seed)
        cost_BS = -walked.value_BS if kind == "knapsack" else walked.value_BS
        cost_BS = cost_BS.masked_fill(~walked.finished_BS, 9223372036854775807)
        least_BS = cost_BS == cost_BS.amin(1, keepdim=True)
        best_B1 = (least_BS.cumsum(1) == 0).sum(1, keepdim=True)
        steps = walked.actions_BST.shape[2]
        actions_BT = walked.actions_BST.gather(1, best_B1.unsqueeze(2).expand(-1, 1, steps)).squeeze(1)
        length_B = (actions_BT >= 0).sum(1)
        if kind == "binpack":  # the automaton's items are sorted; these are the instance's
            own_BT = torch.nn.functional.pad(batch["ids"] + 1, [1, 0]).gather(1, actions_BT.clamp(min=0))
            actions_BT = torch.where(actions_BT < 0, actions_BT, own_BT)
        return {
            "actions": actions_BT,
            "length": length_B,
            "value": walked.value_BS.gather(1, best_B1).squeeze(1),
            "found": walked.finished_BS.any(1).to(torch.int64),
            "margin": walked.margin_BS.amin(1).clamp(max=1.0),
        }

    @torch.jit.export
    def rollout_tsp(self, size: Tensor, distances: Tensor, coordinates: Tensor, samples: int, seed: int) -> dict[str, Tensor]:
        """size i64 (B,), distances i64 (B,N,N), coordinates (B,N,2) of any unit or (B,0,2)."""
        return self.answer("tsp", places(size, distances, coordinates), samples, seed)

    @torch.jit.export
    def rollout_cvrp(
        self,
        size: Tensor,
        distances: Tensor,
        coordinates: Tensor,
        demands: Tensor,
        capacity: Tensor,
        fleet: Tensor,
        samples: int,
        seed: int,
    ) -> dict[str, Tensor]:
        """As tsp, node 0 the depot and counted in size; demands i64 (B,N), capacity i64 (B,), fleet i64 (B,), 0: free."""
        return self.answer("cvrp", routes(size, distances, coordinates, demands, capacity, fleet), samples, seed)

    @torch.jit.export
    def rollout_knapsack(
        self, size: Tensor, values: Tensor, weights: Tensor, capacity: Tensor, samples: int, seed: int
    ) -> dict[str, Tensor]:
        """size i64 (B,), values and weights i64 (B,N), capacity i64 (B,)."""
        return self.answer("knapsack", sacks(size, values, weights, capacity), samples, seed)

    @torch.jit.export
    def rollout_binpack(self, size: Tensor, weights: Tensor, capacity: Tensor, samples: int, seed: int) -> dict[str, Tensor]:
        """size i64 (B,), weights i64 (B,N) in any order, capacity i64 (B,)."""
        return self.answer("binpack", bins(size, weights, capacity), samples, seed)

    @torch.jit.export
    def rollout_pfsp(self, size: Tensor, machines: Tensor, times: Tensor, samples: int, seed: int) -> dict[str, Tensor]:
        """size and machines i64 (B,), times i64 (B,J,K)."""
        return self.answer("pfsp", flow_shops(size, machines, times), samples, seed)

    @torch.jit.export
    def rollout_jssp(
        self, size: Tensor, machines: Tensor, operations: Tensor, machine: Tensor, time: Tensor, samples: int, seed: int
    ) -> dict[str, Tensor]:
        """size and machines i64 (B,), operations i64 (B,J), machine and time i64 (B,J,O)."""
        return self.answer("jssp", job_shops(size, machines, operations, machine, time), samples, seed)

    @torch.jit.export
    def encode(self, kind: str, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of the tensors of `pack`: keys and values of the prefix (L,B,H,M,E), z (B,N,D), and what else `step` takes back."""
        prefix = self.walk.network.encode(kind, batch, self.walk.network.routes(kind, batch["size"].shape[0]))
        out = {
            "z": prefix.z_BND,
            "keys": torch.stack(prefix.keys_LBHME),
            "values": torch.stack(prefix.values_LBHME),
            "valid": prefix.valid_BN,
            "entry": prefix.entry_BMD,
            "pointer": prefix.pointer_BMD,
        }
        bias, padding = prefix.bias_BMHM, prefix.padding_BM
        if bias is not None:
            out["bias"] = bias
        if padding is not None:
            out["padding"] = padding
        return out

    @torch.jit.export
    def step(
        self,
        kind: str,
        prefix: dict[str, Tensor],
        past: dict[str, Tensor],
        current: Tensor,
        features: Tensor,
        options: Tensor,
        entity: Tensor,
    ) -> dict[str, Tensor]:
        """logits (B,S,A) before any mask, predicted (B,S,P), and the past for the next step; at first it is empty."""
        B, S = current.shape[0], current.shape[1]
        keys, values = prefix["keys"], prefix["values"]
        whole = Prefix(
            prefix["z"],
            list(keys.unbind(0)),
            list(values.unbind(0)),
            prefix.get("bias"),
            prefix.get("padding"),
            prefix["valid"],
            prefix["entry"],
            prefix["pointer"],
        )
        length = past["past_keys"].shape[4] if "past_keys" in past else 0
        cache = self.walk.network.begin(whole, S, length + 1)
        if length > 0:
            for i in range(len(cache.keys_LBSHTE)):
                cache.keys_LBSHTE[i][:, :, :, :length] = past["past_keys"][i]
                cache.values_LBSHTE[i][:, :, :, :length] = past["past_values"][i]
        begun = length
        if "predicted" in past:
            begun = max(length, 1)
            cache = Cache(cache.keys_LBSHTE, cache.values_LBSHTE, begun, past["predicted"])
        route_B = self.walk.network.routes(kind, B)
        logits, predicted, cache = self.walk.network.step(kind, whole, cache, current, features, options, entity, route_B)
        out = {"logits": logits, "predicted": predicted}
        if len(cache.keys_LBSHTE) > 0:
            out["past_keys"], out["past_values"] = torch.stack(cache.keys_LBSHTE), torch.stack(cache.values_LBSHTE)
        return out

    def weights(self) -> nn.Module:
        return self.walk.get_submodule("network")

    def examples(self) -> list[Tensor]:
        return self._examples

    def noise(self, generator: torch.Generator) -> list[Tensor]:
        """A made instance of every kind."""
        return [row_of(self._made(kind, generator)[-1]) for kind in KINDS]

    def _made(self, kind: str, generator: torch.Generator) -> list[Any]:
        seed = int(torch.randint(0, 1 << 31, (1,), generator=generator))
        capacity = 20 if kind == "cvrp" else None
        return [one for size in TRIED[kind] for one in generate(kind, 2, size, seed, capacity=capacity)]

    def calls(self, generator: torch.Generator) -> list[Call]:
        rows = [*self._examples, *self.noise(generator)]
        longest = max(len(row) for row in rows)
        whole = torch.stack([torch.nn.functional.pad(row, (0, longest - len(row))) for row in rows])
        calls = [Call("forward", (whole,)), Call("forward", (rows[-1].unsqueeze(0),))]
        for kind in KINDS:
            calls += _calls_of(self, kind, self._made(kind, generator))
        return calls

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """A narrow decision anywhere may turn all that follows from it."""
        if "margin" not in outputs:
            return {}
        margin_B = outputs["margin"]
        return {"actions": margin_B.unsqueeze(1), "length": margin_B, "value": margin_B, "found": margin_B}

    def metadata(self) -> dict[str, Any]:
        return {
            **self._facts,
            "app": "accord",
            "program": "solve",
            "labels": [],
            "answer": [
                {"output": "value", "as": "value"},
                {"output": "found", "as": "value"},
                {"output": "length", "as": "value", "full": True},
                {"output": "actions", "as": "steps"},
            ],
            "batching": "stack",
            "input": "integers",
            "preprocessing": None,
            "kinds": list(KINDS),
        }


def _calls_of(program: Decide, kind: str, some: list[Any]) -> list[Call]:
    """Greedy and sampled rollouts of a padded batch, and two steps of the network."""
    from apps.accord.automata import automaton
    from datamodules.accord.packs import pack

    batch = pack(some)
    tensors = arguments(kind, some, batch)
    calls = [Call(f"rollout_{kind}", (*tensors, 0, 0)), Call(f"rollout_{kind}", (*(part[:1] for part in tensors), 5, 3))]
    rules = automaton(kind)
    state = rules.reset(batch, 2)
    prefix = program.encode(kind, batch)
    calls.append(Call("encode", (kind, batch)))
    past: dict[str, Tensor] = {}
    for _ in range(2):
        told = (rules.current(batch, state), rules.features(batch, state), rules.options(batch, state), rules.entity(batch, state))
        calls.append(Call("step", (kind, prefix, past, *told)))
        past = program.step(kind, prefix, past, *told)
        mask_BSA = rules.mask(batch, state)
        state = rules.step(batch, state, mask_BSA.long().argmax(2).masked_fill(~mask_BSA.any(2), -1))
    return calls


def arguments(kind: str, some: list[Any], batch: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """What `rollout_<kind>` takes in front of samples and seed."""
    if kind in ("tsp", "cvrp"):
        coordinates = torch.zeros(len(some), batch["xy"].shape[1], 2, dtype=torch.float64)
        for b, one in enumerate(some):
            coordinates[b, : len(one.distances)] = torch.from_numpy(one.xy.copy())
        plain = (batch["size"], batch["distances"], coordinates)
        return plain if kind == "tsp" else (*plain, batch["demands"], batch["capacity"], batch["fleet"])
    if kind == "binpack":
        weights = torch.zeros_like(batch["weights"])
        for b, one in enumerate(some):
            weights[b, : one.size] = torch.from_numpy(one.weights.copy())
        return batch["size"], weights, batch["capacity"]
    names = {
        "knapsack": ("size", "values", "weights", "capacity"),
        "pfsp": ("size", "machines", "times"),
        "jssp": ("size", "machines", "operations", "machine", "time"),
    }[kind]
    return tuple(batch[name] for name in names)
