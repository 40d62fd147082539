"""Problems as people might tell them (told.txt), by hand: `INSIDE` as (kind, text), `OUTSIDE` what must be refused."""

from pathlib import Path

__all__ = ["INSIDE", "OUTSIDE"]

INSIDE: list[tuple[str, str]] = []
OUTSIDE: list[str] = []
_head = ""
for _line in Path(__file__).with_name("told.txt").read_text("utf-8").splitlines():
    if _line.startswith("== "):
        _head = _line[3:]
    elif _line and not _line.startswith("#"):
        _text = _line.replace("\\n", "\n")
        if _head == "outside":
            OUTSIDE.append(_text)
        else:
            INSIDE.append((_head, _text))
