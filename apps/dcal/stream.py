"""The trunk's blocks one after the other, keeping what DCAL's branches need of them; and the pair stream through the same blocks.

Shapes: B batch, N tokens, D width, H heads, E head width.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import dropout

from core_attention.blocks import PreNorm
from core_attention.functional import apply_transposed, attention_map, mapped_attention, paired_attention
from core_attention.maps import carry
from core_attention.mixers.softmax import Softmax

__all__ = ["Layer", "Passed", "pair_stream", "rollout_row", "self_attention"]

Keys = tuple[Tensor, Tensor]  # keys and values, each (B,H,N,E)


class Layer(NamedTuple):
    """What a rollout needs of one layer's attention: its head-mean map; or the block and its input, to make rows of the map anew;
    or, of the last layer, the class token's row alone."""

    map_BNN: Tensor | None = None
    block: PreNorm | None = None
    x_BND: Tensor | None = None
    row_BN: Tensor | None = None

    def row(self) -> Tensor:
        """The class token's row of the head-mean map, (B,N)."""
        if self.row_BN is not None:
            return self.row_BN
        if self.map_BNN is not None:
            return self.map_BNN[:, 0]
        return class_row(*self._project())

    def pull(self, r_BN: Tensor) -> Tensor:
        """r times the head-mean map, (B,N)."""
        if self.map_BNN is not None:
            return (r_BN.unsqueeze(1) @ self.map_BNN).squeeze(1)
        return apply_transposed(*self._project(), r_BN).mean(1)

    def _project(self) -> tuple[Tensor, Tensor]:
        assert self.block is not None
        assert self.x_BND is not None
        q_BHNE, k_BHNE, _ = _softmax(self.block).project(self.block.norm1(self.x_BND))
        return q_BHNE, k_BHNE


def class_row(q_BHNE: Tensor, k_BHNE: Tensor) -> Tensor:
    """Row 0 of the head-mean map, (B,N)."""
    return attention_map(q_BHNE[:, :, :1], k_BHNE).mean(1)[:, 0]


@torch.no_grad()
def rollout_row(layers: Sequence[Layer]) -> Tensor:
    """How much each position of the input contributes to the class token, (B,N): row 0 of prod_l (S_l / 2 + I / 2), section 2.2.

    Of the last layer its row 0 is all that is needed.
    """
    row_BN = layers[-1].row()
    first_BN = torch.cat([torch.ones_like(row_BN[:, :1]), torch.zeros_like(row_BN[:, 1:])], 1)
    return carry(first_BN, [*(layer.pull for layer in layers[:-1]), lambda _: row_BN])


class Passed(NamedTuple):
    tokens: list[Tensor]  # X_0 .. X_L, each (B,N,D)
    layers: list[Layer]
    keys: list[Keys]


def self_attention(blocks: Sequence[PreNorm], x_BND: Tensor, look: str, keep_keys: bool) -> Passed:
    """Plain attention through all blocks. look: "no", or what a Layer keeps: "maps" or "stream"."""
    tokens, layers, keys = [x_BND], [], []
    for i, block in enumerate(blocks):
        keep = "row" if look == "maps" and i == len(blocks) - 1 else look  # of the last layer's map its first row is all that is asked for
        x_BND = block.rest(x_BND, _attend(block, x_BND, keep, layers, keys if keep_keys else None))
        tokens.append(x_BND)
    return Passed(tokens, layers, keys)


def _attend(block: PreNorm, x_BND: Tensor, keep: str, layers: list[Layer], keys: list[Keys] | None) -> Tensor:
    """What attention adds; what is to be kept is appended. A function of its own: queries, keys and values are gone before the MLP
    takes its room."""
    attn = _softmax(block)
    q_BHNE, k_BHNE, v_BHNE = attn.project(block.norm1(x_BND))
    if keys is not None:
        keys.append((k_BHNE, v_BHNE))
    if keep == "maps":
        o_BHNE, map_BNN = _mapped(attn, q_BHNE, k_BHNE, v_BHNE)
        layers.append(Layer(map_BNN=map_BNN))
    else:
        o_BHNE = attn.answer(q_BHNE, k_BHNE, v_BHNE, None, False)
        if keep == "row":
            layers.append(Layer(row_BN=class_row(q_BHNE.detach(), k_BHNE.detach())))
        elif keep == "stream":
            layers.append(Layer(block=block, x_BND=x_BND.detach()))
    return attn.finish(o_BHNE)


def _mapped(attn: Softmax, q_BHNE: Tensor, k_BHNE: Tensor, v_BHNE: Tensor) -> tuple[Tensor, Tensor]:
    """(what the heads answer, their mean map). The map is the one before dropout (ours), and detached: else L maps stay alive."""
    if not (attn.attn_drop and attn.training):
        return mapped_attention(q_BHNE, k_BHNE, v_BHNE)
    p_BHNN = attention_map(q_BHNE, k_BHNE)
    return dropout(p_BHNN, attn.attn_drop).to(v_BHNE.dtype) @ v_BHNE, p_BHNN.detach().mean(1)


def pair_stream(
    blocks: Sequence[PreNorm], passed: Passed, last: int, extra: Callable[[int, Keys], Keys], watch: bool
) -> tuple[Tensor, Tensor | None]:
    """(tokens after the last block (B,N,D), share of attention that went to the extra keys in each of the last `last` blocks).

    extra(i, keys): the distractor's keys and values at block i; `keys` are this stream's own. The blocks before the last `last`
    are plain, so their result is taken from the plain stream. watch: False leaves the shares out; nothing else depends on it.
    """
    first = len(blocks) - last
    u_BND = passed.tokens[first]
    leakage: list[Tensor] = []
    for i in range(first, len(blocks)):
        block = blocks[i]
        attn = _softmax(block)
        q_BHNE, k_BHNE, v_BHNE = attn.project(block.norm1(u_BND))
        pair = (q_BHNE, k_BHNE, v_BHNE, *extra(i, (k_BHNE, v_BHNE)))
        o_BHNE, _ = paired_attention(*pair, need_own=False)
        if watch:
            with torch.no_grad():  # in a pass of its own: no bit of training may depend on whether one looks
                _, own_BHN = paired_attention(*pair)
            assert own_BHN is not None
            leakage.append(1 - own_BHN.mean())
        u_BND = block.rest(u_BND, attn.finish(o_BHNE))
    return u_BND, torch.stack(leakage) if watch else None


def _softmax(block: PreNorm) -> Softmax:
    assert isinstance(block.attn, Softmax)
    return block.attn
