"""Masked hard instance mining: a teacher says which instances are easy, the student must do without them (sections 2.5-2.7).

The student is a plain bag model, and all of it that is left after training.

Shapes: T instances of all bags, S bags, F features, D width, C outputs, K rows of a bag's matrix, H heads.
"""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from apps.mil.hosts import BagOutput
from apps.mil.masking import Drops, build_mask, kept
from apps.mil.model import BagModel, reset
from apps.mil.options import Mask, Recycle, Teacher
from apps.mil.recycle import RecycleNet
from core_attention.segments import Segments
from kernels.ragged import segment_of

__all__ = ["Mhim", "MhimOutput"]


class MhimOutput(NamedTuple):
    student: BagOutput  # of what the student was shown
    whole: BagOutput | None = None  # of the whole bag, where that is a second loss
    teacher: BagOutput | None = None
    drops: Drops | None = None
    skipped: Tensor | None = None  # (S,) bool: shown whole because too little was left of its class


class Mhim(nn.Module):
    """Student and teacher. While `mining` is 0 the student trains as the plain model; `begin` makes a teacher of it.

    All of its state, the teacher and the phase included, is parameters and buffers: a checkpoint holds it.
    """

    mining: Tensor
    best: Tensor
    fresh: Tensor

    def __init__(
        self,
        student: BagModel,
        mask: Mask | None = None,
        recycle: Recycle | None = None,
        with_teacher: bool = True,
        teacher: Teacher | None = None,
        dim: int | None = None,
        answers: str = "student",
    ) -> None:
        super().__init__()
        mask, recycle = mask or Mask(), recycle or Recycle()
        self.mask, self.recycle_options, self.options = mask, recycle, teacher or Teacher()
        self.student = student
        self.teacher = copy.deepcopy(student).requires_grad_(False) if with_teacher else None
        self.answers = answers
        if self.teacher is None and (mask.any or recycle.share or answers == "teacher"):
            raise ValueError("mask, recycle and weights=teacher need a teacher: set teacher.epochs or teacher.checkpoint")
        self.recycle = RecycleNet(dim or student.embed[0].out_features, recycle) if recycle.share else None  # type: ignore[arg-type]
        self.register_buffer("mining", torch.zeros((), dtype=torch.bool))
        self.register_buffer("best", torch.full((), -torch.inf))  # validation score of the teacher, while one is looked for
        self.register_buffer("fresh", torch.randint(2**31, ()))  # seed of the student's second beginning
        self.train()

    def train(self, mode: bool = True) -> "Mhim":
        super().train(mode)
        if self.teacher is not None and not self.options.dropout:
            self.teacher.eval()  # ours: a ranking should not be noisy by accident
        return self

    def forward(
        self,
        x_TF: Tensor,
        segments: Segments,
        noise_T3: Tensor | None = None,
        label_S: Tensor | None = None,
        high: float = 0.0,
        detail: bool = False,
    ) -> MhimOutput:
        """noise: in training. high: h_t. label: where negative bags stay whole, or a floor is set."""
        if not (self.training and bool(self.mining)) or self.teacher is None:
            return MhimOutput(self.answer(x_TF, segments, detail))
        assert noise_T3 is not None
        with torch.no_grad():
            taught = self.teacher(x_TF, segments, detail=True)
        drops, skipped = None, None
        keep_T = torch.ones_like(x_TF[:, 0], dtype=torch.bool)
        if self.mask.any:
            drops = build_mask(self.scores(taught), noise_T3, segments.offsets, self.mask, high, self._active(label_S))
            keep_T = drops.keep
            if self.mask.floor:
                skipped = self._hopeless(x_TF, segments, keep_T, label_S)
                keep_T = keep_T | skipped[segment_of(keep_T, segments.offsets)]
                drops = drops._replace(keep=keep_T)
        shown_TF, shown = kept(x_TF, segments, keep_T) if self.mask.any else (x_TF, segments)
        if self.recycle is None:
            output = self.student(shown_TF, shown)
        else:
            output = self.student.host(*self.recycle(self.student.embed(shown_TF), shown, noise_T3[keep_T, 2]), False)
        whole = self.student(x_TF, segments) if self.mask.whole_bag_weight else None
        return MhimOutput(output, whole, taught, drops, skipped)

    def answer(self, x_TF: Tensor, segments: Segments, detail: bool = False) -> BagOutput:
        """The plain model on the whole bag: what is evaluated and exported."""
        if self.answers == "teacher" and self.teacher is not None:
            return self.teacher(x_TF, segments, detail)
        if self.recycle is not None and self.recycle_options.test and not self.training:
            z_TD = self.student.embed(x_TF)
            tokens_MD, more = self.recycle.append(z_TD, segments, z_TD, segments)
            answered = self.student.host(tokens_MD, more, False)
            return answered if not detail else self.student(x_TF, segments, True)._replace(logits=answered.logits, bag=answered.bag)
        return self.student(x_TF, segments, detail)

    def scores(self, taught: BagOutput) -> Tensor:
        """(T,H): by what the mask ranks instances."""
        assert taught.attention is not None
        assert taught.evidence is not None
        kind = self.mask.score
        if kind == "attention" or (kind == "auto" and taught.extra is None):
            return taught.attention if taught.extra is None else taught.attention.amax(1, keepdim=True)
        if kind == "auto":  # DSMIL
            return taught.evidence.amax(1, keepdim=True)
        probs_TC = taught.evidence.softmax(-1)
        if self.mask.score_class is None:
            return probs_TC.amax(1, keepdim=True)
        return probs_TC[:, self.mask.score_class : self.mask.score_class + 1]

    def _active(self, label_S: Tensor | None) -> Tensor | None:
        if self.mask.negatives:
            return None
        assert label_S is not None
        return label_S != 0

    def _hopeless(self, x_TF: Tensor, segments: Segments, keep_T: Tensor, label_S: Tensor | None) -> Tensor:
        assert label_S is not None
        assert self.teacher is not None
        with torch.no_grad():
            probs_SC = self.teacher(*kept(x_TF, segments, keep_T)).probs()
        return probs_SC.gather(1, label_S.unsqueeze(1)).squeeze(1) < self.mask.floor

    # --- the teacher ---------------------------------------------------------------------------------------------

    @torch.no_grad()
    def offer(self, score: float) -> bool:
        """While the plain model is trained: keep the student as teacher where it is the best so far (a later equal one counts)."""
        assert self.teacher is not None
        if not score >= float(self.best):
            return False
        self.best.fill_(score)
        self.teacher.load_state_dict(self.student.state_dict())
        return True

    @torch.no_grad()
    def begin(self) -> None:
        """From the plain model to mining: the student begins anew with what `teacher.student` leaves it."""
        assert self.teacher is not None
        given = self.options.student
        if given == "all":
            self.student.load_state_dict(self.teacher.state_dict())
        else:
            reset(self.student, int(self.fresh))
            if given == "embedding":
                self.student.embed.load_state_dict(self.teacher.embed.state_dict())
        self.mining.fill_(True)

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """teacher <- m teacher + (1 - m) student; buffers are copied."""
        assert self.teacher is not None
        old: list[Tensor] = list(self.teacher.parameters())
        new: list[Tensor] = list(self.student.parameters())
        torch._foreach_lerp_(old, new, 1 - momentum)  # pyright: ignore[reportPrivateImportUsage]
        for mine, theirs in zip(self.teacher.buffers(), self.student.buffers(), strict=True):
            mine.copy_(theirs)

    @torch.no_grad()
    def distance(self) -> Tensor:
        """Between teacher and student, relative to the student."""
        assert self.teacher is not None
        pairs = list(zip(self.teacher.parameters(), self.student.parameters(), strict=True))
        far = torch.stack([(a - b).square().sum() for a, b in pairs]).sum().sqrt()
        return far / torch.stack([b.square().sum() for _, b in pairs]).sum().sqrt().clamp(min=1e-12)
