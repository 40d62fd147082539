"""The page that zooms into a slide with its maps laid over: one file beside its pictures, for any browser, without server or network."""

import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from apps.mil.maps.heat import Score, colour_table
from apps.mil.notice import NOTICE
from datamodules.mil.slides.located import Located
from datamodules.mil.slides.mpp import Resolution
from datamodules.mil.slides.pyramid import Pyramid
from datamodules.whole import write_whole

__all__ = ["write_zoom_page"]

STOPS = 33  # of the colour bar


def write_zoom_page(
    path: Path, title: str, plan: Pyramid, mpp: Resolution | None, located: Located, scores: Sequence[Score], top: Sequence[int]
) -> None:
    """Beside it lie pyramid/ and a layer_<score>.png for each score."""
    table = colour_table()
    data = {
        "size": plan.size,
        "mpp": mpp and mpp.mean,
        "side": plan.side,
        "levels": plan.levels,
        "tile": located.side0,
        "x": located.coords[:, 0].tolist(),
        "y": located.coords[:, 1].tolist(),
        "scores": [
            {
                "name": score.name, "words": score.words, "scale": score.scale, "unit": score.unit, "limits": score.limits,
                "layer": f"layer_{score.name}.png", "values": [float(f"{value:.6g}") for value in score.shown.tolist()],
            }
            for score in scores
        ],
        "top": list(top),
        "colours": ["#{:02x}{:02x}{:02x}".format(*table[round(i * 255 / (STOPS - 1))]) for i in range(STOPS)],
    }  # fmt: skip
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")  # a name must not end the script
    page = files("apps.mil.maps").joinpath("zoom.html").read_text("utf-8")
    values = {"TITLE": html.escape(title), "NOTICE": html.escape(NOTICE), "DATA": text}
    with write_whole(path, "w") as file:
        file.write(re.sub("__(TITLE|NOTICE|DATA)__", lambda mark: values[mark[1]], page))
