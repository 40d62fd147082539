"""One HTML file about a run."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from apps.base.curves import curve
from apps.base.errors import FailureError
from apps.base.page import cell, image, page, text
from apps.base.places import output_file
from apps.base.shell import Shell
from apps.base.tracking.discreet import discreet, public
from apps.base.tracking.finding import find
from apps.base.tracking.log import CLOCKED
from apps.base.tracking.run import Run
from datamodules.whole import write_whole

__all__ = ["report", "write_report"]

_LONGEST_LIST = 20


def report(shell: Shell, argv: list[str]) -> int:
    """Write everything about a run into one HTML file."""
    parser = shell.parser("report", report.__doc__)
    parser.add_argument("run", metavar="RUN", help="id or name, or a beginning of one")
    parser.add_argument("-o", "--output", type=Path, help="where to (default: report.html in the run's folder)")
    args = parser.parse_args(argv)
    run = find(shell.home, args.run)
    path = run.folder / "report.html" if args.output is None else output_file("-o", args.output)
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
    return page(f"{run.name} ({run.app})", "\n".join(part for part in parts if part))


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
        f"<h1>{text(run.name)} <small>{text(run.app)}</small></h1>",
        f'<p class="facts">{text(" · ".join(facts))}</p>',
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
        rows.append((text(key), _number(last), low, high, str(step)))
    head = ("metric", "last", "lowest", "highest", "step")
    lines = "".join(_row(row) for row in rows)
    return f'<div class="wide"><table>{_row(head, "th")}{lines}</table></div>'


def _row(cells: Sequence[str], tag: str = "td") -> str:
    """The first names, the others are numbers."""
    return "<tr>" + "".join(cell(words, i > 0, tag) for i, words in enumerate(cells)) + "</tr>"


def _curves(metrics: Mapping[str, Sequence[tuple[int, float]]], unit: str) -> str:
    """A figure a quantity, so that a narrow screen shows them below each other."""
    panels: dict[str, dict[str, Sequence[tuple[int, float]]]] = {}
    for key, points in metrics.items():
        if len(points) > 1:
            stage, _, quantity = key.rpartition("/")
            panels.setdefault(quantity, {})[stage] = points
    images = [
        image(curve(discreet(quantity), lines, unit).encode(), discreet(quantity), kind="svg+xml") for quantity, lines in panels.items()
    ]
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
    caption = discreet(title.replace("_", " ") + (f", step {step}" if step is not None else ""))
    return image(path.read_bytes(), caption, caption)


def _model(event: Mapping[str, Any]) -> str:
    return (
        f"<h3>{text(Path(event['path']).name)}</h3><p class='facts'>sha256 {event['sha256']}</p>"
        f"<h3>Parity with the training code</h3>{_tree(event['parity'])}<h3>Metadata</h3>{_tree(event['metadata'])}"
    )


# -- pieces ------------------------------------------------------------------------------------------------------------


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def _tree(value: Any) -> str:
    """Nested values as a table; long lists by their length."""
    if isinstance(value, Mapping):
        if not value:
            return "-"
        rows = "".join(f"<tr><td>{text(discreet(str(key)))}</td><td>{_tree(branch)}</td></tr>" for key, branch in value.items())
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
    return "-" if value is None else text(discreet(str(value)))


def _config(run: Run) -> str:
    config = public(run.config())
    return f"<pre>{text(yaml.safe_dump(config, sort_keys=False))}</pre>" if config else ""


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
