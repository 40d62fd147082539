"""What the verbs share: an exported file is opened, photographs become aligned faces, and faces vectors. No Lightning, no MLflow."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from apps.ahan.card import CARD
from apps.ahan.faces import Framer, Quality
from apps.ahan.faces.options import add_framing, framer_of
from apps.base.errors import UserError
from apps.base.options import add_batch, add_device, add_trust
from apps.base.predict.program_file import ProgramFile, take_own
from apps.base.predict.run import run
from apps.base.shell import Shell
from datamodules.ahan.template import BOXES, REGIONS
from datamodules.captured import captured_day

__all__ = ["Asked", "Asker", "add_asking", "open_asker"]

MODEL = "ahan.ts"
NO_VECTOR = "not_a_vector"  # the model's answer is zero or no number


@dataclass
class Asked:
    """One photograph: its vector of length 1 and what it was made of, or why there is none."""

    path: str
    quality: Quality
    vector: np.ndarray | None = None  # float64 (E,)
    regions: np.ndarray | None = None  # (R,d)
    face: np.ndarray | None = None  # uint8 (S,S,3), aligned
    boxes: np.ndarray | None = None  # (R,4) by its own points, for a model that reads its regions there
    captured: str | None = None  # the day

    @property
    def failure(self) -> str | None:
        """Of faces.REASONS, or NO_VECTOR."""
        return (self.quality.reason or NO_VECTOR) if self.vector is None else None

    @property
    def coarse(self) -> bool:
        """Framed by the box alone."""
        return self.vector is not None and self.quality.coarse

    def row(self) -> dict[str, Any]:
        return {"image": self.path, "failure": self.failure, "quality": self.quality.row()}


@dataclass
class Asker:
    program: ProgramFile
    framer: Framer
    batch: int

    @property
    def model(self) -> str:
        return self.program.metadata["model"]

    @property
    def aligner(self) -> str:
        return self.program.metadata["aligner"]

    @property
    def size(self) -> int:
        return self.program.metadata["size"]

    @cached_property
    def width(self) -> int:
        """Of a vector: what a blank face gives."""
        blank = np.zeros((self.size, self.size, 3), np.uint8)
        outputs = self.program.forward(self.program.prepare(blank)[None])
        return int(outputs["embedding"].shape[1])

    def head(self, schema: str) -> dict[str, Any]:
        """What every answer begins with."""
        return {"schema": f"discern-ahan-{schema}-1", "model": self.model, "aligner": self.aligner, "detector": self.framer.detector.name}

    def ask(self, paths: Iterable[str]) -> list[Asked]:
        """In the order of the paths. A file that is not there is the user's mistake; one that shows no face is an answer."""
        asked = []
        for path in paths:
            try:
                data = Path(path).read_bytes()
            except OSError as error:
                raise UserError(f"{path}: {error.strerror or error}") from None
            framed = self.framer(data, path)
            asked.append(Asked(path, framed.quality, face=framed.face, boxes=framed.boxes, captured=captured_day(data)))
        self.embed(asked)
        return asked

    def embed(self, asked: list[Asked]) -> None:
        """Fill in the vectors of those that have a face."""
        ready = [one for one in asked if one.face is not None]
        if self.boxed:
            for start in range(0, len(ready), self.batch):
                self._embed_boxed(ready[start : start + self.batch])
            return
        for result in run(self.program, [(one, one.face, None) for one in ready], self.batch):
            if result.outputs is None:
                raise UserError(f"{result.name.path}: {result.error}")
            _take(result.name, {name: value[0] for name, value in result.outputs.items()})

    def _embed_boxed(self, asked: list[Asked]) -> None:
        x = torch.stack([self.program.prepare(one.face) for one in asked])
        boxes = torch.stack([self.boxes_of(one) for one in asked]).to(x.device)
        outputs = self.program.call("with_boxes", x, boxes)
        for at, one in enumerate(asked):
            _take(one, {name: value[at] for name, value in outputs.items()})

    @property
    def boxed(self) -> bool:
        """Whether the model reads its regions where each face's own points say."""
        return self.program.metadata.get("boxes") == "landmarks"

    def boxes_of(self, one: Asked) -> Any:
        """Float32 (R,4) of the model's regions: of the face's own points, or the template's."""
        every = np.array(BOXES, np.float32) if one.boxes is None else one.boxes
        return torch.from_numpy(every[[REGIONS.index(name) for name in self.program.metadata["regions"] if name in REGIONS]])


def _take(one: Asked, outputs: dict[str, Any]) -> None:
    values = {name: value.cpu().numpy().astype(np.float64) for name, value in outputs.items()}
    one.vector, one.regions = _unit(values["embedding"]), values.get("regions")


def _unit(vector: np.ndarray) -> np.ndarray | None:
    """Of length 1; None where the numbers are none."""
    length = float(np.linalg.norm(vector))
    return vector / length if np.isfinite(length) and length > 0 else None


def add_asking(parser: argparse.ArgumentParser, photographs: bool = True, several: bool = True) -> None:
    """The exported file, and how faces are found. photographs: images are named, and not a set of data. several: more than two."""
    parser.add_argument("--model", metavar="FILE", help=f"an exported program; default: {MODEL} in --home")
    if photographs:
        add_framing(parser)
    else:
        add_framing(parser, "none", "as the set says, by its points, its crop, or whole", force=False)
    if several:
        add_batch(parser)
    add_device(parser)
    add_trust(parser)


def open_asker(shell: Shell, args: argparse.Namespace) -> Asker:
    path = Path(args.model) if args.model is not None else shell.home / MODEL
    if args.model is None and not path.is_file():
        raise UserError(f"no --model, and no {path}; write one with `discern ahan export -o {path}`, or name an exported file")
    program = ProgramFile(take_own(CARD, path, args.trust, "embed"), args.device)
    if missing := [name for name in ("model", "aligner", "size") if name not in program.metadata]:
        raise UserError(f"{path} does not say its {missing[0]}; export it anew")
    boxed = program.metadata.get("boxes") == "landmarks"
    return Asker(program, framer_of(args, program.metadata["size"], shell.say, boxed), getattr(args, "batch", 2))
