"""`discern hag evaluate DATA -o DIR`: a report of how well polyps are sized, frames and polyps, beside what needs no picture."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.base.options import seed
from apps.base.places import output_folder
from apps.base.shell import Parser, Shell, positive
from apps.hag.draw_calibration import calibration_figure
from apps.hag.draw_tested import size_figures, worst_figure
from apps.hag.evaluation import MODEL, OTHER, Rows, against, coverage, decided, differences, rows_of
from apps.hag.evaluation_page import evaluation_page
from apps.hag.judged import Judged, Known, floors_of, polyps_with_shares
from apps.hag.metrics import Answers
from apps.hag.metrics.bootstrap import DRAWS
from apps.hag.notice import NOTICE
from apps.hag.sizer import Sizer
from apps.hag.verbs.asking import add_asking, add_calibration, open_sizer
from apps.hag.verbs.known import add_known, judged, known_of
from datamodules.base import MADE
from datamodules.whole import write_bytes, write_whole

__all__ = ["evaluate"]

DOC = f"""Size the polyps of a set whose sizes are known, and write a report: errors in mm and of classes, of frames and of polyps, with
intervals over polyps; beside it what needs no picture (always the median, the apparent size, the box alone), trained on the set's own
training frames; with --calibration also whether intervals and probabilities come true; with --against what it has more than another model.

{NOTICE}"""


def evaluate(shell: Shell, argv: list[str]) -> int:
    args = _parser(shell).parse_args(argv)
    folder = output_folder("-o", args.output)
    sizer = open_sizer(shell, args)
    known = known_of(args, sizer)
    found = judged(shell, args, sizer, known)
    floors = floors_of(known, args.seed)
    beside = {} if floors is None else floors.rows(found.answers, found.boxes)
    spread = None if sizer.calibration is None else sizer.calibration.polyp
    polyps = polyps_with_shares(found, spread, sizer.has_heads)
    rows = rows_of(found.answers, polyps, beside, args.draws, args.seed)
    compared = differences(found.answers, beside, args.draws, args.seed)
    if args.against is not None:
        other, sizer_of_other = _other(shell, args, known)
        polyps_of_other = polyps_with_shares(other, None, sizer_of_other.has_heads)
        rows[OTHER] = rows_of(other.answers, polyps_of_other, {}, args.draws, args.seed)[MODEL]
        compared = {OTHER: against(found.answers, other.answers, args.draws, args.seed)} | compared
    told = {
        "schema": "discern-hag-evaluation-1", "notice": NOTICE, "model": sizer.model, "data": known.name, "split": args.split,
        "seed": args.seed, "draws": args.draws, "notes": known.notes, "statuses": found.statuses, "failures": found.failures,
        "rows": {name: {level: table.plain() for level, table in row.items()} for name, row in rows.items()},
        "differences": compared, "against": None if args.against is None else sizer_of_other.model,
        "coverage": None if sizer.calibration is None else coverage(polyps, sizer.calibration, args.draws, args.seed),
        "decision": None if sizer.calibration is None else decided(polyps, sizer.calibration),
    }  # fmt: skip
    _write(folder, told, _pictures(sizer, found, polyps, rows, args.show_frames or known.data.licence == MADE))
    keys = ("mae", "tri_macro_f1", "bin10_macro_f1")
    brief = {level: {key: table.values.get(key) for key in keys} for level, table in rows[MODEL].items()}
    print(json.dumps({"schema": told["schema"], "report": str(folder / "report.html"), **brief, "notice": NOTICE}))
    return 1 if found.failures else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("hag evaluate", DOC)
    add_known(parser, "test")
    parser.add_argument("-o", dest="output", metavar="DIR", required=True, help="where report.html, report.json and the pictures go")
    parser.add_argument("--show-frames", action="store_true", help="draw the worst frames of patients, too; made ones are always drawn")
    parser.add_argument("--draws", type=positive, default=DRAWS, metavar="N", help=f"of polyps, for the intervals; default: {DRAWS}")
    parser.add_argument("--seed", type=seed, default=0, help="of the intervals, and of the floors; default: 0")
    parser.add_argument("--against", metavar="FILE", help="another exported model, on the same frames and draws: what this one has more")
    add_calibration(parser)
    add_asking(parser)
    return parser


def _other(shell: Shell, args: argparse.Namespace, known: Known) -> tuple[Judged, Sizer]:
    """Another model on the same frames, each as it learned to see them."""
    sizer = open_sizer(shell, argparse.Namespace(**{**vars(args), "model": args.against, "calibration": None}))
    same = known_of(args, sizer)
    ours, theirs = known.facts(), same.facts()
    if not (np.array_equal(ours.row, theirs.row) and np.array_equal(ours.polyp, theirs.polyp) and np.array_equal(ours.mm, theirs.mm)):
        raise UserError(f"--against {args.against}: other polyps were held out of its training; name a split that neither learned from")
    return judged(shell, args, sizer, same), sizer


def _pictures(sizer: Sizer, found: Judged, polyps: Answers, rows: Rows, frames: bool) -> dict[str, bytes]:
    spread = None if sizer.calibration is None else sizer.calibration.polyp
    ends = None if spread is None or polyps.mm is None else spread.ends(polyps.mm)
    drawn = size_figures(found.answers, rows[MODEL], ends)
    known = polyps.known()
    if spread is not None or known.p_ge10 is not None:
        drawn["calibration"] = calibration_figure(known, spread)
    if frames and (sheet := worst_figure(found.answers, found.picture)) is not None:
        drawn["worst"] = sheet
    return drawn


def _write(folder: Path, told: dict[str, Any], pictures: dict[str, bytes]) -> None:
    for name, data in pictures.items():
        write_bytes(folder / f"{name}.png", data)
    with write_whole(folder / "report.json", "w") as file:
        json.dump(told, file, indent=1, allow_nan=False)
    with write_whole(folder / "report.html", "w") as file:
        file.write(evaluation_page(told, pictures))
