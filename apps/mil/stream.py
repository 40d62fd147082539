"""Bags too large to embed at once: some thousand instances at a time are embedded and pooled, and what came of each part is put together.

The mean under a softmax is put together exactly: parts weigh as the exponentials of their log-sum-exps. For the gradient a part is
computed again, its dropout included, so a bag of a million instances costs the memory of its features and of one part.

Shapes: T instances of all bags, C of a part, S bags, P parts, F features, D width, L outputs.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from apps.mil.hosts.output import BagOutput
from apps.mil.hosts.pooled import Pooled
from core_attention.functional import segment_attend
from core_attention.segments import Segments
from kernels.dispatch import is_tracing
from kernels.ragged import segment_of

__all__ = ["LARGE", "PART", "stream", "streams"]

LARGE = 65_536  # instances of a batch from which on it is worth it
PART = 4096


class Part(NamedTuple):
    bag_SD: Tensor
    lse_S: Tensor  # -inf where a bag has no instance in this part
    scores_C1: Tensor | None  # where they are asked for
    instance_CL: Tensor | None


def streams(host: nn.Module, x_TF: Tensor) -> bool:
    """A program that is being exported keeps no loop over its example's length."""
    if is_tracing() or torch.compiler.is_compiling():
        return False
    return isinstance(host, Pooled) and host.name != "max" and len(x_TF) > LARGE


def stream(embed: nn.Module, host: Pooled, x_TF: Tensor, segments: Segments, detail: bool = False, size: int = PART) -> BagOutput:
    """What `host(embed(x), segments, detail)` gives."""

    def part(x_CF: Tensor, offsets: Tensor) -> Part:
        z_CD = embed(x_CF)
        scores_C1 = host.scores(z_CD)
        bag_S1D, lse_S1 = segment_attend(z_CD, scores_C1, offsets)
        said = (scores_C1, host.head(z_CD)) if detail else (None, None)
        return Part(bag_S1D.squeeze(1), lse_S1.squeeze(1), *said)

    starts = range(0, len(x_TF), size)
    cuts = [(x_TF[at : at + size], (segments.offsets - at).clamp(0, min(size, len(x_TF) - at))) for at in starts]
    again = torch.is_grad_enabled()
    parts = [Part(*checkpoint(part, *cut, use_reentrant=False)) if again else part(*cut) for cut in cuts]  # type: ignore[misc]
    lse_PS = torch.stack([found.lse_S for found in parts])
    bag_SD = (lse_PS.softmax(0).unsqueeze(-1) * torch.stack([found.bag_SD for found in parts])).sum(0).to(parts[0].bag_SD.dtype)
    logits_SL = host.head(bag_SD)
    if not detail:
        return BagOutput(logits_SL, bag_SD.unsqueeze(1))
    scores_T1 = torch.cat([found.scores_C1 for found in parts if found.scores_C1 is not None])
    instance_TL = torch.cat([found.instance_CL for found in parts if found.instance_CL is not None])
    attention_T1 = (scores_T1 - lse_PS.logsumexp(0)[segment_of(scores_T1[:, 0], segments.offsets)].unsqueeze(1)).exp()
    # the head of a z is a (head of z): without its bias linear
    evidence_TL = attention_T1.to(instance_TL.dtype) * (instance_TL - host.head.bias) + host.head.bias
    return BagOutput(logits_SL, bag_SD.unsqueeze(1), None, attention_T1, evidence_TL, instance_TL)
