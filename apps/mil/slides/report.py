"""The report of a job: one JSON and one HTML file that needs nothing else. Failures stand first; patients are not named."""

import base64
import html
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.mil.slides.job import Job
from apps.mil.slides.stages import Done
from datamodules.mil.slides.state import STAGES, State
from datamodules.whole import write_whole

__all__ = ["collect", "write_reports"]

ORDER = {"failed": 0, "locked": 1, "skipped": 2, "done": 3}
SHOWN = 2000  # slides with a picture; a page of more would not open

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Slides</title><style>
:root {{ color-scheme: light; }}
body {{ font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b1b1b; background: #fff;
  max-width: 72rem; margin: 0 auto; padding: 1rem; }}
h1 {{ font-size: 1.6rem; margin: .2rem 0; }} h2 {{ font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ccc; }}
p.facts {{ color: #444; margin: .2rem 0; overflow-wrap: anywhere; }}
.slides {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }}
article {{ border: 1px solid #ddd; border-radius: 6px; padding: .6rem; break-inside: avoid; }}
article h3 {{ font-size: 1rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }}
article img {{ width: 100%; height: 14rem; object-fit: contain; background: #f4f4f4; }}
.failed, .locked {{ border-left: 5px solid #b3261e; }} .skipped {{ border-left: 5px solid #c77700; }}
.done {{ border-left: 5px solid #2e7d32; }}
table {{ border-collapse: collapse; font-size: .9rem; }} td {{ padding: .05rem .8rem .05rem 0; vertical-align: top; }}
td:last-child {{ font-variant-numeric: tabular-nums; }} .reason {{ color: #b3261e; overflow-wrap: anywhere; }}
</style></head><body>
<h1>Slides</h1>
<p class="facts">{summary}</p>
{body}
</body></html>
"""


def collect(job: Job, done: Sequence[Done]) -> dict[str, Any]:
    """Everything that the states say about these slides, the failed ones first."""
    slides = []
    for one in done:
        stages = State(job.state(one.slide), {"id": one.slide}).stages
        facts: dict[str, Any] = {}
        for stage in STAGES:
            facts |= stages.get(stage, {}).get("facts", {})
        seconds = {stage: entry["attempts"][-1]["seconds"] for stage, entry in stages.items() if entry.get("attempts")}
        slides.append(
            {"slide": one.slide, "status": one.status, "reason": one.reason, "fresh": list(one.fresh), "seconds": seconds, **facts}
        )
    slides.sort(key=lambda slide: (ORDER[slide["status"]], slide["slide"]))
    counts = Counter(slide["status"] for slide in slides)
    return {
        "schema": 1,
        "counts": {status: counts.get(status, 0) for status in ORDER},
        "until": job.until,
        "layout": job.layout,
        "slides": slides,
    }


def write_reports(job: Job, done: Sequence[Done]) -> Path:
    report = collect(job, done)
    with write_whole(job.home / "report.json", "w") as file:
        json.dump(report, file, indent=1)
    with write_whole(job.home / "report.html", "w") as file:
        file.write(_page(job, report))
    return job.home / "report.html"


def _page(job: Job, report: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in report["counts"].items() if count)
    tiles = sum(slide.get("tiles", 0) for slide in report["slides"])
    body = []
    for status, title in (("failed", "Failed"), ("locked", "Locked"), ("skipped", "Skipped"), ("done", "Done")):
        cards = "".join(_card(job, slide, i < SHOWN) for i, slide in enumerate(report["slides"]) if slide["status"] == status)
        if cards:
            body.append(f'<section><h2>{title}</h2><div class="slides">{cards}</div></section>')
    return _PAGE.format(summary=html.escape(f"{counts}; {tiles:,} tiles; up to {report['until']}"), body="\n".join(body))


def _card(job: Job, slide: Mapping[str, Any], picture: bool) -> str:
    name = html.escape(slide["slide"])
    path = next((path for path in (job.tile_picture(slide["slide"]), job.contours(slide["slide"])) if path.is_file()), None)
    image = ""
    if picture and path is not None:
        image = f'<img alt="contours of {name}" src="data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}">'
    reason = f'<p class="reason">{html.escape(slide["reason"])}</p>' if slide["reason"] else ""
    rows = "".join(f"<tr><td>{key}</td><td>{html.escape(value)}</td></tr>" for key, value in _facts(slide))
    return f'<article class="{slide["status"]}"><h3>{name}</h3>{image}{reason}<table>{rows}</table></article>'


def _facts(slide: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if "mpp" in slide:
        x, y = slide["mpp"]
        rows.append(("um per pixel", f"{x:g}" if x == y else f"{x:g} x {y:g}"))
        rows.append(("said by", slide["mpp_source"]))
    for key, label, shape in (
        ("tissue_mm2", "tissue, mm2", "{:g}"), ("pen_share", "pen", "{:.2%}"), ("tiles", "tiles", "{:,}"),
        ("pen_dropped", "tiles under pen", "{}"),
        ("annotated_tiles", "annotated tiles", "{:,}"), ("sharpness", "sharpness", "{:g}"), ("hematoxylin", "haematoxylin", "{:g}"),
        ("eosin", "eosin", "{:g}"), ("bad_tiles", "damaged tiles", "{}"), ("tiles_per_second", "tiles a second", "{:g}"),
    ):  # fmt: skip
        if slide.get(key) is not None:
            rows.append((label, shape.format(slide[key])))
    if slide.get("edited"):
        rows.append(("contours", "drawn by a person"))
    if slide.get("warning"):
        rows.append(("warning", slide["warning"]))
    return rows
