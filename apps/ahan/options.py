"""What can be chosen about the three streams, the twin's keys and the losses; a choice that could not act is refused."""

from dataclasses import dataclass
from math import pi
from typing import Literal

from apps.base.idle import refuse_idle

__all__ = ["Faam", "Hca", "Losses", "Stream", "Streams", "Tapwca"]

Stream = Literal["global", "hca", "faam"]
ORDER = ("global", "hca", "faam")


@dataclass(frozen=True)
class Streams:
    """Which streams there are, what they read and how they are joined (sections 2.1 and 2.5).

    Args:
        use: Any of global, hca and faam; one that is left out is not built.
        boxes: Where hca's regions lie: fixed places of the aligned face (template), the boxes that come with each image (landmarks),
            or the controls: quarters of the frame (grid), the frame (full).
        tap: The block of the trunk whose tokens hca and faam read; -1 is the last.
        pool: The global vector: the class token, or the mean of the patches.
        pos_embed: mirror_tied gives a place and its mirror image one position vector.
        fusion: One linear map of all streams (concat), or one of each, weighed by a learned gate (gated).
    """

    use: tuple[Stream, ...] = ORDER
    boxes: Literal["template", "landmarks", "grid", "full"] = "template"
    tap: int = -1
    pool: Literal["cls", "mean"] = "cls"
    pos_embed: Literal["free", "mirror_tied"] = "free"
    fusion: Literal["concat", "gated"] = "concat"

    def __post_init__(self) -> None:
        if not self.use or len(set(self.use)) != len(self.use) or set(self.use) - set(ORDER):
            raise ValueError(f"streams.use is one or more of {', '.join(ORDER)}, each once, not {list(self.use)}")
        if self.boxes != "template" and "hca" not in self.use:
            raise ValueError(f"streams.boxes={self.boxes} is of hca: add it to streams.use, or leave boxes out")
        if self.pool != "cls" and "global" not in self.use:
            raise ValueError(f"streams.pool={self.pool} is of the global stream: add it to streams.use, or leave pool out")
        if self.tap != -1 and set(self.use) == {"global"}:
            raise ValueError(f"streams.tap={self.tap} is what hca and faam read: add one of them to streams.use, or leave tap out")
        if self.tap != -1 and "global" not in self.use:
            raise ValueError(f"streams.tap={self.tap}: without the global stream nothing reads the blocks behind; build a shallower trunk")
        if self.fusion == "gated" and len(self.use) == 1:
            raise ValueError("streams.fusion=gated: one stream has nothing to be weighed against; use concat")


@dataclass(frozen=True)
class Hca:
    """Cross-attention of face regions to the whole face, at several scales (section 2.2).

    Args:
        preset: Down-sample the region and keep the context whole (roi), or down-sample the whole map (pyramid).
        share: Attention weights of their own for each region and scale (none), for each scale (scale), or one for all.
        regions: Of the template.
        scales: How much smaller; with roi each must divide 4, the side of a region.
        scale_weight: Learned by region and softmax-normalised, uniform, or fixed numbers that sum to 1.
    """

    preset: Literal["roi", "pyramid"] = "roi"
    share: Literal["none", "scale", "all"] = "none"
    regions: tuple[str, ...] = ("eyes", "nose", "mouth", "jaw")
    scales: tuple[int, ...] = (1, 2, 4)
    scale_weight: Literal["learned", "uniform"] | tuple[float, ...] = "learned"

    def __post_init__(self) -> None:
        if not self.regions or len(set(self.regions)) != len(self.regions):
            raise ValueError(f"hca.regions is one name or more, each once, not {list(self.regions)}")
        if not self.scales or min(self.scales) < 1 or len(set(self.scales)) != len(self.scales):
            raise ValueError(f"hca.scales is one whole number or more from 1 up, each once, not {list(self.scales)}")
        if isinstance(self.scale_weight, str):
            return
        weights = self.scale_weight
        if len(weights) != len(self.scales) or min(weights) < 0 or abs(sum(weights) - 1) > 1e-6:
            raise ValueError(f"hca.scale_weight is {len(self.scales)} shares that sum to 1, one a scale, not {list(weights)}")


@dataclass(frozen=True)
class Faam:
    """Attention between the left half of the face and the mirrored right half (section 2.3).

    Args:
        mode: What is kept of the difference: its size (abs), its sign by place (signed), or both. Only the sign tells mirror twins apart.
        align: The right half is mirrored, or for control it is not (none).
        direction: Both halves ask; or only the left does, and its difference is to itself (l2r; mode abs).
        position: One learned vector for each place and its counterpart (shared), or none.
        window: Attend within so many rows and columns of the counterpart; by default everywhere.
    """

    mode: Literal["both", "abs", "signed"] = "both"
    align: Literal["mirror", "none"] = "mirror"
    direction: Literal["both", "l2r"] = "both"
    position: Literal["shared", "none"] = "shared"
    window: int | None = None

    def __post_init__(self) -> None:
        if self.direction == "l2r" and self.mode != "abs":
            raise ValueError(f"faam.direction=l2r has a size and no sign: use mode=abs, not {self.mode}")
        if self.window is not None and self.window < 0:
            raise ValueError(f"faam.window is 0 or more rows and columns, not {self.window}")


@dataclass(frozen=True)
class Tapwca:
    """Twin-aware pair-wise attention, in training only: an image also sees the keys of its twin (section 2.4).

    Args:
        partner: Whose keys: the twin's, any other person's (random), the nearest other person's by the embedding (hard), the own ones
            (self, which changes nothing), or nobody's (none).
        p: How often.
        layers: Blocks, counted from 1; auto is 6 to 9 of 12 and in proportion.
        mode: In the one pass there is (replace), or in a second pass that has a loss of its own (branch).
        branch_weight: Of the second pass's loss.
        draw: Whether it is on: one draw a step, a layer or a sample.
        detach: Stop the gradient into the partner.
    """

    partner: Literal["twin", "random", "hard", "self", "none"] = "twin"
    p: float = 0.5
    layers: Literal["auto"] | tuple[int, ...] = "auto"
    mode: Literal["replace", "branch"] = "replace"
    branch_weight: float = 0.5
    draw: Literal["step", "layer", "sample"] = "step"
    detach: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"tapwca.p is in [0, 1], not {self.p}")
        if not isinstance(self.layers, str) and (not self.layers or len(set(self.layers)) != len(self.layers)):
            raise ValueError(f"tapwca.layers is auto, or one block or more, each once, not {list(self.layers)}")
        if self.branch_weight <= 0:
            raise ValueError(f"tapwca.branch_weight is above 0, not {self.branch_weight}; partner=none leaves the branch out")
        if self.mode == "replace" and self.branch_weight != 0.5:
            raise ValueError("tapwca.branch_weight is of mode=branch: set it, or leave branch_weight out")
        if not self.any:
            refuse_idle("tapwca", self, ("layers", "mode", "draw", "detach"), "partner is none or p is 0")

    @property
    def any(self) -> bool:
        return self.partner != "none" and self.p > 0

    def of(self, depth: int) -> tuple[int, ...]:
        """Indices, from 0, of the blocks of a trunk of this depth."""
        if not self.any:
            return ()
        if self.layers == "auto":  # ours, beyond depth 12
            return tuple(range(5 * depth // 12, 9 * depth // 12)) or (depth - 1,)
        layers = tuple(sorted(int(layer) for layer in self.layers))
        if layers[0] < 1 or layers[-1] > depth:
            raise ValueError(f"tapwca.layers={list(layers)}, but the trunk has blocks 1 to {depth}")
        return tuple(layer - 1 for layer in layers)


@dataclass(frozen=True)
class Losses:
    """What is learned from (section 3).

    Args:
        arc: Weight of ArcFace.
        s: Its scale.
        m: Its margin, in radians.
        warmup: Share of training over which the margin grows from 0.
        contrastive: Weight of the supervised contrastive loss; 0 leaves it out.
        tau: Its temperature.
        triplet: Weight of the triplet loss; 0 leaves it out.
        triplet_margin: Of cosine distances.
        triplet_negative: The mean of two terms, nearest twin and nearest other person (twin_or_hard); the nearest of all (hard); or
            any one (random).
        aux: Weight of an ArcFace loss on each stream alone; 0 leaves it out.
    """

    arc: float = 1.0
    s: float = 64.0
    m: float = 0.5
    warmup: float = 0.0
    contrastive: float = 0.0
    tau: float = 0.1
    triplet: float = 0.1
    triplet_margin: float = 0.5
    triplet_negative: Literal["twin_or_hard", "hard", "random"] = "twin_or_hard"
    aux: float = 0.0

    def __post_init__(self) -> None:
        for name in ("arc", "contrastive", "triplet", "aux"):
            if getattr(self, name) < 0:
                raise ValueError(f"loss.{name} is a weight from 0 up, not {getattr(self, name)}")
        if not self.arc + self.contrastive + self.triplet + self.aux:
            raise ValueError("loss: all weights are 0; nothing would be learned")
        if self.s <= 0 or self.tau <= 0 or not 0 <= self.m < pi / 2 or not 0 <= self.warmup <= 1 or not 0 < self.triplet_margin <= 2:
            raise ValueError(
                f"loss: s={self.s} and tau={self.tau} are above 0, m={self.m} in [0, pi/2), warmup={self.warmup} in [0, 1], "
                f"triplet_margin={self.triplet_margin} in (0, 2]"
            )
        if self.warmup and not self.m:
            raise ValueError("loss.warmup: a margin of 0 has nothing to grow to; set m, or leave warmup out")
        if not self.arc and not self.aux:
            refuse_idle("loss", self, ("s", "m", "warmup"), "arc and aux are 0")
        if not self.contrastive:
            refuse_idle("loss", self, ("tau",), "contrastive is 0")
        if not self.triplet:
            refuse_idle("loss", self, ("triplet_margin", "triplet_negative"), "triplet is 0")
