"""The report of a job: one JSON and one HTML file that needs nothing else. Failures stand first; patients are not named."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.base.page import image, page, text
from apps.mil.slides.job import Job
from apps.mil.slides.stages import Done
from datamodules.mil.slides.state import STAGES, State
from datamodules.whole import write_whole

__all__ = ["collect", "write_reports"]

ORDER = {"failed": 0, "locked": 1, "skipped": 2, "done": 3}
SHOWN = 2000  # slides with a picture; a page of more would not open

_STYLE = """article img { width: 100%; height: 14rem; object-fit: contain; background: #f4f4f4; } article figure { margin: 0; }
article table { font-size: .9rem; }
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
            body.append(f'<section><h2>{title}</h2><div class="cards">{cards}</div></section>')
    summary = text(f"{counts}; {tiles:,} tiles; up to {report['until']}")
    head = f'<h1>Slides</h1><p class="facts">{summary}</p>'
    return page("Slides", "\n".join([head, *body]), _STYLE)


def _card(job: Job, slide: Mapping[str, Any], picture: bool) -> str:
    name = text(slide["slide"])
    path = next((path for path in (job.tile_picture(slide["slide"]), job.contours(slide["slide"])) if path.is_file()), None)
    shown = image(path.read_bytes(), f"contours of {slide['slide']}", kind="jpeg") if picture and path is not None else ""
    reason = f'<p class="reason">{text(slide["reason"])}</p>' if slide["reason"] else ""
    rows = "".join(f"<tr><td>{key}</td><td>{text(value)}</td></tr>" for key, value in _facts(slide))
    kind = "failed" if slide["status"] == "locked" else slide["status"]
    return f'<article class="{kind}"><h3>{name}</h3>{shown}{reason}<table>{rows}</table></article>'


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
