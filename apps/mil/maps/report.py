"""The reports of `discern mil diagnose`: a page a slide, and one over all. Nothing in them comes from elsewhere; patients are not named."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2

from apps.base.page import image, page, text
from apps.mil.notice import NOTICE

__all__ = ["overview_page", "slide_page"]

THUMBNAIL = 720  # pixels
_NOTICE = f'<p class="notice" role="note">{text(NOTICE)}</p>'

_WORDS = (
    ("tiles", "tiles"), ("tile_px", "side of a tile, pixels"), ("tile_mpp", "µm per pixel of a tile"), ("mpp", "µm per pixel of the slide"),
    ("mpp_source", "said by"), ("tissue_mm2", "tissue, mm²"), ("tissue_share", "tissue, share of the slide"),
    ("pen_share", "pen, share of the slide"), ("pen_dropped", "tiles under pen, left out"), ("bad_tiles", "damaged tiles"),
    ("sharpness", "sharpness (variance of the Laplacian)"), ("unlike", "distance from the training features, deviations"),
)  # fmt: skip


def slide_page(answer: Mapping[str, Any], folder: Path) -> str:
    """`folder` holds the pictures that answer["files"] names."""
    parts = [f"<h1>{text(answer['slide'])}</h1>", _decision(answer), _probabilities(answer)]
    parts += [f'<p class="warning">{text(words)}</p>' for words in answer["warnings"]]
    files = answer["files"]
    if "page" in files:
        parts.append(f'<p class="answer"><a href="{quote(files["page"])}">Zoom into the slide with the maps over it</a></p>')
    parts.append(f"<h2>Maps</h2>{image((folder / files['map']).read_bytes(), 'the slide beside the maps of attention and of instances')}")
    parts.append(
        "<p>Attention says which tiles the answer is made of, ranked within this slide: some tiles are always at the top, also on a slide "
        "without any finding. What a tile says by itself is a probability and can be low everywhere.</p>"
    )
    parts.append(f"<h2>Tiles that count most</h2>{image((folder / files['top']).read_bytes(), 'the tiles with the most attention')}")
    links = ", ".join(
        f'<a href="{quote(files[key])}">{words}</a>' for key, words in (("table", "table of all tiles"), ("geojson", "GeoJSON for QuPath"))
    )
    parts.append(f"<p>{links}, <a href='answer.json'>this answer as JSON</a></p>")
    parts.append(f"<h2>How it was made</h2>{_facts(answer)}")
    return page(answer["slide"], "\n".join([_NOTICE, *parts]))


def overview_page(answers: Sequence[Mapping[str, Any]], failures: Sequence[tuple[str, str]], out: Path) -> str:
    """`failures`: (slide, reason), shown first."""
    body = [f"<h1>Slides</h1><p>{len(answers)} answered, {len(failures)} not</p>"]
    if failures:
        rows = "".join(f"<tr><th>{text(name)}</th><td class='reason'>{text(reason)}</td></tr>" for name, reason in failures)
        body.append(f"<h2>Not answered</h2><div class='wide'><table>{rows}</table></div>")
    if answers:
        body.append(f'<h2>Answered</h2><div class="cards">{"".join(_card(answer, out) for answer in answers)}</div>')
    return page("Slides", "\n".join([_NOTICE, *body]))


def _card(answer: Mapping[str, Any], out: Path) -> str:
    name = answer["slide"]
    links = [f'<a href="{quote(name)}/report.html">report</a>']
    if "page" in answer["files"]:
        links.append(f'<a href="{quote(name)}/{quote(answer["files"]["page"])}">zoom</a>')
    warned = f'<p class="reason">warnings: {len(answer["warnings"])}</p>' if answer["warnings"] else ""
    return (
        f"<article><h3>{text(name)}</h3>{_decision(answer)}{warned}{_thumbnail(out / name / answer['files']['map'])}"
        f"<p>{' · '.join(links)}</p></article>"
    )


def _decision(answer: Mapping[str, Any]) -> str:
    shown = answer["class"]
    words = f"answered <b>{text(answer['decision'])}</b>; probability of {text(shown)}: {answer['probs'][shown]:.3f}"
    if answer["threshold"] is not None:
        words += f", the model's threshold {answer['threshold']:.3f}"
    return f'<p class="answer">{words}</p>'


def _probabilities(answer: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><td>{text(label)}</td><td class="n">{value:.4f}</td><td class="bar"><i style="width:{100 * value:.1f}%"></i></td></tr>'
        for label, value in answer["probs"].items()
    )
    return f"<table>{rows}</table>"


def _facts(answer: Mapping[str, Any]) -> str:
    rows = [
        (words, f"{answer[key]:.1%}" if key.endswith("_share") else answer[key]) for key, words in _WORDS if answer.get(key) is not None
    ]
    if answer.get("edited"):
        rows.append(("contours", "drawn by a person"))
    encoder, model = answer["encoder"], answer["model"]
    rows += [("encoder", encoder["name"]), ("encoder, sha256", encoder["sha256"])]
    rows += [
        ("model", model["file"]),
        ("model, sha256", model["sha256"]),
        ("model's protocol", model["protocol"]),
        ("licence", model["licence"]),
    ]
    lines = "".join(f"<tr><td>{text(words)}</td><td>{text(_plain(value))}</td></tr>" for words, value in rows)
    return f'<div class="wide"><table>{lines}</table></div>'


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " x ".join(f"{part:g}" for part in dict.fromkeys(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _thumbnail(path: Path) -> str:
    """Small, so that a page of hundreds opens."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        return ""
    factor = min(1.0, THUMBNAIL / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    return image(data, "maps", kind="jpeg")
