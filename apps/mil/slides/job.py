"""What is asked of a folder of slides: settings that travel to workers and machines, and where each result lies."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from datamodules.mil.slides.state import digest
from datamodules.mil.slides.tiling import TileRule
from datamodules.mil.slides.tissue import PRESETS, Preset

__all__ = ["LAYOUTS", "EncoderChoice", "Job"]

LAYOUTS = ("native", "clam", "trident")


@dataclass(frozen=True)
class EncoderChoice:
    """Which encoder. Workers build it from its files and check that they are the same."""

    name: str  # or path
    label: str  # its name in the files
    sha256: str
    expects: str  # the transform, as text
    weights: str | None = None
    transform: str | None = None
    trusted: bool = False
    device: str = "cpu"
    bf16: bool = False
    about: dict[str, Any] = field(default_factory=dict, hash=False)  # what its files of features record of it


@dataclass(frozen=True)
class Job:
    home: Path  # results
    until: str = "features"  # the last stage
    preset: Preset = PRESETS["auto"]
    pen: bool = True  # take strokes for glass
    grey: bool = True  # and colourless dirt
    rule: TileRule = field(default_factory=TileRule)
    mpp: dict[str, tuple[float, float]] = field(default_factory=dict)  # of slides that do not say it
    annotations: Path | None = None  # a folder of <slide>.xml, .json or .geojson
    encoder: EncoderChoice | None = None
    half: bool = False  # features in float16
    layout: str = "native"
    batch: int = 64
    readers: int = 2  # threads that read tiles
    threads: int = 1  # of the encoder; fixed, so that results do not depend on how many slides go at once
    retry: bool = False  # what failed
    redraw: bool = False  # contours that a person has edited

    def params(self, stage: str) -> str:
        """A hash of the settings that decide a stage's result."""
        settings: dict[str, dict[str, Any]] = {
            "tissue": {"preset": asdict(self.preset), "pen": self.pen, "grey": self.grey},
            "tile": {"rule": asdict(self.rule), "layout": self.layout},
            "features": {
                "encoder": self.encoder and (self.encoder.label, self.encoder.sha256, self.encoder.expects),
                "half": self.half,
                "layout": self.layout,
            },
        }
        return digest({"version": 1, **settings[stage]})

    def thumbnail(self, name: str) -> Path:
        return self.home / "thumbnails" / f"{name}.jpg"

    def geojson(self, name: str) -> Path:
        return self.home / "contours_geojson" / f"{name}.geojson"

    def contours(self, name: str) -> Path:
        return self.home / "contours" / f"{name}.jpg"

    def tiles(self, name: str) -> Path:
        return self.home / "tiles" / f"{name}.safetensors"

    def tile_picture(self, name: str) -> Path:
        return self.home / "tiles" / f"{name}.jpg"

    def state(self, name: str) -> Path:
        return self.home / "states" / f"{name}.json"

    def lock(self, name: str) -> Path:
        return self.home / "locks" / name

    @property
    def table(self) -> Path:
        return self.home / "slides.csv"
