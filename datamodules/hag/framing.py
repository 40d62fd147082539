"""From a frame and a box to what the network sees, in training, evaluation and exported programs: torch only, scriptable.

S side of the picture, P planes. Boxes are xmin, ymin, xmax, ymax: given in pixels of the frame, returned in 0..1 of the picture
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from datamodules.hag.resampling import lit, resampled

__all__ = ["CROP_NUMBERS", "PAPER_MEAN", "PAPER_STD", "Framed", "Framing", "extent_of", "plane_names"]

PAPER_MEAN = (0.3224, 0.2263, 0.1750)  # of the authors' frames
PAPER_STD = (0.3178, 0.2406, 0.1933)
CROP_NUMBERS = ("ln box width", "ln box height", "ln growth", "share inside the field of view")
OWN = ("loc", "mask")  # planes that the box makes; all others are given
DARK = 12.0  # of 255: no channel of a pixel outside the field of view is brighter


class Framed(NamedTuple):
    image: Tensor  # float32 (3,S,S), normalised
    planes: Tensor  # float32 (P,S,S)
    box: Tensor  # float32 (4,)
    scale: Tensor  # float32 (4,): CROP_NUMBERS of a crop, zeros of a frame


def plane_names(planes: Sequence[str]) -> tuple[str, ...]:
    """One name a plane: a mask (the frame times the box) has three."""
    return tuple(name for plane in planes for name in ([f"mask{n}" for n in range(3)] if plane == "mask" else [plane]))


def extent_of(image: Tensor) -> Tensor:
    """float32 (width, height) of a picture (H,W,3). Filled in, as torch.export would keep the numbers of `torch.tensor`."""
    sides = [torch.full([1], image.shape[1 - axis], dtype=torch.float32, device=image.device) for axis in range(2)]
    return torch.cat(sides)


class Framing(nn.Module):
    """view: "frame" letterboxes the whole frame; "crop" is the box grown by `growth` of its sides on each side, stretched to the square

    planes: in their order: loc (the box as one plane), mask (the frame outside the box blackened, normalised: three), or names of
        planes that are given with the frame. loc and mask are of the whole frame in either view; given ones follow the view
    """

    mean: Tensor
    std: Tensor
    planes: list[str]
    given: list[str]

    def __init__(
        self,
        size: int,
        view: str = "frame",
        planes: Sequence[str] = (),
        growth: float = 0.5,
        mean: Sequence[float] = PAPER_MEAN,
        std: Sequence[float] = PAPER_STD,
    ):
        super().__init__()
        if size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {size}")
        if view not in ("frame", "crop"):
            raise ValueError(f"view must be 'frame' or 'crop', got {view!r}")
        if len(set(planes)) < len(planes):
            raise ValueError(f"planes {', '.join(planes)}: one is there twice; leave it out")
        if growth < 0 or (view == "frame" and growth != 0.5):
            raise ValueError(f"growth must be at least 0, and belongs to view='crop'; got {growth}")
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean and std need three numbers each, std above 0; got {tuple(mean)}, {tuple(std)}")
        self.size, self.view, self.growth = size, view, growth
        self.dark = DARK
        self.planes = list(planes)
        self.given = [name for name in planes if name not in OWN]
        self.channels = ([float(value) for value in mean], [float(value) for value in std])
        self.register_buffer("mean", torch.tensor(list(mean), dtype=torch.float32).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(list(std), dtype=torch.float32).view(3, 1, 1) * 255, persistent=False)

    def forward(self, image: Tensor, box: Tensor, given: Tensor) -> Framed:
        """image: uint8 (H,W,3) RGB. box: float32 (4,), or (0,) for the whole frame. given: float32 (G,H,W), the planes of `self.given`."""
        extent = extent_of(image)
        size = extent.to(torch.int64)
        everything = torch.cat([torch.zeros_like(size), size])
        if box.numel() != 4:
            box = everything.to(torch.float32)
        pixels = image.permute(2, 0, 1).to(torch.float32)
        shown, corner = self.place(size)
        whole = resampled(pixels, everything, shown, corner, self.size)
        framed = (box * (shown / extent).repeat(2) + corner.repeat(2)) / self.size  # of the whole frame
        inside = self.loc(framed)
        scale = torch.zeros_like(box)
        x, seen, window = whole, framed, everything
        if self.view == "crop":
            window, wanted = self.window(box, extent)
            shown, corner = torch.full_like(shown, self.size), torch.zeros_like(corner)
            x = resampled(pixels, window, shown, corner, self.size)
            cut = (window[2:] - window[:2]).to(torch.float32)
            seen = (box - window[:2].repeat(2)) / cut.repeat(2)
            sides = (box[2:] - box[:2]).clamp(min=1.0)
            share = (lit(pixels, window, self.dark) / wanted.clamp(min=1.0)).clamp(max=1.0)
            grown = 0.5 * torch.log(cut.prod() / sides.prod())
            scale = torch.cat([torch.log(sides / extent.max()), torch.stack([grown, share])])
        if given.shape[0] > 0:
            others = resampled(given, window, shown, corner, self.size)
        else:
            others = torch.zeros([0, self.size, self.size], device=image.device)
        stack = []
        at = 0
        for name in self.planes:
            if name == "loc":
                stack.append(inside)
            elif name == "mask":
                stack.append(self.normalise(whole * inside))
            else:
                stack.append(others[at : at + 1])
                at += 1
        planes = torch.cat(stack) if len(stack) > 0 else torch.zeros([0, self.size, self.size], device=image.device)
        return Framed(self.normalise(x), planes, seen, scale)

    def normalise(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def place(self, extent: Tensor) -> tuple[Tensor, Tensor]:
        """(extent, corner) of a frame in the letterbox: its shape is kept, what lacks is 0. All (x, y) in whole pixels."""
        side = extent.max()
        shown = torch.div(extent * self.size + torch.div(side, 2, rounding_mode="floor"), side, rounding_mode="floor").clamp(min=1)
        return shown, torch.div(self.size - shown, 2, rounding_mode="floor")

    def window(self, box: Tensor, extent: Tensor) -> tuple[Tensor, Tensor]:
        """(whole pixels of the grown box within the frame, how many pixels it would have without the frame's border)."""
        grow = self.growth * (box[2:] - box[:2])
        low, high = torch.floor(box[:2] - grow), torch.ceil(box[2:] + grow)
        wanted = (high - low).prod()
        low = torch.minimum(low.clamp(min=0.0), extent - 1)
        high = torch.maximum(torch.minimum(high, extent), low + 1)
        return torch.cat([low, high]).to(torch.int64), wanted

    def loc(self, box: Tensor) -> Tensor:
        """(1,S,S): how much of each pixel the box covers."""
        at = torch.arange(self.size, dtype=torch.float32, device=box.device)
        edges = box * self.size
        across = (torch.minimum(edges[2], at + 1) - torch.maximum(edges[0], at)).clamp(0.0, 1.0)
        along = (torch.minimum(edges[3], at + 1) - torch.maximum(edges[1], at)).clamp(0.0, 1.0)
        return (along.unsqueeze(1) * across.unsqueeze(0)).unsqueeze(0)

    def settings(self) -> dict[str, Any]:
        """What makes the same one again: plain values, for checkpoints and exported files."""
        mean, std = self.channels
        return {"size": self.size, "view": self.view, "planes": list(self.planes), "growth": self.growth, "mean": mean, "std": std}

    def extra_repr(self) -> str:
        return f"size={self.size}, view={self.view!r}, planes={self.planes}"
