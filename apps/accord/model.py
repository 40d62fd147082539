"""The network that decides (ACCORD brief 2.4.2): one stack of blocks, tokens of an instance in front, the steps of its rollouts behind.

[GLOBAL, e_1..e_N | s_1..s_T]: the prefix sees all of itself and is run once an instance; a step sees the prefix and, with `history`, the
steps before it. Plain tensors in and out; scriptable.
Shapes: B instances, S rollouts or steps side by side, T steps, N tokens, M = N + 1, L blocks, H heads, D width, E head width, A actions,
P and Q widths of phi and psi.
"""

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from apps.accord.attention import over_both, over_prefix, over_steps
from apps.accord.block import Block, norm_of
from apps.accord.cache import Cache, Prefix, append
from apps.accord.options import Net
from apps.accord.parts import Parts
from core_attention.lora import Groups, group
from datamodules.accord.instances import KINDS

if TYPE_CHECKING:
    from apps.accord.block import Blocks
    from apps.accord.parts import AllParts

__all__ = ["Accord", "Decisions", "build"]


class Decisions(NamedTuple):
    logits_BTA: Tensor  # before any mask
    predicted_BTP: Tensor  # phi of the state after the step, as the network expects it


class Accord(nn.Module):
    """A route is an index into KINDS, of the adapter to be used; -1 none. Routes of None: no adapter for any, at no cost.

    `merged(network, network.adapter(kind))` of core_attention.lora makes an ordinary network of one route.
    """

    adapters: Tensor
    sharpest: Final[float] = 10.0  # of the decision logits (TorchScript reads no module's globals)
    many: Final[int] = 64  # ours: from so many instances on, adapters are applied group by group

    def __init__(
        self,
        dim: int,
        layers: int,
        heads: int,
        ffn: int,
        state: Literal["fed", "none", "predicted"] = "fed",
        history: bool = False,
        norm: Literal["layer", "rms"] = "layer",
        rank: int = 8,
        alpha: float = 8.0,
        rslora: bool = True,
        targets: tuple[str, ...] = ("q", "k", "v", "o", "fc1", "fc2"),
        share: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.state = state
        self.history = history
        self.markov = not history and state != "predicted"  # a step does not depend on the steps before it
        kinds = list(KINDS)
        self.kinds = kinds
        self.register_buffer(
            "adapters", torch.tensor([kinds.index(share[0] if kind in share else kind) for kind in kinds]), persistent=False
        )
        self.parts = cast("AllParts", nn.ModuleDict({kind: Parts(kind, dim, heads) for kind in kinds}))  # until its automaton is there
        self.blocks = cast(
            "Blocks", nn.ModuleList(Block(dim, heads, ffn, norm, len(kinds), rank, alpha, rslora, targets) for _ in range(layers))
        )
        self.norm_step = norm_of(norm, dim)
        self.norm = norm_of(norm, dim)
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        # ours: at first psi decides alone, by the kind's greedy rule
        nn.init.zeros_(self.query.weight)
        self.root = float(dim) ** 0.5
        self.heads = heads
        self.dim = dim

    def adapter(self, kind: str) -> int:
        """The adapter that a kind uses, its own or the one that it shares."""
        return int(self.adapters[self.kinds.index(kind)])

    def routes(self, kind: str, count: int) -> Tensor:
        """The kind's own route for each of `count` instances."""
        return torch.full([count], self.kinds.index(kind), dtype=torch.int64, device=self.adapters.device)

    def _route(self, route: Tensor | None) -> Tensor | None:
        """Shared adapters have one place in the stacks."""
        if route is None or route.is_floating_point():
            return route
        return torch.where(route < 0, route, self.adapters[route.clamp(min=0)])

    def _groups(self, route: Tensor | None) -> Groups | None:
        if route is None or route.is_floating_point() or route.shape[0] < self.many:
            return None
        return group(route, self.adapters.shape[0])

    @torch.jit.export
    def encode(self, kind: str, batch: dict[str, Tensor], route_B: Tensor | None = None) -> Prefix:
        """Of a batch of `pack`. route_B: int64 (B,), or float (B,6), a mixture."""
        x_BMD, entry_BMD, special_D, valid_BN, bias_BMHM = self._read(kind, batch)
        padding_BM: Tensor | None = None
        if not bool(valid_BN.all()):
            hidden_BM = torch.nn.functional.pad(~valid_BN, [1, 0])
            if bias_BMHM is None:
                padding_BM = torch.zeros_like(x_BMD[:, :, 0]).masked_fill(hidden_BM, -torch.inf)
            else:
                bias_BMHM = bias_BMHM.masked_fill(hidden_BM[:, None, None, :], -torch.inf)
        bias: Tensor | None = None  # (B,H,M,M), or what broadcasts to it
        if bias_BMHM is not None:
            bias = bias_BMHM.transpose(1, 2)
        elif padding_BM is not None:
            bias = padding_BM[:, None, None, :]
        route_B = self._route(route_B)
        groups = self._groups(route_B)
        keys: list[Tensor] = []
        values: list[Tensor] = []
        for block in self.blocks:
            h_BMD = block.norm1(x_BMD)
            k_BHME, v_BHME = block.keys(h_BMD, route_B, groups), block.values(h_BMD, route_B, groups)
            keys.append(k_BHME.contiguous())  # read again at every step
            values.append(v_BHME.contiguous())
            mixed_BHME = over_prefix(block.queries(h_BMD, route_B, groups), k_BHME, v_BHME, bias)
            x_BMD = block.rest(x_BMD, mixed_BHME, route_B, groups)
        z_BND = self.norm(x_BMD[:, 1:])
        pointer_BMD = torch.cat([special_D.expand(z_BND.shape[0], 1, -1), self.key(z_BND)], 1) / self.root
        return Prefix(z_BND, keys, values, bias_BMHM, padding_BM, valid_BN, entry_BMD, pointer_BMD)

    @torch.jit.export
    def begin(self, prefix: Prefix, rollouts: int, longest: int) -> Cache:
        """Room for the steps of so many rollouts of each instance; steps without history need none."""
        keys: list[Tensor] = []
        values: list[Tensor] = []
        if self.history:
            like = prefix.keys_LBHME[0]
            B, H, E = like.shape[0], like.shape[1], like.shape[3]
            for _ in prefix.keys_LBHME:
                keys.append(like.new_empty([B, rollouts, H, longest, E]))
                values.append(like.new_empty([B, rollouts, H, longest, E]))
        return Cache(keys, values, 0, prefix.z_BND.new_zeros([prefix.z_BND.shape[0], rollouts, 0]))

    @torch.jit.export
    def step(
        self,
        kind: str,
        prefix: Prefix,
        cache: Cache,
        current_BS: Tensor,
        features_BSP: Tensor,
        options_BSAQ: Tensor,
        entity_BSA: Tensor,
        route_B: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Cache]:
        """(logits (B,S,A) before any mask, phi expected after it (B,S,P), the cache with this step in it)."""
        if self.state == "predicted" and cache.length > 0:
            features_BSP = cache.predicted_BSP
        x_BSD = self._enter(kind, prefix, current_BS, features_BSP)
        rows = self._rows(prefix, current_BS)
        route_B = self._route(route_B)
        groups = self._groups(route_B)
        keys: list[Tensor] = []
        values: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            h_BSD = block.norm1(x_BSD)
            q_BHSE = block.queries(h_BSD, route_B, groups)
            if self.history:
                k_BSHTE = append(cache.keys_LBSHTE[i], block.keys(h_BSD, route_B, groups), cache.length)
                v_BSHTE = append(cache.values_LBSHTE[i], block.values(h_BSD, route_B, groups), cache.length)
                keys.append(k_BSHTE)
                values.append(v_BSHTE)
                T = cache.length + 1
                mixed_BHSE = over_both(
                    q_BHSE, prefix.keys_LBHME[i], prefix.values_LBHME[i], rows, k_BSHTE[:, :, :, :T], v_BSHTE[:, :, :, :T]
                )
            else:
                mixed_BHSE = over_prefix(q_BHSE, prefix.keys_LBHME[i], prefix.values_LBHME[i], rows)
            x_BSD = block.rest(x_BSD, mixed_BHSE, route_B, groups)
        logits_BSA, predicted_BSP = self._decide(kind, prefix, x_BSD, options_BSAQ, entity_BSA)
        return logits_BSA, predicted_BSP, Cache(keys, values, cache.length + 1, predicted_BSP)

    def forward(
        self,
        kind: str,
        batch: dict[str, Tensor],
        current_BT: Tensor,
        features_BTP: Tensor,
        options_BTAQ: Tensor,
        entity_BTA: Tensor,
        route_B: Tensor | None = None,
    ) -> Decisions:
        """Teacher forcing: all steps of one rollout of each instance. A step that feeds on its own prediction is taken after the other."""
        prefix = self.encode(kind, batch, route_B)
        if self.state == "predicted":
            return self._one_by_one(kind, prefix, current_BT, features_BTP, options_BTAQ, entity_BTA, route_B)
        x_BTD = self._enter(kind, prefix, current_BT, features_BTP)
        rows = self._rows(prefix, current_BT)
        route_B = self._route(route_B)
        groups = self._groups(route_B)
        for i, block in enumerate(self.blocks):
            h_BTD = block.norm1(x_BTD)
            q_BHTE, k_BHME, v_BHME = block.queries(h_BTD, route_B, groups), prefix.keys_LBHME[i], prefix.values_LBHME[i]
            if self.history:
                own_k_BHTE, own_v_BHTE = block.keys(h_BTD, route_B, groups), block.values(h_BTD, route_B, groups)
                mixed_BHTE = over_steps(q_BHTE, k_BHME, v_BHME, rows, own_k_BHTE, own_v_BHTE)
            else:
                mixed_BHTE = over_prefix(q_BHTE, k_BHME, v_BHME, rows)
            x_BTD = block.rest(x_BTD, mixed_BHTE, route_B, groups)
        logits_BTA, predicted_BTP = self._decide(kind, prefix, x_BTD, options_BTAQ, entity_BTA)
        return Decisions(logits_BTA, predicted_BTP)

    def _one_by_one(
        self,
        kind: str,
        prefix: Prefix,
        current_BT: Tensor,
        features_BTP: Tensor,
        options_BTAQ: Tensor,
        entity_BTA: Tensor,
        route_B: Tensor | None,
    ) -> Decisions:
        T = current_BT.shape[1]
        cache = self.begin(prefix, 1, T)
        logits: list[Tensor] = []
        predicted: list[Tensor] = []
        for t in range(T):
            logits_B1A, predicted_B1P, cache = self.step(
                kind,
                prefix,
                cache,
                current_BT[:, t : t + 1],
                features_BTP[:, t : t + 1],
                options_BTAQ[:, t : t + 1],
                entity_BTA[:, t : t + 1],
                route_B,
            )
            logits.append(logits_B1A)
            predicted.append(predicted_B1P)
        return Decisions(torch.cat(logits, 1), torch.cat(predicted, 1))

    def _read(self, kind: str, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        for name, parts in self.parts.items():
            if name == kind:
                x_BMD, entry_BMD, valid_BN, bias_BMHM = parts.read(batch)
                return x_BMD, entry_BMD, parts.special, valid_BN, bias_BMHM
        raise ValueError(f"there is no kind {kind}")

    def _enter(self, kind: str, prefix: Prefix, current_BS: Tensor, features_BSP: Tensor) -> Tensor:
        """s_t = LN(U h0(chosen) + V phi)."""
        x_BSD = _picked(prefix.entry_BMD, current_BS)
        if self.state != "none":
            for name, parts in self.parts.items():
                if name == kind:
                    x_BSD = x_BSD + parts.told(features_BSP)
        return self.norm_step(x_BSD)

    def _rows(self, prefix: Prefix, current_BS: Tensor) -> Tensor | None:
        """The current entities' rows of the bias, (B,H,S,M) or what broadcasts to it; GLOBAL's where there is none."""
        bias_BMHM, padding_BM = prefix.bias_BMHM, prefix.padding_BM
        if bias_BMHM is not None:
            return _picked(bias_BMHM.flatten(2), current_BS).unflatten(2, [self.heads, -1]).transpose(1, 2)
        if padding_BM is not None:
            return padding_BM[:, None, None, :]
        return None

    def _decide(self, kind: str, prefix: Prefix, x_BSD: Tensor, options_BSAQ: Tensor, entity_BSA: Tensor) -> tuple[Tensor, Tensor]:
        """u_i = 10 tanh(<W_q z_t, W_k z_i> / sqrt d) + w . psi, and the state expected next."""
        z_BSD = self.norm(x_BSD)
        likeness_BSM = self.sharpest * torch.tanh(torch.bmm(self.query(z_BSD), prefix.pointer_BMD.transpose(1, 2)))
        logits_BSA = likeness_BSM.gather(2, entity_BSA + 1)
        for name, parts in self.parts.items():
            if name == kind:
                return logits_BSA + options_BSAQ @ parts.weight, parts.expect(z_BSD)
        raise ValueError(f"there is no kind {kind}")


def _picked(table_BMX: Tensor, current_BS: Tensor) -> Tensor:
    """The rows of the current entities (B,S,X); row 0 where there is none."""
    B, M = table_BMX.shape[0], table_BMX.shape[1]
    place_BS = current_BS + 1 + torch.arange(B, device=current_BS.device).unsqueeze(1) * M
    return table_BMX.flatten(0, 1).index_select(0, place_BS.flatten()).view(B, current_BS.shape[1], -1)


def build(config: dict[str, Any]) -> Accord:
    """Of plain values, those of `Net`: the same config and the same seed give the same network.

    >>> network = build({"size": "tiny", "history": False})
    """
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
    return Accord(**Net(**values).whole())
