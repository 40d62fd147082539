"""GraphML: attributes by <key>, graphs with <node> and <edge>. A file holds one graph or several.

Read with expat and nothing else. A document type, with which a file could define entities that unfold without end or read other files, is
refused; GraphML needs none.
"""

from pathlib import Path
from typing import Any
from xml.parsers import expat

from datamodules.errors import DataError
from datamodules.histograph.named import NamedGraph

__all__ = ["read_graphml"]

MOST = 1 << 30
NUMBERS = {"int", "long", "float", "double", "boolean"}


def read_graphml(path: Path) -> list[NamedGraph]:
    if path.stat().st_size > MOST:
        raise DataError(f"{path}: more than {MOST >> 30} GiB; split the set")
    reader = _Reader(path)
    try:
        with path.open("rb") as file:
            reader.parser.ParseFile(file)
    except expat.ExpatError as error:
        raise DataError(f"{path}:{error.lineno}: not well-formed XML ({expat.ErrorString(error.code)})") from None
    if not reader.graphs:
        raise DataError(f"{path}: no <graph> of GraphML")
    return reader.graphs


class _Reader:
    """Expat's callbacks; `owner` is what a <data> belongs to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: dict[str, tuple[str, str, str]] = {}  # id -> for, name, type
        self.defaults: dict[str, dict[str, Any]] = {"graph": {}, "node": {}, "edge": {}}
        self.graphs: list[NamedGraph] = []
        self.owner: list[dict[str, Any]] = []
        self.key: str | None = None  # of the <data> or the <key> whose text is being read
        self.text: str | None = None
        self.depth = 0
        self.parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self.refuse
        parser.EntityDeclHandler = self.refuse
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters

    @property
    def place(self) -> str:
        return f"{self.path}:{self.parser.CurrentLineNumber}"

    def refuse(self, *_: Any) -> None:
        raise DataError(f"{self.place}: a document type or an entity, which GraphML does not need; remove the <!DOCTYPE ...>")

    def start(self, tag: str, given: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "key":
            owner, called = self._needed(given, "for"), given.get("attr.name", given.get("id", ""))
            self.keys[self._needed(given, "id")] = (owner, called, given.get("attr.type", "string"))
            self.key = given["id"]
        elif name == "graph":
            if self.depth:
                raise DataError(f"{self.place}: a graph within a graph")
            self.depth = 1
            self.graphs.append(NamedGraph(self.place, given.get("edgedefault") == "directed", dict(self.defaults["graph"])))
            self.owner = [self.graphs[-1].facts]
        elif name == "node" and self.graphs:
            attributes = dict(self.defaults["node"])
            self.graphs[-1].node(self._needed(given, "id"), attributes, self.place)
            self.owner.append(attributes)
        elif name == "edge" and self.graphs:
            attributes = dict(self.defaults["edge"])
            directed = self.graphs[-1].directed
            if given.get("directed", str(directed).lower()) != str(directed).lower():
                raise DataError(f"{self.place}: an edge with another direction than its graph's edgedefault; write all alike")
            self.graphs[-1].edge(self._needed(given, "source"), self._needed(given, "target"), attributes, self.place)
            self.owner.append(attributes)
        elif name == "hyperedge":
            raise DataError(f"{self.place}: a hyperedge; edges join two nodes here")
        elif name == "data":
            self.key = self._needed(given, "key")
            if self.key not in self.keys:
                raise DataError(f"{self.place}: data of the key {self.key!r}, which no <key> declares")
            self.text = ""
        elif name == "default" and self.key is not None:
            self.text = ""

    def end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name in ("data", "default") and self.key is not None:
            owner, called, kind = self.keys[self.key]
            value = self._value((self.text or "").strip(), kind)
            if name == "data" and self.owner:
                self.owner[-1][called] = value
            elif name == "default":
                for one in ("graph", "node", "edge") if owner == "all" else (owner,):
                    self.defaults.setdefault(one, {})[called] = value
            self.text = None
        if name in ("data", "key"):
            self.key = None
        elif name == "graph":
            self.depth = 0
            self.owner = []
        elif name in ("node", "edge") and self.owner:
            self.owner.pop()

    def characters(self, text: str) -> None:
        if self.text is not None:
            self.text += text

    def _needed(self, given: dict[str, str], name: str) -> str:
        if name not in given:
            raise DataError(f"{self.place}: an element without its {name}")
        return given[name]

    def _value(self, text: str, kind: str) -> Any:
        if kind not in NUMBERS:
            return text
        if text.lower() in ("true", "false"):
            return float(text.lower() == "true")
        try:
            return float(text)
        except ValueError:
            raise DataError(f"{self.place}: {text!r} is no {kind}") from None
