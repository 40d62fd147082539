"""What index, search, same and explain share: an exported file is opened, and pictures go through it. No Lightning, no MLflow."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from apps.base.errors import UserError
from apps.base.predict.program_file import ProgramFile, take_own
from apps.base.predict.reader import Item, read_ahead
from apps.base.predict.run import run
from apps.dcal.card import CARD
from apps.dcal.gallery import content_digest
from datamodules.pictures import decode
from datamodules.preprocess import Preprocess

__all__ = ["Asked", "File", "open_file"]


@dataclass
class File:
    """An opened exported file of ours."""

    program: ProgramFile
    model: str  # fingerprint of the model inside, by which galleries are told apart
    batch: int

    def need(self, output: str, remedy: str) -> None:
        if not self.gives(output):
            raise UserError(f"this file gives no {output}: {remedy}")

    def gives(self, output: str) -> bool:
        return any(row["output"] == output for row in self.program.metadata["answer"])

    def seen(self, picture: np.ndarray) -> np.ndarray:
        """The part of the picture that the model sees: what its patches are patches of."""
        preprocess = Preprocess(**self.program.metadata["preprocessing"])
        return preprocess.crop(torch.from_numpy(picture)).numpy() if preprocess.fit == "crop" else picture

    def ask(self, paths: Iterable[str], keep: bool = False, wanted: Callable[[str, str], str | bool] | None = None) -> Iterator["Asked"]:
        """Each picture's outputs, in the order of the paths.

        keep: with the decoded picture
        wanted: told (path, digest); False passes the picture by, a text is why it is refused
        """
        digests: dict[str, str] = {}

        def read(path: str) -> np.ndarray:
            data = Path(path).read_bytes()
            digests[path] = content_digest(data)
            return decode(data, path)

        def chosen(items: Iterable[Item]) -> Iterator[Item]:
            for path, item, error in items:
                word = wanted(path, digests[path]) if wanted is not None and error is None else True
                if word is not False:
                    yield path, item, word if isinstance(word, str) else error

        ahead = read_ahead(paths, read, self.batch, bursts=self.program.device.type == "cpu")
        with closing(ahead):
            for result in run(self.program, chosen(ahead), self.batch, keep=keep):
                outputs = {name: value[0].cpu().numpy() for name, value in (result.outputs or {}).items()}
                error = result.error if result.outputs is None else _unusable(outputs)
                yield Asked(result.name, digests.get(result.name, ""), outputs, error, result.item if keep else None)


@dataclass
class Asked:
    """One picture's outputs, or why there are none."""

    path: str
    digest: str
    outputs: dict[str, np.ndarray]
    error: str | None
    picture: np.ndarray | None


def _unusable(outputs: dict[str, np.ndarray]) -> str | None:
    if not all(np.isfinite(value).all() for value in outputs.values()):
        return "the model's answer is not a number"
    return "its vector is zero" if "features" in outputs and not outputs["features"].any() else None


def open_file(path: str, *, device: str, trust: bool, batch: int) -> File:
    """The file, if it may run (apps.base.trust) and if it is one of dcal's."""
    taken = take_own(CARD, path, trust)
    program = ProgramFile(taken, device)
    # A file from before models were named stands for its model by itself.
    return File(program, program.metadata.get("model", taken.digest), batch)
