"""An evaluation as one HTML page: figures with intervals, failures counted, warnings first. Nothing on it shows or names a person."""

from collections.abc import Mapping
from typing import Any

from apps.base.page import cell, image, page, text
from datamodules.ahan.leak import LIMIT

__all__ = ["evaluation_page"]

NAMES = {"general": "strangers", "kin": "other kin", "twin": "twins", "hard_twin": "hard twins"}
COLUMNS = (
    ("eer", "EER", 100.0, " %"),
    ("auc", "AUC", 1.0, ""),
    ("tar_far_0.1", "TAR at FAR 10 %", 100.0, " %"),
    ("tar_far_0.01", "TAR at FAR 1 %", 100.0, " %"),
    ("tar_far_0.001", "TAR at FAR 0.1 %", 100.0, " %"),
    ("accuracy_folds", "accuracy over folds", 100.0, " %"),
    ("d_prime", "d'", 1.0, ""),
)
READING = (
    "In brackets 95 % of draws of whole families; pairs that share a person depend on each other. FAR: impostors accepted; TAR: genuine "
    "pairs accepted; EER: where both errors are equal."
)
SILENT = (
    "Presentation attacks (a photograph, a screen, a mask) are not tried here and not stopped. Figures hold for people, cameras and days "
    "like those of this set."
)
GREY = ".grey td { color: #777; }"


def evaluation_page(told: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """told: what report.json holds. pictures: PNG files: roc, det, scores."""
    parts = [
        f"<h1>Verification on {text(told['data'])}</h1>",
        *_facts(told),
        *_warnings(told),
        "<h2>How well people are told apart</h2>",
        _sets(told["sets"]),
        f"<p class='facts'>{READING}</p>",
        *_colour(told),
        *_calibrated(told["sets"]),
        "<h2>Curves and scores</h2>",
        "<div class='side'>",
        *(image(pictures[name], words) for name, words in (("roc", "ROC"), ("det", "DET"))),
        "</div>",
        image(pictures["scores"], "how genuine pairs and impostors score"),
        *_identification(told["identification"]),
        "<h2>Images without a usable face</h2>",
        _failures(told),
        *_groups(told.get("groups")),
        "<h2>What this says nothing about</h2>",
        f"<p>{SILENT}</p>",
    ]
    return page(f"Verification on {told['data']}", "\n".join(parts), GREY)


def _facts(told: Mapping[str, Any]) -> list[str]:
    images = told["images"]
    rows = [
        f"model {told['model'][:12]}, frame {told['aligner']}, faces by {told['detector']}",
        f"{images['total']} images, {images['failed']} without a usable face, {images['coarse']} framed without the eyes",
        f"seed {told['seed']}, {told['draws']} draws",
        *told["notes"],
    ]
    return [f"<p class='facts'>{text(row)}</p>" for row in rows]


def _warnings(told: Mapping[str, Any]) -> list[str]:
    rows = [f"<p class='warning'>{text(words)}</p>" for words in told["warnings"]]
    for name, found in told["leak"].items():
        if found is None:
            rows.append(f"<p class='facts'>Leak detector, {NAMES[name]}: too few pairs or families to tell.</p>")
            continue
        share = f"{100 * found['accuracy']:.1f} % of cases (50 %: not at all)"
        words = f"From the background alone, genuine pairs and {NAMES[name]} are told apart in {share}"
        if found["warns"]:
            why = "Clothes, light, room or hair tell who it is, and every figure below may flatter."
            rows.append(f"<p class='warning'><b>Leak.</b> {text(words)}: above {100 * LIMIT:.0f} %. {why}</p>")
        else:
            rows.append(f"<p class='facts'>{text(words)}.</p>")
    return rows


def _colour(told: Mapping[str, Any]) -> list[str]:
    if not told.get("colour"):
        return []
    found = {"metrics": told["colour"], "interval95": {}}
    shown = ", ".join(f"{title} {_value(found, key, scale, unit)}" for key, title, scale, unit in COLUMNS if key in told["colour"])
    why = "The two of a kin pair are often cut from one photograph: what colour alone reaches is the photograph's, not the face's."
    return [f"<p class='facts'>The mean colour alone, without brightness: {text(shown)}. {why}</p>"]


def _sets(sets: Mapping[str, Any]) -> str:
    head = "".join(
        cell(words, number, "th")
        for words, number in (("impostors", False), ("pairs", True), *((title, True) for _, title, _, _ in COLUMNS))
    )
    rows = []
    for name, found in sets.items():
        cells = [cell(text(NAMES[name])), cell(f"{found['genuine']} + {found['impostors']}", True)]
        cells += [cell(_value(found, key, scale, unit), True) for key, _, scale, unit in COLUMNS]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    remarks = [
        f"<p class='facts'>{text(NAMES[name])}: {text(why)}</p>" for name, found in sets.items() for why in found["remarks"].values()
    ]
    return f"<div class='wide'><table><tr>{head}</tr>{''.join(rows)}</table></div>{''.join(remarks)}"


def _value(found: Mapping[str, Any], key: str, scale: float, unit: str) -> str:
    value = found["metrics"].get(key)
    if value is None:
        return "-"
    shown = f"{scale * value:.1f}{unit}" if scale > 1 else f"{value:.3f}"
    if (ends := found["interval95"].get(key)) is not None and None not in ends:
        low, high = (f"{scale * end:.1f}" if scale > 1 else f"{end:.3f}" for end in ends)
        shown += f"<br>[{low}, {high}]"
    elif (error := found["metrics"].get(f"{key}_error")) is not None:
        shown += f"<br>± {scale * error:.1f}"
    return shown


def _calibrated(sets: Mapping[str, Any]) -> list[str]:
    rows = [(name, found["calibrated"]) for name, found in sets.items() if found.get("calibrated")]
    if not rows:
        return []
    keys = ("threshold", "far_asked", "far", "tar", "generalised_far", "generalised_tar")
    titles = ("threshold", "FAR asked", "FAR here", "TAR here", "FAR, failures counted", "TAR, failures counted")
    head = cell("impostors", tag="th") + "".join(cell(title, True, "th") for title in titles)
    lines = [f"<tr>{cell(NAMES[name])}{''.join(cell(f'{found[key]:.4g}', True) for key in keys)}</tr>" for name, found in rows]
    return ["<h2>At the calibrated thresholds</h2>", f"<div class='wide'><table><tr>{head}</tr>{''.join(lines)}</table></div>"]


def _identification(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    words = (
        f"{found['people']} people enrolled, half of the families; {found['probes']} other images of them: the right one is first in "
        f"{100 * found['rank_1']:.1f} %, among the first five in {100 * found['rank_5']:.1f} % (ties count against)."
    )
    if "fpir" in found:
        strangers, enrolled = f"{100 * found['fpir']:.1f} %", f"{100 * found['fnir']:.1f} %"
        goal = f"calibrated to {100 * found['calibrated']['fpir']:g} % among {found['calibrated']['people']}"
        words += (
            f" A name is given from {found['threshold']:.3f} on: to {strangers} of {found['strangers']} images of strangers (FPIR; {goal}),"
            f" and not the right one to {enrolled} of the enrolled (FNIR). Twins count as others."
        )
    return ["<h2>One of many</h2>", f"<p>{text(words)}</p>"]


def _failures(told: Mapping[str, Any]) -> str:
    images = told["images"]
    rows = [f"<tr>{cell(text(reason))}{cell(str(count), True)}</tr>" for reason, count in images["reasons"].items()]
    table = f"<table><tr>{cell('reason', tag='th')}{cell('images', True, 'th')}</tr>{''.join(rows)}</table>" if rows else "<p>None.</p>"
    lines = []
    for name, found in told["sets"].items():
        if (lost := found.get("failed_pairs")) is not None and any(lost.values()):
            shares = ", ".join(f"{100 * value:.1f} % at FAR {float(far):.3g}" for far, value in found["generalised_tar"].items())
            held = f"{lost['genuine']} genuine pairs and {lost['impostors']} of impostors hold such an image"
            lines.append(f"<p>{text(NAMES[name])}: {held}. Counted as not accepted: TAR {shares}.</p>")
    return table + "".join(lines)


def _groups(groups: Mapping[str, Any] | None) -> list[str]:
    if groups is None:
        return []
    keys = [key for key in ("eer", "far", "frr") if any(key in row for row in groups["rows"])]
    titles = {"eer": "EER", "far": "FAR at the calibrated threshold", "frr": "FRR there"}
    head = cell(text(groups["column"]), tag="th") + "".join(
        cell(words, True, "th") for words in ("genuine", "impostors", *(titles[key] for key in keys))
    )
    lines = []
    for row in groups["rows"]:
        values = [f"{100 * row[key]:.1f} %" if row.get(key) is not None else "-" for key in keys]
        cells = cell(text(row["group"])) + "".join(cell(value, True) for value in (str(row["genuine"]), str(row["impostors"]), *values))
        lines.append(f"<tr{' class=grey' if row['few'] else ''}>{cells}</tr>")
    return [
        f"<h2>By {text(groups['column'])}</h2>",
        f"<div class='wide'><table><tr>{head}</tr>{''.join(lines)}</table></div>",
        f"<p class='facts'>Pairs within a group, strangers as impostors. Grey: fewer than {groups['fewest']} genuine pairs.</p>",
    ]
