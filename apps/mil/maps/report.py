"""The reports of `discern mil diagnose`: a page a slide, and one over all. Nothing in them comes from elsewhere; patients are not named."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2

from apps.mil.notice import NOTICE

__all__ = ["overview_page", "slide_page"]

THUMBNAIL = 720  # pixels

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>
:root {{ color-scheme: light; }}
body {{ font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b1b1b; background: #fff;
  max-width: 72rem; margin: 0 auto; padding: 1rem; }}
h1 {{ font-size: 1.6rem; margin: .2rem 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ccc; }}
.notice {{ background: #fff3cd; border: 1px solid #d8b84a; border-radius: 4px; padding: .4rem .8rem; }}
.answer {{ font-size: 1.25rem; margin: .8rem 0; }} .warning {{ border-left: 5px solid #c77700; padding-left: .7rem; }}
.reason {{ color: #b3261e; overflow-wrap: anywhere; }} .wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }} td, th {{ text-align: left; padding: .15rem 1.2rem .15rem 0; vertical-align: top;
  border-bottom: 1px solid #e4e4e4; }}
td {{ overflow-wrap: anywhere; }} td.n {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
td.bar {{ min-width: 12rem; }} td.bar i {{ display: block; height: 1rem; background: #0072B2; }}
img {{ max-width: 100%; height: auto; }} a {{ color: #00508a; }} .go {{ font-size: 1.1rem; }}
.slides {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }}
article {{ border: 1px solid #ddd; border-radius: 6px; padding: .6rem; break-inside: avoid; }}
article h3 {{ font-size: 1rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }} article p {{ margin: .2rem 0; }}
@media print {{ body {{ max-width: none; padding: 0; }} figure, tr {{ break-inside: avoid; }} }}
</style></head><body>
<p class="notice" role="note">{notice}</p>
{body}
</body></html>
"""

_WORDS = (
    ("tiles", "tiles"), ("mpp", "um per pixel"),
    ("mpp_source", "said by"), ("tissue_mm2", "tissue, mm2"), ("tissue_share", "tissue, share"),
    ("pen_share", "pen, share"), ("pen_dropped", "tiles under pen, left out"),
    ("bad_tiles", "damaged tiles"), ("sharpness", "sharpness"), ("unlike", "distance from the training features"),
)  # fmt: skip


def slide_page(answer: Mapping[str, Any], folder: Path) -> str:
    """`folder` holds the pictures that answer["files"] names."""
    parts = [f"<h1>{_text(answer['slide'])}</h1>", _decision(answer), _probabilities(answer)]
    parts += [f'<p class="warning">{_text(words)}</p>' for words in answer["warnings"]]
    files = answer["files"]
    if "page" in files:
        parts.append(f'<p class="go"><a href="{quote(files["page"])}">Zoom into the slide with the maps over it</a></p>')
    parts.append(f"<h2>Maps</h2>{_image(folder / files['map'], 'the slide beside the maps of attention and of instances')}")
    parts.append(
        "<p>Attention says which tiles the answer is made of, ranked within this slide: some tiles are always at the top, also on a slide "
        "without any finding. What a tile says by itself is a probability and can be low everywhere.</p>"
    )
    parts.append(f"<h2>Tiles that count most</h2>{_image(folder / files['top'], 'the tiles with the most attention')}")
    links = ", ".join(
        f'<a href="{quote(files[key])}">{words}</a>' for key, words in (("table", "table of all tiles"), ("geojson", "GeoJSON for QuPath"))
    )
    parts.append(f"<p>{links}, <a href='answer.json'>this answer as JSON</a></p>")
    parts.append(f"<h2>How it was made</h2>{_facts(answer)}")
    return _PAGE.format(title=_text(answer["slide"]), notice=_text(NOTICE), body="\n".join(parts))


def overview_page(answers: Sequence[Mapping[str, Any]], failures: Sequence[tuple[str, str]], out: Path) -> str:
    """`failures`: (slide, reason), shown first."""
    body = [f"<h1>Slides</h1><p>{len(answers)} answered, {len(failures)} not</p>"]
    if failures:
        rows = "".join(f"<tr><th>{_text(name)}</th><td class='reason'>{_text(reason)}</td></tr>" for name, reason in failures)
        body.append(f"<h2>Not answered</h2><div class='wide'><table>{rows}</table></div>")
    if answers:
        body.append(f'<h2>Answered</h2><div class="slides">{"".join(_card(answer, out) for answer in answers)}</div>')
    return _PAGE.format(title="Slides", notice=_text(NOTICE), body="\n".join(body))


def _card(answer: Mapping[str, Any], out: Path) -> str:
    name = answer["slide"]
    links = [f'<a href="{quote(name)}/report.html">report</a>']
    if "page" in answer["files"]:
        links.append(f'<a href="{quote(name)}/{quote(answer["files"]["page"])}">zoom</a>')
    warned = f'<p class="reason">warnings: {len(answer["warnings"])}</p>' if answer["warnings"] else ""
    return (
        f"<article><h3>{_text(name)}</h3>{_decision(answer)}{warned}{_thumbnail(out / name / answer['files']['map'])}"
        f"<p>{' · '.join(links)}</p></article>"
    )


def _decision(answer: Mapping[str, Any]) -> str:
    shown = answer["class"]
    words = f"answered <b>{_text(answer['decision'])}</b>: probability of {_text(shown)}: {answer['probs'][shown]:.3f}"
    if answer["threshold"] is not None:
        words += f", the model's threshold {answer['threshold']:.3f}"
    return f'<p class="answer">{words}</p>'


def _probabilities(answer: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><td>{_text(label)}</td><td class="n">{value:.4f}</td><td class="bar"><i style="width:{100 * value:.1f}%"></i></td></tr>'
        for label, value in answer["probs"].items()
    )
    return f"<table>{rows}</table>"


def _facts(answer: Mapping[str, Any]) -> str:
    rows = [(words, answer[key]) for key, words in _WORDS if answer.get(key) is not None]
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
    lines = "".join(f"<tr><td>{_text(words)}</td><td>{_text(_plain(value))}</td></tr>" for words, value in rows)
    return f'<div class="wide"><table>{lines}</table></div>'


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " x ".join(f"{part:g}" for part in dict.fromkeys(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _image(path: Path, words: str) -> str:
    return f'<p><img alt="{words}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"></p>'


def _thumbnail(path: Path) -> str:
    """Small, so that a page of hundreds opens."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        return ""
    factor = min(1.0, THUMBNAIL / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    return f'<p><img alt="maps" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}"></p>'


def _text(value: Any) -> str:
    return html.escape(str(value))
