"""What is minimised besides the bag's own loss.

Shapes: T instances of all bags, S bags, D width, C classes, K rows of a bag's matrix.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from apps.mil.hosts import BagOutput
from apps.mil.options import Consistency
from apps.mil.ranks import rank_within, sizes
from core_attention.segments import Segments
from kernels.ragged import segment_of

__all__ = ["bag_loss", "clusters", "consistency"]


def bag_loss(output: BagOutput, label_S: Tensor, weights_C: Tensor | None = None) -> Tensor:
    """Cross-entropy; with a second opinion the mean of both (DSMIL)."""
    loss = cross_entropy(output.logits, label_S, weights_C)
    return loss if output.extra is None else (loss + cross_entropy(output.extra, label_S, weights_C)) / 2


def consistency(teacher: BagOutput, student: BagOutput, options: Consistency) -> tuple[Tensor, Tensor]:
    """(cross-entropy H(teacher, student), the teacher's entropy below which it cannot fall), means over bags (section 2.6)."""
    mine, theirs = (teacher.bag, student.bag) if options.on == "bag" else (teacher.logits, student.logits)
    target = (mine.detach() / options.temp_teacher).log_softmax(-1)
    cross = -(target.exp() * (theirs / options.temp_student).log_softmax(-1)).sum(-1)
    entropy = -(target.exp() * target).sum(-1)
    return cross.mean(), entropy.mean()


def clusters(attention_T1: Tensor, instance_TC: Tensor, segments: Segments, label_S: Tensor, many: int) -> Tensor:
    """CLAM's idea: the most attended instances of a bag speak for its class, the least attended ones do not.

    # ours: binary cross-entropy of the class's own logit on both ends, of the other classes' on the top, instead of a smooth SVM on
    # classifiers of their own.
    """
    segment_T = segment_of(attention_T1[:, 0], segments.offsets)
    half_S = torch.clamp(sizes(segments.offsets) // 2, max=many)  # the ends must not meet
    rank_T = rank_within(segment_T, segments.offsets, attention_T1[:, 0].detach())
    top_T = rank_T < half_S[segment_T]
    bottom_T = rank_T >= (sizes(segments.offsets) - half_S)[segment_T]
    own_TC = torch.nn.functional.one_hot(label_S, instance_TC.shape[1])[segment_T].bool()
    target_TC = (own_TC & top_T.unsqueeze(1)).to(instance_TC.dtype)
    counted_TC = top_T.unsqueeze(1) | (bottom_T.unsqueeze(1) & own_TC)
    each_TC = torch.nn.functional.binary_cross_entropy_with_logits(instance_TC, target_TC, reduction="none")
    return (each_TC * counted_TC).sum() / counted_TC.sum().clamp(min=1)
