"""Writes the table and the pictures of README from a run of the demo.

discern demo && python -m docs.draw_demo [HOME]
"""

import json
import sys
from pathlib import Path

import cv2

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
FIRST, LAST = "<!-- demo: begin, written by docs/draw_demo.py -->", "<!-- demo: end -->"
SHOWN = 420  # pixels across, on the page


def shrink(source: str, target: Path) -> None:
    """At most twice as wide as it is shown."""
    picture = cv2.imread(source)
    assert picture is not None, source
    by = min(1.0, 2 * SHOWN / picture.shape[1])
    cv2.imwrite(str(target), cv2.resize(picture, None, fx=by, fy=by, interpolation=cv2.INTER_AREA), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main(home: Path) -> None:
    rows = json.loads((home / "mlruns/demo.json").read_text())
    lines = ["| app | measure | value | trivial baseline | seconds, all told | a picture of it |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        picture = ""
        if row["picture"]:  # nothing was confused, say
            shrink(row["picture"], DOCS / f"demo_{row['app']}.png")
            picture = f"<img src='docs/demo_{row['app']}.png' width='{SHOWN}'>"
        cells = (f"`{row['app']}`", row["metric"], f"{row['value']:.3f}", f"{row['baseline']:.3f}", f"{row['seconds']:.0f}")
        lines.append(f"| {' | '.join(cells)} | {picture} |")
    before, _, rest = README.read_text().partition(FIRST)
    after = rest.partition(LAST)[2]
    README.write_text("\n".join([f"{before}{FIRST}", "", *lines, "", f"{LAST}{after}"]))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
