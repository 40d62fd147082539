"""What can be chosen about a bag model and about mining hard instances; a choice that could not act is refused."""

from dataclasses import dataclass
from typing import Literal

from apps.base.idle import refuse_idle

__all__ = ["Consistency", "Host", "Mask", "Recycle", "Teacher"]


@dataclass(frozen=True)
class Host:
    """The model of a bag.

    Args:
        name: Mean or maximum of the instances, attention pooling (ab_mil), the critical instance's attention (ds_mil), or a
            transformer over the bag (trans_mil).
        dim: D, width of an embedded instance.
        hidden: Units of the attention network of ab_mil; by default a quarter of dim.
        gated: The gated form of ab_mil.
        act: Of ab_mil's attention network; the original's tanh, or the published MHIM code's relu.
        embed_act: After the embedding.
        dropout: Of the embedded instances, in training.
        clusters: Instances at each end of ab_mil's attention that a second loss separates (CLAM); 0 leaves it out.
        heads: Of trans_mil.
        landmarks: Of trans_mil's Nystrom attention; 0 is exact attention, whose memory grows with the square of the bag.
    """

    name: Literal["mean", "max", "ab_mil", "ds_mil", "trans_mil"] = "ab_mil"
    dim: int = 512
    hidden: int | None = None
    gated: bool = False
    act: Literal["tanh", "relu"] = "tanh"
    embed_act: Literal["relu", "gelu"] = "relu"
    dropout: float = 0.25
    clusters: int = 0
    heads: int = 8
    landmarks: int = 256

    def __post_init__(self) -> None:
        if self.name != "ab_mil" and (self.gated or self.hidden is not None or self.act != "tanh" or self.clusters):
            raise ValueError(f"host.name={self.name}: hidden, gated, act and clusters are options of ab_mil; leave them out")
        if self.name != "trans_mil" and (self.heads != 8 or self.landmarks != 256):
            raise ValueError(f"host.name={self.name}: heads and landmarks are options of trans_mil; leave them out")
        if self.dim < 1 or not 0 <= self.dropout < 1 or self.clusters < 0 or self.landmarks < 0:
            raise ValueError(
                f"host: dim={self.dim}, dropout={self.dropout}, clusters={self.clusters}, landmarks={self.landmarks} do not fit"
            )


@dataclass(frozen=True)
class Mask:
    """Which instances the student is not shown, all as shares of the bag (section 2.5). All 0: no mask.

    Args:
        random: R, dropped at random.
        low: L, dropped from the low end of the teacher's scores.
        high: H, dropped from the high end.
        high_random: Share of a pool, 1/high_random times as large, that is drawn from the high end at random; 1 is exactly the top.
        decay: How `high` falls to 0 over training.
        fusion: Of several heads' scores: each votes for its own top (vote), or gives an equal part of them (mean).
        count: Shares become counts by rounding half up, or by rounding up as in the published code (ceil).
        min_keep: Instances that are always kept.
        negatives: Mask bags of the first class, too.
        floor: Show the whole bag where the teacher gives the true class less than this on what is kept; 0 never does.
        score: What instances are ranked by: attention, or how clearly they speak for a class (class_prob); auto is attention, and for
            ds_mil the instance logits.
        score_class: With class_prob, the one class whose evidence counts; by default the clearest.
        whole_bag_weight: Weight of a second loss on the whole bag, one more pass.
    """

    random: float = 0.0
    low: float = 0.0
    high: float = 0.0
    high_random: float = 1.0
    decay: Literal["none", "cosine"] = "cosine"
    fusion: Literal["vote", "mean"] = "vote"
    count: Literal["round", "ceil"] = "round"
    min_keep: int = 1
    negatives: bool = True
    floor: float = 0.0
    score: Literal["auto", "attention", "class_prob"] = "auto"
    score_class: int | None = None
    whole_bag_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("random", "low", "high", "floor"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"mask.{name} is a share in [0, 1], not {getattr(self, name)}")
        if not 0 < self.high_random <= 1:
            raise ValueError(f"mask.high_random is in (0, 1], not {self.high_random}")
        if self.min_keep < 1:
            raise ValueError(f"mask.min_keep is at least 1, not {self.min_keep}: a bag of nothing has no answer")
        if self.high_random < 1 and not self.high:
            raise ValueError("mask.high_random draws from the high end: set mask.high, or leave it at 1")
        if self.score_class is not None and self.score != "class_prob":
            raise ValueError("mask.score_class is of mask.score=class_prob: set it, or leave score_class out")
        if not self.any:
            refuse_idle("mask", self, ("fusion", "min_keep", "negatives", "floor", "whole_bag_weight"), "random, low and high are 0")

    @property
    def any(self) -> bool:
        return bool(self.random or self.low or self.high)


@dataclass(frozen=True)
class Consistency:
    """How the student is tied to the teacher (section 2.6).

    Args:
        weight: alpha; 0 leaves it out.
        temp_teacher: Of the teacher's softmax.
        temp_student: Of the student's.
        on: The bag vectors, or the logits.
    """

    weight: float = 0.0
    temp_teacher: float = 0.1
    temp_student: float = 1.0
    on: Literal["bag", "logits"] = "bag"

    def __post_init__(self) -> None:
        if self.weight < 0 or self.temp_teacher <= 0 or self.temp_student <= 0:
            raise ValueError(
                f"consistency: weight={self.weight} is to be 0 or more, temperatures ({self.temp_teacher}, {self.temp_student}) above 0"
            )
        if not self.weight:
            refuse_idle("consistency", self, ("temp_teacher", "temp_student", "on"), "weight is 0")


@dataclass(frozen=True)
class Teacher:
    """Where the teacher comes from, and how it follows the student.

    Args:
        epochs: Epochs at the beginning in which the plain model is trained; its best by validation becomes the teacher.
        checkpoint: Or a checkpoint of an earlier run of the same split.
        momentum: m of the moving average; by default 1 - 1/(0.2 T) of the T steps that follow, within 0.99 and 0.9999.
        final: m at the last step, reached by a cosine; by default m stays.
        dropout: Leave the teacher's dropout on, as the published code does.
        student: Which of the teacher's weights the student begins with.
    """

    epochs: int = 0
    checkpoint: str | None = None
    momentum: float | None = None
    final: float | None = None
    dropout: bool = False
    student: Literal["embedding", "all", "none"] = "embedding"

    def __post_init__(self) -> None:
        for name in ("momentum", "final"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"teacher.{name} is in [0, 1], not {value}")
        if self.epochs < 0:
            raise ValueError(f"teacher.epochs is 0 or more, not {self.epochs}")
        if self.epochs and self.checkpoint is not None:
            raise ValueError("teacher.epochs trains a teacher and teacher.checkpoint brings one: give one of them")


@dataclass(frozen=True)
class Recycle:
    """Part of the kept instances is shown as a few summaries instead (section 2.7).

    Args:
        share: Of the kept instances, those that are summarised; 0 leaves it out.
        tokens: k, how many summaries.
        momentum: Of the moving average that the queries follow.
        test: Add the summaries, of the whole bag, in evaluation, too.
    """

    share: float = 0.0
    tokens: int = 1
    momentum: float = 0.9999
    test: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1 or self.tokens < 1 or not 0 <= self.momentum <= 1:
            raise ValueError(
                f"recycle: share={self.share} is in [0, 1), tokens={self.tokens} at least 1, momentum={self.momentum} in [0, 1]"
            )
        if not self.share:
            refuse_idle("recycle", self, ("tokens", "momentum", "test"), "share is 0")
