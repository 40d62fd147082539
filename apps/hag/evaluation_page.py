"""An evaluation as one HTML page: what the numbers stand on first, then every row beside the floors, then pictures."""

from collections.abc import Mapping
from typing import Any

from apps.base.page import cell, image, page, text
from apps.hag.evaluation import MODEL, OTHER
from apps.hag.notice import NOTICE
from datamodules.hag.classes import SIZE_CLASSES

__all__ = ["evaluation_page"]

MILLIMETRES = (
    ("mae", "MAE", 1.0, " mm"), ("medae", "median error", 1.0, " mm"), ("bias", "bias", 1.0, " mm"),
    ("within_1mm", "within 1 mm", 100.0, " %"), ("within_20pct", "within 20 %", 100.0, " %"), ("pearson", "r", 1.0, ""),
)  # fmt: skip
CLASSES = (
    ("tri_macro_f1", "three classes: macro F1", 1.0, ""), ("tri_weighted_f1", "weighted F1", 1.0, ""),
    ("tri_balanced_accuracy", "mean recall", 1.0, ""), ("bin5_macro_f1", "5 mm: macro F1", 1.0, ""),
    ("bin5_weighted_f1", "weighted F1", 1.0, ""), ("bin5_auroc", "AUROC", 1.0, ""),
)  # fmt: skip
LARGE = (
    ("bin10_macro_f1", "10 mm: macro F1", 1.0, ""), ("bin10_weighted_f1", "weighted F1", 1.0, ""),
    ("bin10_sensitivity", "sensitivity", 100.0, " %"), ("bin10_specificity", "specificity", 100.0, " %"),
    ("bin10_balanced_accuracy", "mean recall", 1.0, ""), ("bin10_auroc", "AUROC", 1.0, ""),
)  # fmt: skip
PER_CLASS = (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))
DIFFERENCES = {
    "mae": "MAE (mm)", "within_20pct": "within 20 %", "tri_macro_f1": "three classes: macro F1", "bin10_macro_f1": "10 mm: macro F1",
    "bin10_auroc": "10 mm: AUROC",
}  # fmt: skip
FLOORS = {
    "constant": "always the median of the training polyps",
    "apparent size": "a line through ln mm by ln of the box's size",
    "box only": "trees on the box's size, shape and place",
}
LEVELS = {"polyp": "Polyps", "frame": "Frames"}
READING = (
    "In brackets 95 % of draws of whole polyps: frames of one polyp are nearly one frame. A weighted F1 is high for whoever answers the "
    "most frequent class: read it beside the constant answer."
)
PICTURES = {
    "scatter": "answered by true size; shaded: the right class", "agreement": "how far off, by how large (Bland and Altman)",
    "confusion_polyp": "polyps: true and answered class", "confusion_frame": "frames: true and answered class",
    "calibration": "do intervals and probabilities come true? (polyps)", "worst": "the frames that were most wrong, one a polyp",
}  # fmt: skip
WIDE = ("calibration", "worst")


def evaluation_page(told: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """told: what report.json holds. pictures: PNG files by name."""
    parts = [
        f"<h1>Polyp sizes on {text(told['data'])}</h1>",
        f"<p class='notice'>{text(NOTICE)}</p>",
        *_facts(told),
    ]
    for level, title in LEVELS.items():
        tables = {name: row[level] for name, row in told["rows"].items()}
        parts += [
            f"<h2>{title}</h2>",
            _rows(tables, MILLIMETRES),
            _rows(tables, CLASSES),
            _rows(tables, LARGE),
            _per_class(tables[MODEL]),
            *_remarks(tables[MODEL]),
        ]
    parts += [f"<p class='facts'>{READING}</p>", *_floors(told), *_differences(told["differences"]), *_holds(told)]
    parts += ["<h2>Pictures</h2>", "<div class='side'>"]
    parts += [image(pictures[name], words, words) for name, words in PICTURES.items() if name in pictures and name not in WIDE]
    parts += ["</div>", *(image(pictures[name], PICTURES[name], PICTURES[name]) for name in WIDE if name in pictures)]
    return page(f"Polyp sizes on {told['data']}", "\n".join(parts))


def _facts(told: Mapping[str, Any]) -> list[str]:
    frames, polyps = (told["rows"][MODEL][level] for level in ("frame", "polyp"))
    statuses = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in told["statuses"].items())
    counts = f"{frames['frames']} frames of {polyps['polyps']} polyps of known size"
    rows = [
        f"{counts}, {frames['missing']} of them without an answer, which counts as wrong; {frames['unknown']} of unknown size are left out",
        f"frames: {statuses}; classes by {'the answered mm' if frames['by'] == 'mm' else 'the heads for classes'}",
        f"model {told['model'][:12]}{_other(told)}, split {told['split']}, seed {told['seed']}, {told['draws']} draws",
        *told["notes"],
    ]
    return [f"<p class='facts'>{text(row)}</p>" for row in rows]


def _other(told: Mapping[str, Any]) -> str:
    return f", {OTHER} {told['against'][:12]}" if told.get("against") else ""


def _rows(tables: Mapping[str, Any], columns: Any) -> str:
    """A row for the model and for each floor; columns that nobody has a value in are left out."""
    columns = [column for column in columns if any(table["values"].get(column[0]) is not None for table in tables.values())]
    if not columns:
        return ""
    head = cell("", tag="th") + "".join(cell(text(title), True, "th") for _, title, _, _ in columns)
    lines = []
    for name, table in tables.items():
        title = f"<b>{text(name)}</b>" if name == MODEL else text(name)
        lines.append(f"<tr>{cell(title)}{''.join(cell(_value(table, *column), True) for column in columns)}</tr>")
    return f"<div class='wide'><table><tr>{head}</tr>{''.join(lines)}</table></div><p></p>"


def _value(table: Mapping[str, Any], key: str, title: str, scale: float, unit: str) -> str:
    value, ends = table["values"].get(key), table["intervals"].get(key)
    if value is None:
        return "-"
    digits = 1 if scale > 1 else 2 if unit else 3
    shown = f"{scale * value:.{digits}f}{unit}"
    return shown if ends is None else f"{shown}<br>[{scale * ends[0]:.{digits}f}, {scale * ends[1]:.{digits}f}]"


def _per_class(table: Mapping[str, Any]) -> str:
    head = cell("this model, by class", tag="th") + "".join(cell(title, True, "th") for _, title in PER_CLASS)
    lines = []
    for kind in SIZE_CLASSES:
        cells = "".join(cell(_value(table, f"tri_{name}_{kind}", title, 1.0, ""), True) for name, title in PER_CLASS)
        lines.append(f"<tr>{cell(kind)}{cells}</tr>")
    return f"<div class='wide'><table><tr>{head}</tr>{''.join(lines)}</table></div>"


def _remarks(table: Mapping[str, Any]) -> list[str]:
    return [f"<p class='facts'>{text(words)}</p>" for words in table["remarks"]]


def _floors(told: Mapping[str, Any]) -> list[str]:
    there = [name for name in told["rows"] if name in FLOORS]
    if not there:
        return ["<p class='warning'>No rows stand beside: the set has no training frames of known size apart from these.</p>"]
    rows = [f"<p class='facts'><b>{text(name)}</b>: {text(FLOORS[name])}</p>" for name in there]
    if len(there) < len(FLOORS):
        rows.append("<p class='facts'>Some frame has no box, so that rows that read boxes are left out.</p>")
    return rows


def _differences(found: Mapping[str, Any]) -> list[str]:
    if not found:
        return []
    names = [name for name in DIFFERENCES if any(name in each["polyp"] for each in found.values())]
    head = cell("this model less", tag="th") + cell("", tag="th") + "".join(cell(DIFFERENCES[name], True, "th") for name in names)
    lines = []
    for floor, levels in found.items():
        for level, title in LEVELS.items():
            cells = "".join(cell(_difference(levels[level].get(name)), True) for name in names)
            lines.append(f"<tr>{cell(text(floor))}{cell(title.lower())}{cells}</tr>")
    words = "On the same draws of polyps. An interval that excludes 0 says who is better: for the MAE below 0, for all others above."
    table = f"<div class='wide'><table><tr>{head}</tr>{''.join(lines)}</table></div>"
    return [
        f"<h2>Less what needs no picture{', and less another model' if OTHER in found else ''}</h2>",
        table,
        f"<p class='facts'>{words}</p>",
    ]


def _difference(each: Mapping[str, Any] | None) -> str:
    if each is None or each["value"] is None:
        return "-"
    shown = f"{each['value']:+.3f}"
    return shown if each["interval"] is None else f"{shown}<br>[{each['interval'][0]:+.3f}, {each['interval'][1]:+.3f}]"


def _holds(told: Mapping[str, Any]) -> list[str]:
    """Intervals and the decision, where there is a calibration."""
    rows = []
    if (found := told["coverage"]) is not None:
        ends = "" if found["interval"] is None else f" [{100 * found['interval'][0]:.1f}, {100 * found['interval'][1]:.1f}]"
        share, factor = f"{100 * found['share']:.1f} %{ends}", f"{found['factor']:.2f}"
        rows.append(
            f"Intervals of {100 * found['level']:g} %, calibrated on {found['calibrated_on']} polyps: of {found['polyps']} of exactly "
            f"known size {found['inside']} lie inside, {share}. They reach from the answer divided by {factor} to {factor} times it."
        )
    if (found := told["decision"]) is not None:
        least = f"{10 - found['delta']:.2f} mm" if found["delta"] is not None else f"a probability of {found['tau']:.3f}"
        shares = ", ".join(
            f"{name} {'-' if found[name] is None else f'{100 * found[name]:.1f} %'} of {found[f'{name}_polyps']}"
            for name in ("sensitivity", "specificity")
        )
        rows.append(f"Large from {least} on, chosen for a sensitivity of {100 * found['asked']:g} %: here {shares} polyps.")
    if not rows:
        rows = ["No calibration was given: there are no intervals and no decision. `discern hag calibrate` makes one."]
    return ["<h2>Intervals and the decision</h2>", *(f"<p>{text(row)}</p>" for row in rows)]
