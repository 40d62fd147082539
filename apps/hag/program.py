"""The exported programs: from a frame and a box to millimetres, their class, and how sure that is (section 4). Gates are folded away.

Shapes: B batch, H W frame, S side of what the network sees, P planes, G of them given with the frame, F frames of a polyp, K classes.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar, Dict, Optional  # noqa: UP035 - TorchScript reads typing's

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from apps.base.fingerprint import fingerprint
from apps.base.program import BATCHES, Call, Program
from apps.hag.aggregation import aggregate as aggregate_frames
from apps.hag.bare import bare
from apps.hag.model import SCALE, Hag
from apps.hag.notice import NOTICE
from datamodules.hag.classes import BORDERS, SIZE_CLASSES
from datamodules.hag.framing import Framing, extent_of

__all__ = ["STATUS", "Classify", "Size"]

STATUS = ("ok", "whole_frame", "empty_box", "box_outside", "dark")  # of a frame; behind the second nothing is answered (NaN)
SIZES = ((48, 64), (64, 48), (61, 61), (37, 40), (203, 320))
LEAST = 32  # pixels of a frame's sides
DARK = 12  # of 255: a frame whose brightest pixel is no brighter shows nothing
TOLD = SCALE + 1  # numbers that travel with a picture: how it was cut, and its status


class Open(nn.Module):
    """The network with its outputs in a dict: a NamedTuple cannot be saved. What the head does not answer is absent."""

    def __init__(self, model: Hag) -> None:
        super().__init__()
        self.model = deepcopy(model)
        self.model.where = None  # of training alone

    def forward(self, images_BCHW: Tensor, planes_BPHW: Tensor, scale_B4: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        planes = planes_BPHW if planes_BPHW.shape[1] else None
        outputs = self.model(images_BCHW, planes, scale_B4 if self.model.scale is not None else None)
        named = {"mm": outputs.mm, "ordinal": outputs.ordinal, "logits": outputs.logits}
        return {name: value for name, value in named.items() if value is not None}


class FrameProgram(Program):
    """What both share: a frame, the box in it and the planes that belong to it become one stack `x` of (3 + P + 1, S, S): the picture,
    its planes, and a plane whose first numbers tell how it was cut and its status.
    """

    also: ClassVar[tuple[str, ...]] = ("place",)

    def __init__(self, model: Hag, facts: dict[str, Any], examples: Sequence[Any]) -> None:
        super().__init__()
        self.framing = Framing(**facts["framing"])
        self.side = int(facts["framing"]["size"])
        self.planes = len(facts["planes"])
        self.given = len(self.framing.given)
        self.needs = ", ".join(self.framing.given)
        self.network, self._gates = bare(Open(model), self.planes, self.side)
        self._facts, self._examples = facts, list(examples)
        self.sight = dict(facts.get("sight", {}))
        self._model = fingerprint(self.network, [facts["framing"]])

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        """uint8 (H,W,3): the whole frame, without a box."""
        none = torch.zeros([0], device=item.device)
        return self.place(item, none, torch.zeros([0, 1, 1], device=item.device))

    @torch.jit.export
    def place(self, image: Tensor, box: Tensor, given: Tensor) -> Tensor:
        """image: uint8 (H,W,3) in RGB. box: float32 (4,) xmin, ymin, xmax, ymax in pixels, or (0,). given: float32 (G,H,W), or (0,.,.)."""
        if image.dim() != 3 or image.shape[2] != 3 or image.dtype != torch.uint8:
            raise RuntimeError("a frame is uint8 of shape (height, width, 3) in RGB; convert grey pictures and those of four channels")
        height, width = image.shape[0], image.shape[1]
        if height < 32 or width < 32:
            raise RuntimeError("a frame has at least 32 x 32 pixels; give the frame, not its thumbnail")
        if box.numel() != 0 and box.numel() != 4:
            raise RuntimeError("a box is xmin, ymin, xmax, ymax in pixels, or nothing")
        if given.shape[0] != self.given or (self.given > 0 and (given.shape[1] != height or given.shape[2] != width)):
            raise RuntimeError(f"this program reads {self.given} planes of the frame's size beside it ({self.needs})")
        extent = extent_of(image)
        whole = torch.cat([torch.zeros_like(extent), extent])
        status = torch.zeros([1], device=image.device)
        used = whole
        if box.numel() == 0:
            status = status + 1.0
        else:
            box = box.to(torch.float32)
            sane = torch.isfinite(box).all()
            inner = torch.minimum(box.nan_to_num().clamp(min=0.0), extent.repeat(2))
            empty = torch.logical_not(sane & (box[2] > box[0]) & (box[3] > box[1]))
            outside = torch.logical_not((inner[2] > inner[0]) & (inner[3] > inner[1]))
            used = torch.where(empty | outside, whole, inner)
            status = status + torch.where(empty, 2.0, torch.where(outside, 3.0, 0.0))
        status = torch.where(image.amax() <= 12, torch.full_like(status, 4.0), status)
        framed = self.framing(image, used, given)
        told = F.pad(torch.cat([framed.scale, status]), [0, self.side * self.side - 5])
        return torch.cat([framed.image, framed.planes, told.reshape(1, self.side, self.side)])

    def see(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        """What the network answers, and `status` and `box_used` of each."""
        if x.shape[1] != 4 + self.planes or x.shape[2] != self.side or x.shape[3] != self.side:
            raise RuntimeError("forward takes what `prepare` or `place` gives")
        told = x[:, -1, 0]  # its first row: a flattened plane would tie a traced file to batches of one, or of many
        answer = self.network(x[:, :3], x[:, 3 : 3 + self.planes], told[:, :4])
        status = told[:, 4].round().to(torch.int64)
        answer["status"] = status
        answer["box_used"] = (status == 0).to(torch.int64)
        return answer

    def weights(self) -> nn.Module:
        return self.network.get_submodule("model")

    def examples(self) -> list[Any]:
        return self._examples

    def noise(self, generator: torch.Generator) -> list[Any]:
        return [torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator) for height, width in SIZES]

    def calls(self, generator: torch.Generator) -> list[Call]:
        placed = []
        for image, box in [*self._examples, *((image, None) for image in self.noise(generator))]:
            height, width = image.shape[:2]
            corner = torch.rand(2, generator=generator) * torch.tensor([width, height]) / 2
            box = torch.cat([corner, corner * 1.9 + 2]) if box is None or not len(box) else box
            placed.append((image, box, torch.rand(self.given, height, width, generator=generator)))
        calls = [Call("place", args) for args in placed]
        if self.takes_items():
            calls += [Call("prepare", args[:1]) for args in placed]
        ready = [self.place(*args) for args in placed]
        calls += [Call("forward", (torch.stack([ready[(size + i) % len(ready)] for i in range(size)]),)) for size in BATCHES]
        return calls

    def takes_items(self) -> bool:
        return not self.given and not self.sight.get("blank", False)

    def dynamic(self, method: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        free = torch.export.Dim.DYNAMIC
        if method == "place":
            return ({0: free, 1: free}, {}, {1: free, 2: free})
        return super().dynamic(method, args)

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        first, *others = (
            (torch.rand(batch, 3, self.side, self.side), torch.rand(batch, self.planes, self.side, self.side), torch.rand(batch, SCALE))
            for batch in BATCHES
        )
        return {"network": (first, others)}

    def about(self) -> dict[str, Any]:
        """What the metadata of both say."""
        return {
            "app": "hag",
            "batching": "stack",
            "input": "image",
            "preprocessing": self._facts["framing"],
            "planes": list(self._facts["planes"]),
            "given": list(self.framing.given),  # planes that must come with each frame
            "sight": self.sight,  # what is done to the frame and its planes before `place`
            "learned": self._facts.get("learned", {}),  # which frames, and who was held out
            "status": list(STATUS),
            "gates": self._gates,
            "model": self._model,
            "licence": self._facts["licence"],
            "note": NOTICE,
        }


class Size(FrameProgram):
    """A polyp's millimetres. mm_lo, mm_hi: interval from validation polyps, where there were enough; p_gt5, p_ge10: probabilities."""

    also: ClassVar[tuple[str, ...]] = ("place", "aggregate")

    def __init__(self, model: Hag, facts: dict[str, Any], examples: Sequence[Any]) -> None:
        super().__init__(model, facts, examples)
        self.regresses, self.orders = model.options.regresses, model.options.orders
        # ours: without questions of its own, the spread of ln mm on validation says how sure a side of a border is
        self.spread = float(facts.get("spread", 0.0))
        self.reach = float(facts.get("reach", 0.0))  # of the interval, in ln mm
        self.low, self.high = BORDERS

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        seen = self.see(x)
        status = seen["status"]
        lost = status > 1
        answer: Dict[str, Tensor] = {}  # noqa: UP006
        if self.regresses:
            mm = seen["mm"]
            answer["mm"] = mm.masked_fill(lost, float("nan"))
            if self.reach > 0.0:
                factor = float(torch.tensor(self.reach).exp())
                answer["mm_lo"], answer["mm_hi"] = answer["mm"] / factor, answer["mm"] * factor
            answer["class3"] = (mm > self.low).to(torch.int64) + (mm >= self.high).to(torch.int64)
        if self.orders:
            sure = torch.sigmoid(seen["ordinal"]).masked_fill(lost.unsqueeze(1), float("nan"))
            answer["p_gt5"], answer["p_ge10"] = sure[:, 0], sure[:, 1]
            if not self.regresses:
                answer["class3"] = (seen["ordinal"][:, 0] > 0).to(torch.int64) + (seen["ordinal"][:, 1] >= 0).to(torch.int64)
        elif self.spread > 0.0:
            answer["p_gt5"], answer["p_ge10"] = self.above(answer["mm"], self.low), self.above(answer["mm"], self.high)
        answer["class3"] = answer["class3"].masked_fill(lost, -1)
        answer["box_used"], answer["status"] = seen["box_used"], status
        return answer

    def above(self, mm: Tensor, border: float) -> Tensor:
        z = (torch.log(mm) - float(torch.tensor(border).log())) / self.spread
        return 0.5 * (1.0 + torch.erf(z / 1.4142135623730951))

    @torch.jit.export
    def size(self, images: Tensor, boxes: Tensor, given: Optional[Tensor] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        """uint8 (B,H,W,3) and float32 (B,4) at once. given: (B,G,H,W), where the program reads planes. In TorchScript alone."""
        x = []
        for i in range(images.shape[0]):
            planes = given[i] if given is not None else torch.zeros([0, 1, 1], device=images.device)
            x.append(self.place(images[i], boxes[i], planes))
        return self.forward(torch.stack(x))

    @torch.jit.export
    def aggregate(self, sizes: Tensor, weight: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        """mm (F,) and quality (F,) of a polyp's frames to its size."""
        return aggregate_frames(sizes, weight)

    def calls(self, generator: torch.Generator) -> list[Call]:
        frames = [(torch.rand(count, generator=generator) * 20 + 1, torch.rand(count, generator=generator)) for count in (9, 4, 30)]
        return [*super().calls(generator), *(Call("aggregate", args) for args in frames)]

    def dynamic(self, method: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        free = torch.export.Dim("frames", min=2)
        return ({0: free}, {0: free}) if method == "aggregate" else super().dynamic(method, args)

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        if "class3" not in outputs:
            return {}
        if "mm" not in outputs:
            return {"class3": torch.stack([(outputs[name] - 0.5).abs() for name in ("p_gt5", "p_ge10")]).amin(0)}
        return {"class3": torch.stack([(outputs["mm"] / border - 1).abs() for border in BORDERS]).amin(0).nan_to_num(1.0)}

    def metadata(self) -> dict[str, Any]:
        numbers = [*(["mm"] if self.regresses else []), *(["mm_lo", "mm_hi"] if self.reach and self.regresses else [])]
        sure = ["p_gt5", "p_ge10"] if self.orders or self.spread else []
        return {
            **self.about(),
            "program": "size",
            "labels": list(SIZE_CLASSES),
            "answer": [{"output": name, "as": "value"} for name in (*numbers, "class3", *sure, "box_used", "status")],
            "interval": self._facts.get("interval"),
        }


class Classify(FrameProgram):
    """Classes of a set that has no millimetres."""

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        seen = self.see(x)
        return {"probs": seen["logits"].softmax(-1), "box_used": seen["box_used"], "status": seen["status"]}

    def metadata(self) -> dict[str, Any]:
        return {
            **self.about(),
            "program": "classify",
            "labels": list(self._facts["classes"]),
            "answer": [{"output": "probs", "as": "top", "k": 3}, {"output": "status", "as": "value", "full": True}],
        }
