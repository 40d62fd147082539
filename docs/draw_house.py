"""Draws docs/house.png from the imports in the source: the rooms by floor, and how often one room imports another.

python -m docs.draw_house
"""

import ast
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.patches import Rectangle

from apps.base.card import APPS
from apps.base.draw import COLOURS, png, style

ROOT = Path(__file__).parents[1]
FACTS = "House"  # the text in the picture that holds them
FLOORS = (("apps.cli",), tuple(f"apps.{name}" for name in APPS), ("apps.base",), ("core_attention", "datamodules"), ("kernels",))


@dataclass
class Room:
    files: int = 0
    lines: int = 0


def room_of(module: str, folders: frozenset[str]) -> str:
    """The folder that a module lies in, two deep below apps.base, one deep elsewhere; all operations of the kernels are one room."""
    if module == "apps.start":
        return "apps.cli"  # its first lines
    parts = module.split(".")
    if parts[0] == "kernels":
        return "kernels.operations" if ".".join(parts[:2]) in folders else "kernels"
    deep = 3 if parts[:2] == ["apps", "base"] else 2
    name = ".".join(parts[:deep])
    return name if name in folders or name == "apps.cli" else ".".join(parts[: deep - 1])


def read_house(root: Path) -> tuple[dict[str, Room], Counter[tuple[str, str]]]:
    """The rooms with their size, and the imports between two of them."""
    sources = {path: ".".join(path.relative_to(root).with_suffix("").parts) for top in ("apps", "core_attention", "datamodules", "kernels")
               for path in sorted((root / top).rglob("*.py"))}  # fmt: skip
    folders = frozenset(name.removesuffix(".__init__") for name in sources.values() if name.endswith(".__init__"))
    rooms: dict[str, Room] = {}
    imports: Counter[tuple[str, str]] = Counter()
    for path, name in sources.items():
        here = room_of(name.removesuffix(".__init__"), folders)
        room = rooms.setdefault(here, Room())
        text = path.read_text()
        room.files, room.lines = room.files + 1, room.lines + text.count("\n")
        for module in imported(ast.parse(text)):
            if module.split(".")[0] in ("apps", "core_attention", "datamodules", "kernels"):
                there = room_of(module, folders)
                if there != here:
                    imports[here, there] += 1
    return {name: room for name, room in rooms.items() if name != "apps"}, imports


def imported(tree: ast.AST) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def facts(rooms: dict[str, Room], imports: Counter[tuple[str, str]]) -> dict[str, Any]:
    """What is drawn, to compare with the house later on: a picture of it ages with every file."""
    return {"lines": {name: room.lines for name, room in sorted(rooms.items())}, "imports": sorted(map(list, imports))}


def floor_of(room: str) -> int:
    return next(number for number, names in enumerate(FLOORS) if any(room == name or room.startswith(f"{name}.") for name in names))


def draw(rooms: dict[str, Room], imports: Counter[tuple[str, str]]) -> bytes:
    """A cell is how often the room of its row imports that of its column. Left of its floor's square a row is empty: nobody looks up."""
    names = sorted(rooms, key=lambda name: (floor_of(name), name))
    floors = [floor_of(name) for name in names]
    with style() as Figure:
        figure = Figure(figsize=(11.5, 9))
        axis = figure.subplots()
        axis.grid(False)
        for y, source in enumerate(names):
            for x, target in enumerate(names):
                if count := imports[source, target]:
                    dark = min(0.9, 0.15 + 0.12 * count**0.5)
                    axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=COLOURS[floors[y]], alpha=dark, edgecolor="none"))
                    axis.text(x, y, str(count), ha="center", va="center", fontsize=8)
        for number in set(floors):
            first, last = floors.index(number) - 0.5, len(floors) - floors[::-1].index(number) - 0.5
            side = last - first
            axis.add_patch(Rectangle((first, first), side, side, facecolor="none", edgecolor="#555555", linewidth=1.2))
        axis.set_xticks(range(len(names)), names, rotation=55, ha="left", fontsize=8)
        axis.set_yticks(
            range(len(names)), [f"{name}  ({rooms[name].files} files, {rooms[name].lines:,} lines)" for name in names], fontsize=8
        )
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        axis.set_xlim(-0.5, len(names) - 0.5)
        axis.set_ylim(len(names) - 0.5, -0.5)
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.set_title("How often the room of a row imports that of a column; squares are floors", y=-0.05, fontsize=10)
        return png(figure, {FACTS: json.dumps(facts(rooms, imports))})


if __name__ == "__main__":
    Path(__file__).with_name("house.png").write_bytes(draw(*read_house(ROOT)))
