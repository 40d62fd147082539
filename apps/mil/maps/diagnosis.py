"""From one slide's features to its answer, maps and page: the last stage of `discern mil diagnose`. What is done already is left alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.mil.maps.bag_file import BagFile
from apps.mil.maps.reading import read_slide
from apps.mil.maps.report import slide_page
from apps.mil.maps.write import Background, write_maps
from apps.mil.notice import NOTICE
from apps.mil.slides.job import Job
from datamodules.mil.slides.contours import read_geojson
from datamodules.mil.slides.discover import SlideRow
from datamodules.mil.slides.located import read_located
from datamodules.mil.slides.mpp import find_mpp
from datamodules.mil.slides.problems import SlideError
from datamodules.mil.slides.slide import open_slide
from datamodules.mil.slides.state import Lock, State, digest, fingerprint
from datamodules.whole import sha256, write_whole

__all__ = ["Ask", "diagnose_slide"]

STAGE = "predict"
ASKED = ("attention", "instance")
SCHEMA = 2  # of answer.json
FACTS = ("mpp", "mpp_source", "tissue_mm2", "tissue_share", "pen_share", "pen_dropped", "bad_tiles", "sharpness", "edited")


@dataclass(frozen=True)
class Ask:
    """What is asked of every slide."""

    out: Path
    label: str | None
    finest: float | None  # um per pixel of the page


def diagnose_slide(model: BagFile, job: Job, row: SlideRow, ask: Ask) -> tuple[dict[str, Any], bool]:
    """(answer.json of the slide, whether it was made now). Its features are there."""
    name = row.slide_id
    lock = Lock(job.lock(name))
    if not lock.take():
        raise SlideError(f"another process works on it; if it is gone, delete {lock.path}")
    try:
        mark = fingerprint(Path(row.path))
        state = State(job.state(name), {"id": name, "path": row.path, **mark})
        source = {key: value for key, value in mark.items() if key != "mtime"}  # a copy has another
        features = job.home / "features" / f"{name}.safetensors"
        inputs = digest([sha256(features), sha256(job.geojson(name)), source])
        params = digest({"version": SCHEMA, "model": model.sha256, "file": model.path.name, "class": ask.label, "finest": ask.finest})
        kept = _kept(ask.out / name / "answer.json")
        if kept is not None and state.complete(STAGE, params, inputs, retry=True):
            return kept, False
        state.begin(STAGE, params, inputs)
        try:
            answer = _diagnose(model, job, row, ask, state.stages, source)
        except Exception as error:
            state.end(STAGE, "failed", " ".join(str(error).split()))
            raise
        files = [ask.out / name / file for file in ("answer.json", "report.html", *answer["files"].values())]
        state.end(STAGE, "done", None, files)
        return answer, True
    finally:
        lock.release()


def _diagnose(model: BagFile, job: Job, row: SlideRow, ask: Ask, stages: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    name, folder = row.slide_id, ask.out / row.slide_id
    located = read_located(job.home / "features" / f"{name}.safetensors", job.tiles(name))
    found = read_slide(model, located, name, ask.label, ASKED)
    facts = {key: value for stage in ("tissue", "tile", "features") for key, value in stages[stage].get("facts", {}).items()}
    with open_slide(row.path) as slide:
        background = Background(slide, find_mpp(slide, job.mpp), read_geojson(job.geojson(name)), source)
        made = write_maps(folder, located, found.scores, found.title, background, ask.finest, job.readers)
    warnings = [facts["warning"]] if facts.get("warning") else []
    warnings += found.warnings + made.warnings
    if facts.get("bad_tiles"):
        warnings.append(f"{facts['bad_tiles']} damaged tiles were read as white")
    answer = {
        "schema": SCHEMA, "notice": NOTICE, "slide": name, **found.facts, "warnings": warnings,
        **{key: facts[key] for key in FACTS if facts.get(key) is not None},
        "tile_px": located.about.get("tile_px"), "tile_mpp": located.about.get("mpp_target"),
        "encoder": {"name": located.about.get("encoder"), "sha256": located.about.get("encoder_sha256")},
        "model": {"file": model.path.name, "sha256": model.sha256, "protocol": model.protocol, "licence": model.licence},
        "top": [
            dict(zip("xy", located.coords[i].tolist(), strict=True))
            | {score.name: round(float(score.values[i]), 6) for score in found.scores}
            for i in made.top
        ],
        "files": made.files,
    }  # fmt: skip
    with write_whole(folder / "report.html", "w") as file:
        file.write(slide_page(answer, folder))
    with write_whole(folder / "answer.json", "w") as file:
        json.dump(answer, file, indent=1, ensure_ascii=False)
    return answer


def _kept(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None
