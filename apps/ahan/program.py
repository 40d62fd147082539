"""The exported programs: from an aligned face to a vector of length 1, whose cosine says how alike two faces are (section 4.5).

What is the training's alone stays behind: partners, centres of people. Points to frame, and the decision, are the product's.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Dict  # noqa: UP035 - TorchScript reads typing's Dict

import torch
from torch import Tensor, nn

from apps.ahan.model import Ahan, AhanOutput
from apps.base.fingerprint import fingerprint as fingerprint_of
from apps.base.program import BATCHES, Call, Program
from datamodules.ahan.framing import frame, solve
from datamodules.ahan.template import ALIGNER, template
from datamodules.preprocess import Preprocess

__all__ = ["Embed", "EmbedRegions", "fingerprint"]


SIDES = (48, 64, 61, 5, 203)  # of the aligned faces that parity makes ready
SCALES = (0.7, 1.0, 1.6, 3.0, 5.0)  # of the faces that parity aligns: enlarged, as they are, reduced by areas


class Streams(nn.Module):
    """The model with its outputs in a dict: a NamedTuple cannot be saved. A stream that there is not is absent."""

    def __init__(self, model: Ahan) -> None:
        super().__init__()
        self.model = model

    def forward(self, x_BCHW: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        return self._named(self.model(x_BCHW))

    def _named(self, output: AhanOutput) -> dict[str, Tensor]:
        named = {"embedding": output.embedding, "global": output.global_, "asymmetry": output.asymmetry, "differs": output.differs}
        if output.regions is not None:
            assert self.model.hca is not None
            named["regions"] = output.regions.unflatten(1, (len(self.model.hca.options.regions), -1))
        return {name: value for name, value in named.items() if value is not None}


class BoxedStreams(Streams):
    def forward(self, x_BCHW: Tensor, boxes_BR4: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        return self._named(self.model(x_BCHW, boxes_BR4))


class Embed(Program):
    """A face, aligned, to its embedding and what it was made of. The boxes of the regions are those of the template.

    size: of the frame; licence: of the pictures, whose terms the weights carry.
    """

    also: ClassVar[tuple[str, ...]] = ("compare", "align")
    template: Tensor

    def __init__(self, model: Ahan, licence: str, examples: Sequence[Tensor]) -> None:
        super().__init__()
        self.size = model.stream.size[0]
        self.said = f"this program takes faces of {self.size}x{self.size} pixels, in float from 0 to 1"
        self.brightest = 2.0  # what is above it is of 0 to 255
        self.preprocess = Preprocess(self.size, fit="squash", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        self.streams = self._streams(model)
        self._regions = list(model.hca.options.regions) if model.hca is not None else []
        self.register_buffer("template", torch.from_numpy(template(self.size)), persistent=False)
        self._examples, self._licence = list(examples), licence
        self._model = fingerprint(model)

    def _streams(self, model: Ahan) -> Streams:
        return Streams(model)

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        """uint8 (S,S,3), already in the frame of the template, to 0..1. A whole photograph would be squashed into an answer."""
        if item.shape[0] != item.shape[1]:
            raise RuntimeError("an aligned face is square; align the photograph first")
        return self.preprocess(item)

    @torch.jit.export
    def align(self, image: Tensor, points: Tensor) -> Tensor:
        """A photograph, uint8 (H,W,3), and five points in it, (5,2), to what `prepare` takes: uint8 (size,size,3) in the frame."""
        return frame(image, solve(points, self.template), self.size)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        return self.streams(self.normalised(x))

    def normalised(self, x: Tensor) -> Tensor:
        if x.dim() != 4 or x.shape[1] != 3 or x.shape[2] != self.size or x.shape[3] != self.size or not x.is_floating_point():
            raise RuntimeError(self.said)
        # a traced graph may not depend on values
        if torch.jit.is_scripting() and x.numel() > 0 and bool(x.max() > self.brightest):  # pyright: ignore[reportPrivateImportUsage]
            raise RuntimeError(self.said)
        return (x - 0.5) / 0.5

    @torch.jit.export
    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """The cosine of each row of a with that of b, in float64."""
        a, b = torch.nn.functional.normalize(a.double(), dim=-1), torch.nn.functional.normalize(b.double(), dim=-1)
        return torch.bmm(a.unsqueeze(1), b.unsqueeze(2)).flatten()

    def weights(self) -> nn.Module:
        return self.streams.model

    def examples(self) -> list[Tensor]:
        return self._examples

    def noise(self, generator: torch.Generator) -> list[Tensor]:
        return [torch.randint(0, 256, (side, side, 3), dtype=torch.uint8, generator=generator) for side in SIDES]

    def calls(self, generator: torch.Generator) -> list[Call]:
        pairs = [torch.rand(batch, 2, self.streams.model.embedding, generator=generator) for batch in BATCHES]
        compared = [Call("compare", (pair[:, 0], pair[:, 1])) for pair in pairs]
        photographs = zip(super().noise(generator), SCALES, strict=True)
        aligned = [Call("align", (photo, self.template * scale + torch.rand(5, 2, generator=generator))) for photo, scale in photographs]
        return [*super().calls(generator), *compared, *aligned]

    def dynamic(self, method: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        free = torch.export.Dim.DYNAMIC
        return ({0: free, 1: free}, {}) if method == "align" else super().dynamic(method, args)

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        first, *others = (self._example(batch) for batch in BATCHES)
        return {"streams": (first, others)}

    def _example(self, batch: int) -> Any:
        return torch.rand(batch, 3, self.size, self.size)

    def metadata(self) -> dict[str, Any]:
        outputs = ["regions"] if self._regions else []
        return {
            "app": "ahan",
            "program": "embed",
            "labels": [],  # the people of the training do not leave with the model
            "answer": [
                {"output": "embedding", "as": "vector"},
                *({"output": name, "as": "vector", "full": True} for name in outputs),
            ],
            "batching": "stack",
            "input": "image",
            "preprocessing": self.preprocess.settings(),
            "size": self.size,
            "square": True,
            "aligner": ALIGNER,
            "regions": self._regions,
            "boxes": self.streams.model.streams.boxes if self._regions else "none",  # landmarks: `with_boxes` by each face's own points
            "model": self._model,  # templates of a gallery belong to it
            "licence": self._licence,
        }


class EmbedRegions(Embed):
    """As Embed, and `with_boxes` for regions of one's own."""

    also: ClassVar[tuple[str, ...]] = ("compare", "align", "with_boxes", "compare_regions")
    boxes: Tensor

    def __init__(self, model: Ahan, licence: str, examples: Sequence[Tensor]) -> None:
        if model.hca is None or model.streams.boxes in ("grid", "full"):
            raise ValueError("this model takes no boxes: it has no hca, or boxes of its own; export Embed")
        super().__init__(model, licence, examples)
        self.register_buffer("boxes", model.boxes.clone(), persistent=False)  # type: ignore[operator]

    def _streams(self, model: Ahan) -> Streams:
        return BoxedStreams(model)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        return self.streams(self.normalised(x), self.boxes.expand(x.shape[0], -1, -1))

    @torch.jit.export
    def with_boxes(self, x: Tensor, boxes: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        """boxes: (B,R,4), x0 < x1 and y0 < y1 as shares of the frame; one outside of it leaves its region out."""
        # in Python hca refuses them itself
        if torch.jit.is_scripting():  # pyright: ignore[reportPrivateImportUsage]
            self._refuse(boxes)
        return self.streams(self.normalised(x), boxes)

    def _refuse(self, boxes: Tensor) -> None:
        if boxes.dim() != 3 or boxes.shape[1] != len(self._regions) or boxes.shape[2] != 4:
            raise RuntimeError(f"boxes are (B, {len(self._regions)}, 4), one for each region")
        right = boxes.isfinite().all(-1) & (boxes[..., 2:] > boxes[..., :2]).all(-1)
        if not bool(right.all()):
            wrong = (~right).nonzero()[0]
            row, region = int(wrong[0]), int(wrong[1])
            raise RuntimeError(f"box of {self._regions[region]} in row {row}: x0 < x1 and y0 < y1, as shares of the frame")

    @torch.jit.export
    def compare_regions(self, a: Tensor, b: Tensor) -> Tensor:
        """(B,R): the cosine of each region of a with the same one of b, both `regions` of forward, in float64."""
        return (torch.nn.functional.normalize(a.double(), dim=-1) * torch.nn.functional.normalize(b.double(), dim=-1)).sum(-1)

    def calls(self, generator: torch.Generator) -> list[Call]:
        corners = [torch.rand(batch, len(self._regions), 2, generator=generator) * 0.5 for batch in BATCHES]
        boxed = [Call("with_boxes", (self._face(len(low), generator), torch.cat([low, low + 0.4], -1))) for low in corners]
        hca = self.streams.model.hca
        assert hca is not None
        pairs = [torch.rand(batch, 2, *hca.missing.shape, generator=generator) for batch in BATCHES]
        return [*super().calls(generator), *boxed, *(Call("compare_regions", (pair[:, 0], pair[:, 1])) for pair in pairs)]

    def _face(self, batch: int, generator: torch.Generator) -> Tensor:
        return torch.rand(batch, 3, self.size, self.size, generator=generator)

    def _example(self, batch: int) -> Any:
        return super()._example(batch), self.boxes.expand(batch, -1, -1)


def fingerprint(model: Ahan) -> str:
    """Of the weights, the frame and the boxes: vectors of two models cannot be compared."""
    return fingerprint_of(model, [ALIGNER, list(model.stream.size), model.streams.boxes])
