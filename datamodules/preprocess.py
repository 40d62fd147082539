"""From a raw picture to what a model sees, for evaluation and inside every exported program: torch only, scriptable, exportable.

OpenCV's and torch's resize differ by up to 8e-2 on a 0..1 scale, so nothing but this module may resize a picture that is evaluated.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Preprocess"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Preprocess(nn.Module):
    """uint8 (H,W,3) RGB -> float32 (3,height,width), normalised.

    size: of the result, one number or (height, width)
    fit: "crop" cuts the largest centred window of the result's shape and resizes it (bilinear, antialiased: the shorter side decides);
        "squash" resizes the whole picture and ignores its shape; "pad" keeps its shape, as far as it is not wider than the result:
        it is as high as the result and stands at its left, and what is right of it is NaN, no pixel at all
    share: of that window's sides that "crop" keeps; 0.875 is the usual resize to 256, crop of 224
    mean, std: per channel, on a 0..1 scale
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        size: int | Sequence[int],
        fit: str = "crop",
        share: float = 1.0,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ):
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
        if height < 1 or width < 1:
            raise ValueError(f"size must be at least 1 pixel, got {height} x {width}")
        if fit not in ("crop", "squash", "pad"):
            raise ValueError(f"fit must be 'crop', 'squash' or 'pad', got {fit!r}")
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share must lie in (0, 1], got {share}")
        if fit != "crop" and share != 1.0:
            raise ValueError(f"share belongs to fit='crop'; fit={fit!r} keeps the whole picture")
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean and std need three numbers each, std above 0; got {tuple(mean)}, {tuple(std)}")
        self.height, self.width, self.fit = height, width, fit
        # ours: the share in whole parts of 10,000, so that the window is found by integers alone, as torch.export needs it
        self.share = share
        self.channels = ([float(value) for value in mean], [float(value) for value in std])
        self.parts = round(share * 10_000)
        self.register_buffer("mean", torch.tensor(list(mean), dtype=torch.float32).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(list(std), dtype=torch.float32).view(3, 1, 1) * 255, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        wide = self.width
        if self.fit == "crop":
            image = self.crop(image)
        elif self.fit == "pad":
            image, wide = self.widened(image)
        x = image.permute(2, 0, 1).to(torch.float32).contiguous().unsqueeze(0)
        x = F.interpolate(x, size=[self.height, self.width], mode="bilinear", antialias=True, align_corners=False)
        x = self.normalise(x[0])
        if self.fit == "pad":
            x = x.masked_fill(torch.arange(self.width, device=x.device) >= wide, torch.nan)
        return x

    def normalise(self, x: Tensor) -> Tensor:
        """float (3,H,W) on a 0..255 scale -> normalised; all that an augmented training picture still needs."""
        return (x - self.mean) / self.std  # pyright: ignore[reportOperatorIssue] - buffers; TorchScript reads no annotations of them

    def crop(self, image: Tensor) -> Tensor:
        """The largest centred window of the result's shape, times `share`: at least two pixels where the picture has two."""
        rows, columns = image.shape[0], image.shape[1]
        # The window is min(rows, columns * height / width) * share high, and as wide as its shape asks, both rounded to nearest.
        a, b = rows * self.width, columns * self.height
        if torch.jit.is_scripting():  # pyright: ignore[reportPrivateImportUsage]
            least = min(a, b)
            tall = min(rows, max(2, (2 * least * self.parts + 10_000 * self.width) // (20_000 * self.width)))
            wide = min(columns, max(2, (2 * least * self.parts + 10_000 * self.height) // (20_000 * self.height)))
        else:  # Python's min and max would fix portrait or landscape while exporting
            least = torch.sym_min(a, b)
            tall = torch.sym_min(rows, torch.sym_max(2, (2 * least * self.parts + 10_000 * self.width) // (20_000 * self.width)))
            wide = torch.sym_min(columns, torch.sym_max(2, (2 * least * self.parts + 10_000 * self.height) // (20_000 * self.height)))
        # ours: picked rows and columns instead of slices, whose strides torch.export would tie to the example's shape
        y = torch.arange(tall, device=image.device) + (rows - tall) // 2
        x = torch.arange(wide, device=image.device) + (columns - wide) // 2
        return image.index_select(0, y).index_select(1, x)

    def widened(self, image: Tensor) -> tuple[Tensor, int]:
        """(The picture in the result's shape or wider, its last column repeated; how many columns of the result are the picture.)

        So the resize is one to a fixed size, which every format can export.
        """
        rows, columns = image.shape[0], image.shape[1]
        shape = (rows * self.width + self.height - 1) // self.height
        if torch.jit.is_scripting():  # pyright: ignore[reportPrivateImportUsage]
            whole = max(columns, shape)
        else:
            whole = torch.sym_max(columns, shape)
        x = torch.arange(whole, device=image.device).clamp(max=columns - 1)
        return image.index_select(1, x), (columns * self.width + whole - 1) // whole  # pyright: ignore[reportReturnType] - sym_max

    def settings(self) -> dict[str, Any]:
        """What makes the same one again: plain values, for checkpoints and exported files."""
        mean, std = self.channels
        return {"size": [self.height, self.width], "fit": self.fit, "share": self.share, "mean": mean, "std": std}

    def extra_repr(self) -> str:
        return f"size=({self.height}, {self.width}), fit={self.fit!r}, share={self.share}"
