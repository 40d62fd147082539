"""`discern.load(FILE)`: the exported file as a function in Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from apps.base.errors import UserError

if TYPE_CHECKING:
    from apps.base.predict.program_file import ProgramFile
    from apps.base.predict.run import Result

__all__ = ["Answerer", "load"]

BATCH = 8


def load(file: str | os.PathLike[str], trust: bool = False, device: str = "cpu") -> Answerer:
    """Open an exported file; the result answers for pictures. `trust` runs a file from elsewhere without putting it on your list.

    >>> birds = discern.load("birds.ts")
    >>> birds("wren.jpg")["probs"][0]
    {'label': 'wren', 'probability': 0.93}
    >>> birds.raw(["wren.jpg", array])["features"].shape
    torch.Size([2, 384])
    """
    from apps.base.predict.program_file import ProgramFile, take

    return Answerer(ProgramFile(take(file, trust), device))


class Answerer:
    """Call it with a path, an array (uint8 H,W,3, RGB) or a list of them: a dict for one, a list of dicts for a list."""

    def __init__(self, program: ProgramFile) -> None:
        self._program = program
        self.metadata: dict[str, Any] = program.metadata
        self.labels: list[str] = program.metadata["labels"]

    def __call__(self, images: Any) -> Any:
        from apps.base.predict.answer import answer_rows

        answers = []
        for result in self._results(images):
            answer = answer_rows(self.metadata, result.outputs or {}, full=True)[0]
            if "error" in answer:
                raise UserError(f"{result.name}: {answer['error']}")
            answers.append(answer)
        return answers if isinstance(images, (list, tuple)) else answers[0]

    def raw(self, images: Any) -> dict[str, Any]:
        """Every output as one tensor over the images."""
        import torch

        parts = [result.outputs or {} for result in self._results(images)]
        return {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]} if parts else {}

    def _results(self, images: Any) -> Iterator[Result]:
        from apps.base.predict.reader import read_ahead, reader_of
        from apps.base.predict.run import run

        listed: Iterable[Any] = images if isinstance(images, (list, tuple)) else [images]
        read = reader_of(self.metadata)

        def item(image: Any) -> Any:
            return read(image) if isinstance(image, (str, os.PathLike)) else _picture(image, self.metadata)

        items = ((_name(i, image), value, error) for i, (image, value, error) in enumerate(read_ahead(listed, item, 2 * BATCH)))
        for result in run(self._program, items, BATCH):
            if result.error is not None:
                raise UserError(f"{result.name}: {result.error}")
            yield result


def _name(i: int, image: Any) -> str:
    return os.fspath(image) if isinstance(image, (str, os.PathLike)) else f"image {i}"


def _picture(image: Any, metadata: dict[str, Any]) -> Any:
    if metadata["input"] == "image" and (getattr(image, "ndim", 0) != 3 or image.shape[2] != 3 or "uint8" not in str(image.dtype)):
        looks = f"{image.dtype} of shape {tuple(image.shape)}" if hasattr(image, "shape") else f"a {type(image).__name__}"
        raise ValueError(f"an image is a path or a uint8 array of shape (height, width, 3) in RGB, not {looks}")
    return image
