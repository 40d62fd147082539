"""docs/house.png shows the house as it is: every room, roughly as large as it is, and nearly every import between two rooms."""

import json
from pathlib import Path

from PIL import Image

from docs.draw_house import FACTS, ROOT, facts, read_house

REMEDY = "draw it anew: python -m docs.draw_house"


def test_the_picture_shows_the_house_as_it_is():
    with Image.open(Path(ROOT, "docs", "house.png")) as picture:
        drawn = json.loads(picture.info[FACTS])
    now = facts(*read_house(ROOT))
    assert drawn["lines"].keys() == now["lines"].keys(), REMEDY
    aged = {
        name: (lines, now["lines"][name]) for name, lines in drawn["lines"].items() if abs(lines - now["lines"][name]) > 0.25 * lines + 100
    }
    assert not aged, REMEDY
    before, after = ({tuple(pair) for pair in each["imports"]} for each in (drawn, now))
    assert len(before ^ after) <= 0.1 * len(before), REMEDY
