"""What can be chosen about the network that reads words; a choice that could not act is refused."""

from dataclasses import dataclass, fields
from typing import Any, Literal

__all__ = ["BY_COLUMNS", "SIZES", "STRIDES", "Ctc", "Decoder", "Locate", "Observe", "Quantize", "Size", "Verify", "Weights", "chosen"]


@dataclass(frozen=True)
class Size:
    """A row of table 2.6."""

    width: int
    pairs: int  # h, pairs of heads
    depth: int
    locate_layers: int
    verify_layers: int
    codes: int
    code_width: int
    dropout: float  # after the branches of all that follows the eyes


SIZES = {
    "nano": Size(64, 1, 2, 1, 1, 64, 16, 0.0),
    "tiny": Size(128, 2, 3, 1, 1, 128, 32, 0.1),
    "small": Size(192, 3, 6, 2, 1, 128, 32, 0.1),
    "base": Size(384, 6, 12, 2, 2, 256, 32, 0.1),
}
STRIDES = {"8x16": (4, 8), "4x32": (8, 4), "1x32": (32, 4)}  # pixels a token is high and wide
BY_COLUMNS = ("4x32", "1x32")  # with room for a word whose every column says one character


def _least(part: str, least: int, **numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < least:
            raise ValueError(f"{part}.{name} is at least {least}, not {number}")


def _share(part: str, **numbers: float | None) -> None:
    for name, number in numbers.items():
        if number is not None and not 0.0 <= number < 1.0:
            raise ValueError(f"{part}.{name} is in [0, 1), not {number}")


EARLIER = {"dropout": 0.1}  # what recipes from before the size said it have where nobody chose


def chosen(given: Any) -> dict[str, Any]:
    """By name, what somebody has set to other than what it is unsaid."""
    values = {field.name: (getattr(given, field.name), field.default) for field in fields(given)}
    return {name: value for name, (value, default) in values.items() if value not in (default, EARLIER.get(name, default))}


def _inert(part: str, given: Any, kept: set[str], why: str) -> None:
    """Refuse what was set and would be ignored."""
    for name, value in chosen(given).items():
        if name not in kept:
            raise ValueError(f"{part}.{name}={value}: {why}; leave it out")


@dataclass(frozen=True)
class Observe:
    """The eyes (2.1, 2.2): stem and encoder, the same for all readers.

    Args:
        size: A row of the table of sizes; what is given below replaces its numbers.
        dim: Width of every token.
        pairs: Of heads: one differential head, two plain ones.
        depth: Blocks. With attention=dual three quarters of them, rounded, for as many weights.
        stem: Three strided convolutions, or one linear map of each patch.
        grid: Tokens of a picture of 32x128, rows x columns. 1x32: each is a column of the picture, which the stem has seen from top to
            bottom; letters are learned in a fraction of the steps, and how high one stands nobody can say (ours).
        pos: Learned positions, or fixed waves for rows and columns.
        attention: The maps of the blocks. dual: plain attention, then differential; differential_shared: lambda is not learned.
            null: differential, for reader=parseq softmax.
        macaron: Half a feed-forward step before the attention and half a step after it; null: yes, for reader=parseq no.
        height, width: Of a picture, in pixels.
        padded: Pictures keep their shape; columns that are NaN are no picture, and nobody looks at them.
        boxes: Weight of a loss by which the tokens in a letter's true box say that letter, before anybody knows where to look. Made words
            alone know their boxes (ours).
    """

    size: Literal["nano", "tiny", "small", "base"] = "nano"
    dim: int | None = None
    pairs: int | None = None
    depth: int | None = None
    stem: Literal["conv", "patch"] = "conv"
    grid: Literal["8x16", "4x32", "1x32"] = "8x16"
    pos: Literal["learned", "sincos2d"] = "learned"
    attention: Literal["differential", "softmax", "dual", "differential_shared"] | None = None
    macaron: bool | None = None
    height: int = 32
    width: int = 128
    padded: bool = False
    boxes: float = 0.0

    def __post_init__(self) -> None:
        if self.boxes < 0:
            raise ValueError(f"observe.boxes is 0 or more, not {self.boxes}")
        if self.grid == "1x32" and self.stem == "patch":
            raise ValueError("observe.stem=patch sees strokes, not columns: grid=1x32 goes with stem=conv")
        _least("observe", 1, dim=self.dim, pairs=self.pairs, depth=self.depth)
        high, wide = STRIDES[self.grid]
        if self.height < high or self.width < wide or self.height % high or self.width % wide:
            raise ValueError(
                f"observe.height={self.height} and observe.width={self.width}: with grid={self.grid} a token is {high}x{wide} pixels, "
                "and a picture is whole tokens"
            )
        if self.attention == "dual" and self.macaron is False:
            raise ValueError("observe.macaron=false: attention=dual stands between two half steps; leave macaron out")
        if self.d % (4 * self.h):
            raise ValueError(f"observe.dim={self.d} does not divide by 4 x pairs={self.h}; a head is of an even width")

    @property
    def row(self) -> Size:
        return SIZES[self.size]

    @property
    def d(self) -> int:
        """Width of every token."""
        return self.dim or self.row.width

    @property
    def h(self) -> int:
        """Pairs of heads."""
        return self.pairs or self.row.pairs

    @property
    def blocks(self) -> int:
        return self.depth or self.row.depth

    def dropped(self, dropout: float | None) -> float:
        return self.row.dropout if dropout is None else dropout

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        high, wide = STRIDES[self.grid]
        return self.height // high, self.width // wide


@dataclass(frozen=True)
class Locate:
    """Where each character is (2.3, PAM).

    Args:
        layers: null: as the size says.
        attention: Of the slots to the picture.
        sampling: attend, or deform: four points beside the slot's mean position are read, too.
        dropout: After each branch; null: as the size says.
    """

    layers: int | None = None
    attention: Literal["softmax", "differential"] = "softmax"
    sampling: Literal["attend", "deform"] = "attend"
    dropout: float | None = None

    def __post_init__(self) -> None:
        _least("locate", 1, layers=self.layers)
        _share("locate", dropout=self.dropout)


@dataclass(frozen=True)
class Quantize:
    """Which glyph it is (2.4, SQ).

    Args:
        assign: How a code is chosen; none: no codes, one linear layer instead.
        codes, code_width: null: as the size says.
        groups: Codes a slot, each of a share of code_width.
        beta: Weight of the commitment (ema, nearest).
        decay: Of the running counts (ema, nearest: there for revival alone).
        kmeans: The first valid slots say where codes begin (ema, nearest).
        revive: Codes that nobody chooses move to a slot of the batch (ema, nearest).
        temperature: At the start; 0.5 from 60 % of the steps on (gumbel).
        begin: Share of the training from which on glyphs are learned; before it places alone.
    """

    assign: Literal["ema", "nearest", "gumbel", "none"] = "ema"
    codes: int | None = None
    code_width: int | None = None
    groups: int = 1
    beta: float = 0.25
    decay: float = 0.99
    kmeans: bool = True
    revive: bool = True
    temperature: float = 2.0
    begin: float = 0.0

    def __post_init__(self) -> None:
        _least("quantize", 2, codes=self.codes)
        _least("quantize", 1, groups=self.groups, code_width=self.code_width)
        _share("quantize", decay=self.decay, begin=self.begin)
        if self.beta < 0:
            raise ValueError(f"quantize.beta is 0 or more, not {self.beta}")
        if self.temperature < 0.5:
            raise ValueError(f"quantize.temperature is at least 0.5, where it ends, not {self.temperature}")
        if self.assign == "none":
            _inert("quantize", self, {"assign", "begin"}, "assign=none has no codes")
        elif self.assign == "gumbel":
            kept = {"assign", "codes", "code_width", "groups", "temperature", "begin"}
            _inert("quantize", self, kept, "assign=gumbel learns its codes by gradient")
        else:
            _inert("quantize", self, set(vars(self)) - {"temperature"}, f"it belongs to assign=gumbel, not to {self.assign}")


@dataclass(frozen=True)
class Verify:
    """The spelling (2.5, MMCV).

    Args:
        head: full: corrects and judges; cloze: corrects only; none: the word is what place and glyph say together.
        layers: null: as the size says.
        modalities: What a slot may look at besides its place and its glyph.
        iterations: K, of the refinement when reading.
        refine: Replace a character only where it is judged wrong (verified), or everywhere (replace).
        verify_threshold: Below this probability of being right a character is judged wrong (refine=verified).
        replace_threshold: And is replaced if the new one's probability is above this (refine=verified).
        corrupt_rate: Most characters of a hypothesis that training spoils.
        own_hypothesis: Share of hypotheses that are the model's own.
        shift_rate: Share of spoilt hypotheses with a character too many or too few.
        dropout: After each branch; null: as the size says.
        begin: Share of the training from which on spelling is learned; not before glyphs are.
    """

    head: Literal["full", "cloze", "none"] = "full"
    layers: int | None = None
    modalities: tuple[Literal["visual", "semantic", "character"], ...] = ("character", "visual", "semantic")
    iterations: int = 1
    refine: Literal["verified", "replace"] | None = None
    verify_threshold: float = 0.5
    replace_threshold: float = 0.0
    corrupt_rate: float = 0.3
    own_hypothesis: float = 0.4
    shift_rate: float = 0.15
    dropout: float | None = None
    begin: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(self.modalities))  # a recipe gives a list
        if self.head == "none":
            _inert("verify", self, {"head", "iterations"}, "head=none has nobody who could")
            return
        _least("verify", 1, layers=self.layers)
        if not 0 <= self.iterations <= 5:
            raise ValueError(f"verify.iterations is 0 to 5, not {self.iterations}")
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ValueError(f"verify.modalities names one or more of visual, semantic, character, each once, not {list(self.modalities)}")
        _share("verify", dropout=self.dropout, begin=self.begin)
        for name in ("verify_threshold", "replace_threshold", "corrupt_rate", "own_hypothesis", "shift_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"verify.{name} is in [0, 1], not {getattr(self, name)}")
        if self.head == "cloze" and self.refine == "verified":
            raise ValueError("verify.refine=verified: head=cloze judges nothing; take refine=replace or head=full")
        if self.refinement == "replace":
            for name, standard in (("verify_threshold", 0.5), ("replace_threshold", 0.0)):
                if getattr(self, name) != standard:
                    raise ValueError(f"verify.{name} belongs to refine=verified, and everything is replaced; leave it out")

    @property
    def refinement(self) -> str:
        return self.refine or ("replace" if self.head == "cloze" else "verified")

    @property
    def rounds(self) -> int:
        """K, and 0 where nobody refines."""
        return 0 if self.head == "none" else self.iterations


@dataclass(frozen=True)
class Weights:
    """Of the losses (section 3); what a model does not have is not weighed.

    Args:
        ctc: Of a CTC loss on the columns of the encoder; it needs observe.grid=4x32 or 1x32, which have room for words.
    """

    position: float = 1.0
    semantic: float = 0.5
    fused: float = 1.0
    verify: float = 0.2
    diversity: float = 0.1
    align: float = 0.1
    ctc: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"weights.{name} is 0 or more, not {value}")


@dataclass(frozen=True)
class Ctc:
    """The reader by columns (2.7).

    Args:
        encoder: As the other readers', or two recurrent layers behind the stem.
        hidden: Of each direction of the recurrent layers.
    """

    encoder: Literal["dame", "lstm"] = "dame"
    hidden: int = 256

    def __post_init__(self) -> None:
        _least("ctc", 1, hidden=self.hidden)
        if self.encoder == "dame" and self.hidden != 256:
            raise ValueError(f"ctc.hidden={self.hidden} belongs to ctc.encoder=lstm; leave it out")


@dataclass(frozen=True)
class Decoder:
    """The reader that spells letter by letter (2.7).

    Args:
        permutations: Orders of spelling that a training step takes: forward, backward, and random ones with their reverses.
        autoregressive: Letter after letter, or all at once.
        refine: Rounds in which each letter is read anew beside all others.
        dropout: In the decoder; null: as the size says.
    """

    permutations: int = 6
    autoregressive: bool = True
    refine: int = 1
    dropout: float | None = None

    def __post_init__(self) -> None:
        if self.permutations < 2 or self.permutations % 2:
            raise ValueError(f"decoder.permutations come with their reverses: an even number from 2 on, not {self.permutations}")
        if not 0 <= self.refine <= 5:
            raise ValueError(f"decoder.refine is 0 to 5, not {self.refine}")
        _share("decoder", dropout=self.dropout)
