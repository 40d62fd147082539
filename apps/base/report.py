"""One HTML file about a run: nothing in it comes from elsewhere, it reads on a phone and prints well."""

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from apps.base import draw
from apps.base.errors import FailureError, UserError
from apps.base.shell import Shell
from apps.base.tracking.discreet import discreet, public
from apps.base.tracking.log import CLOCKED
from apps.base.tracking.run import Run, find
from datamodules.whole import write_whole

__all__ = ["report", "write_report"]

_LONGEST_LIST = 20

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light; }}
body {{ font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b1b1b; background: #fff;
  max-width: 60rem; margin: 0 auto; padding: 1rem; }}
h1 {{ font-size: 1.6rem; margin: .2rem 0; }} h2 {{ font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ccc; }}
h3 {{ font-size: 1rem; margin: 1rem 0 .3rem; }}
p.facts {{ color: #444; margin: .2rem 0; overflow-wrap: anywhere; }}
.side {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 1rem; }}
.side figure {{ margin: .4rem 0; }} .wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }} td, th {{ text-align: left; padding: .2rem 1.2rem .2rem 0;
  border-bottom: 1px solid #e4e4e4; vertical-align: top; }}
td.n, th.n {{ text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
td {{ overflow-wrap: anywhere; }} td:first-child {{ overflow-wrap: normal; }}
img {{ max-width: 100%; height: auto; }} figure {{ margin: 1rem 0; }} figcaption {{ color: #444; font-size: .9rem; }}
pre {{ background: #f6f6f6; padding: .8rem; overflow-x: auto; font-size: .8rem; line-height: 1.35; }}
@media print {{ body {{ max-width: none; padding: 0; font-size: 11pt; }} figure, tr {{ break-inside: avoid; }} h2 {{ break-after: avoid; }}
  pre {{ white-space: pre-wrap; }} }}
</style></head><body>
{body}
</body></html>
"""


def report(shell: Shell, argv: list[str]) -> int:
    """Write everything about a run into one HTML file."""
    parser = shell.parser("report", report.__doc__)
    parser.add_argument("run", metavar="RUN", help="id or name, or a beginning of one")
    parser.add_argument("-o", "--output", type=Path, help="where to (default: report.html in the run's folder)")
    args = parser.parse_args(argv)
    run = find(shell.home, args.run)
    path = args.output or run.folder / "report.html"
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path}: no folder {path.absolute().parent}; make it first")
    try:
        _write(run, path)
    except OSError as error:
        raise FailureError(f"{path}: {error.strerror}; the report is not written") from error
    if args.output is None:
        run.artifact(path)
        run.flush()
    print(path)
    return 0


def write_report(run: Run) -> Path:
    """report.html in the run's folder, kept with the run; a full disk leaves it out."""
    path = run.folder / "report.html"
    run.flush()
    with run.spared(path.name):
        _write(run, path)
        run.artifact(path)
    return path


def _write(run: Run, path: Path) -> None:
    with write_whole(path, "w") as file:
        file.write(_page(run))


# -- the page ----------------------------------------------------------------------------------------------------------


def _page(run: Run) -> str:
    events = run.events()
    history = run.history()
    measured = {key: points for key, points in history.items() if not key.startswith(CLOCKED)}
    system = {key: points for key, points in history.items() if key.startswith(CLOCKED)}
    parts = [
        _head(run),
        _section("Results", _metric_table(measured)),
        _section("Curves", _curves(measured, "step")),
        _section("Figures", "".join(_figure(run, path, step) for path, step in _figures(events).items())),
        _section("Exported files", "".join(_model(event) for event in _models(events).values())),
        _section("Data", "".join(_tree(public(_json(run.folder / name))) for name in _newest(run, "data"))),
        _section("Configuration", _config(run)),
        _section("Machine", "".join(_tree(_json(run.folder / name)) for name in _newest(run, "machine"))),
        _section("How busy it was", _curves(system, "second")),
    ]
    return _PAGE.format(title=html.escape(f"{run.name} ({run.app})"), body="\n".join(part for part in parts if part))


def _head(run: Run) -> str:
    facts = [
        f"{run.kind}, {run.state}",
        f"begun {datetime.fromtimestamp(run.created / 1000).astimezone():%Y-%m-%d %H:%M %Z}",
        f"id {run.id}",
    ]
    if run.parent:
        facts.append(f"child of {run.parent}")
    tags = {key: value for event in run.events() if event["kind"] == "tag" for key, value in event["values"].items()}
    if "seed" in tags:
        facts.append(f"seed {tags['seed']}")
    if "mlflow.source.git.commit" in tags:
        facts.append(f"commit {tags['mlflow.source.git.commit'][:10]}{' with changes' if tags.get('git.dirty') == 'True' else ''}")
    lines = [
        f"<h1>{html.escape(run.name)} <small>{html.escape(run.app)}</small></h1>",
        f'<p class="facts">{html.escape(" · ".join(facts))}</p>',
    ]
    if len(run.attempts) > 1:
        starts = ", ".join(f"step {attempt['from_step']}" for attempt in run.attempts[1:])
        lines.append(f'<p class="facts">resumed at {starts}; steps that were taken again count once</p>')
    return "\n".join(lines)


def _metric_table(history: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    if not history:
        return ""
    rows = []
    for key in sorted(history, key=lambda key: (_STAGES.get(key.partition("/")[0], 9), key)):
        values = [value for _, value in history[key] if math.isfinite(value)]
        low, high = (_number(min(values)), _number(max(values))) if values else ("-", "-")
        step, last = history[key][-1]
        rows.append((html.escape(key), _number(last), low, high, str(step)))
    head = ("metric", "last", "lowest", "highest", "step")
    lines = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{_cells("th", head)}</tr>{lines}</table></div>'


def _cells(tag: str, cells: Sequence[str]) -> str:
    """The first names, the others are numbers."""
    return f"<{tag}>{cells[0]}</{tag}>" + "".join(f'<{tag} class="n">{cell}</{tag}>' for cell in cells[1:])


def _curves(metrics: Mapping[str, Sequence[tuple[int, float]]], unit: str) -> str:
    """A figure a quantity, so that a narrow screen shows them below each other."""
    panels: dict[str, dict[str, Sequence[tuple[int, float]]]] = {}
    for key, points in metrics.items():
        if len(points) > 1:
            panels.setdefault(key.rpartition("/")[2], {})[key] = points
    images = [_image(draw.curves(panel, unit=unit), quantity, below=False) for quantity, panel in panels.items()]
    return f'<div class="side">{"".join(images)}</div>' if images else ""


_STAGES = {"test": 0, "val": 1, "train": 2}


def _figures(events: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    return {event["path"]: event.get("step") for event in events if event["kind"] == "figure"}


def _models(events: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {event["path"]: event for event in events if event["kind"] == "model"}


def _figure(run: Run, name: str, step: int | None) -> str:
    path = run.folder / name
    if not path.exists():
        return ""
    title = path.relative_to(run.figures).with_suffix("").as_posix() if path.is_relative_to(run.figures) else path.stem
    return _image(path.read_bytes(), title.replace("_", " ") + (f", step {step}" if step is not None else ""))


def _model(event: Mapping[str, Any]) -> str:
    return (
        f"<h3>{html.escape(Path(event['path']).name)}</h3><p class='facts'>sha256 {event['sha256']}</p>"
        f"<h3>Parity with the training code</h3>{_tree(event['parity'])}<h3>Metadata</h3>{_tree(event['metadata'])}"
    )


# -- pieces ------------------------------------------------------------------------------------------------------------


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def _image(data: bytes, caption: str, below: bool = True) -> str:
    alt = html.escape(discreet(caption), quote=True)
    words = f"<figcaption>{alt}</figcaption>" if below else ""
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{base64.b64encode(data).decode()}">{words}</figure>'


def _tree(value: Any) -> str:
    """Nested values as a table; long lists by their length."""
    if isinstance(value, Mapping):
        if not value:
            return "-"
        rows = "".join(f"<tr><td>{html.escape(discreet(str(key)))}</td><td>{_tree(branch)}</td></tr>" for key, branch in value.items())
        return f'<div class="wide"><table>{rows}</table></div>'
    if isinstance(value, list | tuple):
        if len(value) > _LONGEST_LIST:
            return f"{len(value)} entries"
        return (
            "<br>".join(_tree(branch) for branch in value)
            if any(isinstance(branch, Mapping) for branch in value)
            else ", ".join(map(_tree, value)) or "-"
        )
    if isinstance(value, float):
        return _number(value)
    return "-" if value is None else html.escape(discreet(str(value)))


def _config(run: Run) -> str:
    config = public(run.config())
    return f"<pre>{html.escape(yaml.safe_dump(config, sort_keys=False))}</pre>" if config else ""


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _newest(run: Run, stem: str) -> list[str]:
    """The file of the latest attempt: data.json, data.2.json, ..."""
    for attempt in range(len(run.attempts), 0, -1):
        name = f"{stem}.json" if attempt == 1 else f"{stem}.{attempt}.json"
        if (run.folder / name).exists():
            return [name]
    return []


def _number(value: float) -> str:
    whole = math.isfinite(value) and value == int(value) and abs(value) < 1e6
    return str(int(value)) if whole else f"{value:.4g}"
