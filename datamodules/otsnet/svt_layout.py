"""Street View Text as distributed: whole photographs in img/, their words as upright boxes in train.xml and test.xml.

Read with expat and nothing else; a document type, with which a file could define entities that unfold without end, is refused.
"""

from pathlib import Path
from typing import Any
from xml.parsers import expat

from datamodules.errors import DataError
from datamodules.otsnet.crops import box_quad, quad_problem
from datamodules.otsnet.table import Collector, Table
from datamodules.store import FolderStore

__all__ = ["is_svt", "read_svt"]


def is_svt(path: Path) -> bool:
    return (root := _root(path)) is not None and any((root / f"{split}.xml").is_file() for split in ("train", "test"))


def read_svt(path: Path) -> Table:
    root = _root(path)
    assert root is not None
    collected = Collector("svt", path, FolderStore(root))
    for split in ("train", "test"):
        if (root / f"{split}.xml").is_file():
            _Reader(root / f"{split}.xml", split, collected).read()
        else:
            collected.note(f"no {split}.xml: its words are left out")
    return collected.table


class _Reader:
    """Expat's callbacks: an <imageName>, then a <taggedRectangle> and its <tag> for every word."""

    def __init__(self, path: Path, split: str, collected: Collector):
        self.path, self.split, self.collected = path, split, collected
        self.image, self.box, self.text = "", {}, None
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self.refuse
        parser.EntityDeclHandler = self.refuse
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters

    def read(self) -> None:
        try:
            with self.path.open("rb") as file:
                self.parser.ParseFile(file)
        except expat.ExpatError as error:
            raise DataError(f"{self.path}:{error.lineno}: not well-formed XML ({expat.ErrorString(error.code)})") from None

    @property
    def place(self) -> str:
        return f"{self.path}:{self.parser.CurrentLineNumber}"

    def refuse(self, *_: Any) -> None:
        raise DataError(f"{self.place}: a document type or an entity, which this list does not need; remove the <!DOCTYPE ...>")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "taggedRectangle":
            self.box = attributes
        if name in ("imageName", "tag"):
            self.text = ""

    def characters(self, text: str) -> None:
        if self.text is not None:
            self.text += text

    def end(self, name: str) -> None:
        if name == "imageName":
            self.image = (self.text or "").strip()
        elif name == "tag":
            self.word((self.text or "").strip())
        self.text = None

    def word(self, label: str) -> None:
        """A box may leave the photograph by a pixel or two; cutting clips it."""
        try:
            quad = box_quad(*(float(self.box[side]) for side in ("x", "y", "width", "height")))
        except (KeyError, ValueError):
            self.collected.problem(f"{self.place}: a word without x, y, width and height; correct or remove it")
            return
        if wrong := quad_problem(quad):
            self.collected.problem(f"{self.place}: {label!r}: {wrong}; correct or remove it")
        else:
            self.collected.add(self.image, label, self.split, "svt", self.place, quad)


def _root(path: Path) -> Path | None:
    return next((place for place in (path, path / "svt1") if (place / "img").is_dir()), None)
