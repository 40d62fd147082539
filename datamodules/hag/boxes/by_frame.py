"""Which boxes belong to a frame: those whose name is the end of the frame's path. Two frames of one name never share a box."""

from collections import defaultdict
from collections.abc import Iterable

from datamodules.errors import DataError
from datamodules.hag.boxes.marked import Marked

__all__ = ["PICTURES", "Boxes", "parts_of"]

Parts = tuple[str, ...]
PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


def parts_of(name: str) -> Parts:
    """What a frame and its annotation share: folders and name, without extension and _mask.

    >>> parts_of("case1/image_001_mask.png")
    ('case1', 'image_001')
    """
    *folders, last = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")] or [""]
    bare, dot, _ = last.rpartition(".")
    return (*folders, (bare if dot and bare else last).removesuffix("_mask"))


class Boxes:
    """Boxes by the names under which files keep them; the more folders a name and a frame's path share, the better they fit."""

    def __init__(self) -> None:
        self.marks: dict[Parts, list[Marked]] = {}
        self.seen: set[Parts] = set()  # names whose frame was asked about
        self._names: dict[Parts, str] = {}
        self._alike: dict[str, list[Parts]] = defaultdict(list)  # by the last part
        self._taken: dict[Parts, tuple[str, int]] = {}  # by whom, and how many parts they share

    def add(self, name: str, marks: Iterable[Marked], where: str) -> None:
        """More boxes of the frame of this name; none says that it has no polyp."""
        parts = parts_of(name)
        first = self._names.setdefault(parts, name)
        if first != name and all(each.lower().endswith(PICTURES) for each in (first, name)):
            raise DataError(f"{where}: {first} and {name} differ in their ending alone; rename one of them")
        if parts not in self.marks:
            self.marks[parts] = []
            self._alike[parts[-1]].append(parts)
        self.marks[parts].extend(marks)

    def of(self, path: str, who: str) -> list[Marked]:
        """The boxes of the frame at this path; none where no name fits. who: what the frame is called before people.

        A name of another folder fits where the file calls no two frames the same: folders may have been renamed since. Where it does,
        the folder is what tells them apart.
        """
        asked = parts_of(path)
        known = self._alike.get(asked[-1], [])
        shared = {parts: _shared(parts, asked) for parts in known}
        if len(known) == 1 and self._named_by_folder and shared[known[0]] == 1 < len(known[0]):
            return []
        best = max(shared.values(), default=0)
        fitting = [parts for parts in known if shared[parts] == best]
        if not fitting:
            return []
        if len(fitting) > 1:
            first, second = ("/".join(parts) for parts in fitting[:2])
            raise DataError(f"{who}: its boxes may be those of {first} or of {second}; name frames there with their folders as they lie")
        found = fitting[0]
        other, before = self._taken.setdefault(found, (who, best))
        if other != who:
            if best < before:
                return []
            raise DataError(
                f"{who} and {other} would share the boxes of {'/'.join(found)}; name frames there with their folders as they lie"
            )
        self.seen.add(found)
        return self.marks[found]

    @property
    def _named_by_folder(self) -> bool:
        return len(self._alike) < len(self.marks)


def _shared(one: Parts, other: Parts) -> int:
    """How many of their last parts are the same."""
    count = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
