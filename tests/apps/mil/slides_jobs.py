"""What the tests of jobs over slides ask of a job's folder."""

import json

TILES = ("--px", "64", "--mpp", "1", "--jobs", "1")


def outputs(folder, *kinds):
    kinds = kinds or ("thumbnails", "contours", "contours_geojson", "tiles", "features")
    return {
        str(path.relative_to(folder)): path.read_bytes() for kind in kinds for path in sorted((folder / kind).rglob("*")) if path.is_file()
    }


def status(folder):
    report = json.loads((folder / "report.json").read_text())
    return {slide["slide"]: (slide["status"], slide["reason"] or "") for slide in report["slides"]}


def fresh(folder):
    return {slide["slide"]: slide["fresh"] for slide in json.loads((folder / "report.json").read_text())["slides"]}
