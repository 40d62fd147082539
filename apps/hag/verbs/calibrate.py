"""`discern hag calibrate DATA`: how far off sizes are, on polyps that were not trained on; intervals and a decision follow."""

import argparse
import json
from pathlib import Path
from typing import Any

from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Parser, Shell
from apps.hag.calibration_file import CalibrationFile, Spread
from apps.hag.conformal import Residuals, half_width, offset_for, residuals_of, summary
from apps.hag.metrics import Answers, polyps_of
from apps.hag.notice import NOTICE
from apps.hag.sizer import Sizer
from apps.hag.verbs.asking import CALIBRATION, add_asking, open_sizer
from apps.hag.verbs.known import add_known, judged, known_of

__all__ = ["calibrate"]

LEVEL = 0.95
DOC = f"""Measure how far off the sizes of polyps are, so that `size` and `evaluate` can say intervals that hold with a stated probability
(split conformal; 19 polyps for 95 %), and with --sensitivity from where on a polyp is called large so that so many of the truly large are
found. Refused where the polyps are too few.

Take polyps and scopes like those of the use, and none that the model was trained on: what is found holds for their like alone. The split
val chose the best epoch, which flatters a little; a set of its own (--split all) does not. Polyps are what counts, however many frames they
have.

{NOTICE}"""


def calibrate(shell: Shell, argv: list[str]) -> int:
    args = _parser(shell).parse_args(argv)
    if args.split == "train":
        raise UserError("--split train: the model was trained on these polyps, and errors on them say nothing about others; use val")
    place = output_file("-o", args.output if args.output is not None else shell.home / CALIBRATION)
    sizer = open_sizer(shell, args)
    known = known_of(args, sizer, refuse=True)
    found = judged(shell, args, sizer, known)
    made = _calibrated(args, sizer, found.answers)
    made.save(place)
    for note in known.notes:
        shell.say(note)
    _say(shell, made, place)
    print(json.dumps({"file": str(place), **json.loads(Path(place).read_text()), "notice": NOTICE}))
    return 1 if found.failures else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("hag calibrate", DOC)
    add_known(parser, "val")
    parser.add_argument("--level", type=share, default=LEVEL, metavar="P", help=f"that a size is inside its interval; default: {LEVEL}")
    parser.add_argument("--sensitivity", type=share, metavar="P", help="of `decision: large` for polyps of 10 mm or more")
    parser.add_argument("-o", dest="output", metavar="FILE", help=f"default: {CALIBRATION} in --home")
    add_asking(parser)
    return parser


def share(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no probability, a number between 0 and 1 such as 0.95")
    return value


def _calibrated(args: argparse.Namespace, sizer: Sizer, answers: Answers) -> CalibrationFile:
    polyps = polyps_of(answers)
    frame = polyp = None
    about: dict[str, Any] = {"data": Path(args.data).name, "split": args.split, "frames": len(answers.known())}
    if answers.mm is not None:
        of_frames, of_polyps = residuals_of(answers), residuals_of(polyps)
        polyp = _spread(of_polyps, args.level)  # first: it says how many polyps are needed
        frame = _spread(of_frames, args.level)
        about |= {"censored_left_out": of_polyps.censored, "without_answer": of_polyps.missing}
    elif args.sensitivity is None:
        raise UserError("this model answers no mm, so that there are no intervals; ask for a decision with --sensitivity")
    offset = None if args.sensitivity is None else offset_for(polyps, args.sensitivity)
    return CalibrationFile(sizer.model, args.level, len(polyps.known()), frame, polyp, offset, about)


def _spread(residuals: Residuals, level: float) -> Spread:
    return Spread(half_width(residuals, level), tuple(summary(residuals)))


def _say(shell: Shell, made: CalibrationFile, place: Path) -> None:
    for name, spread in (("polyp", made.polyp), ("single frame", made.frame)):
        if spread is not None:
            low, high = spread.ends(1.0)  # pyright: ignore[reportArgumentType]
            shell.say(f"{name}: {100 * made.level:g} % interval from {low:.2f} to {high:.2f} times the answered mm")
    if left := made.about.get("censored_left_out"):
        shell.say(f"{left} polyps of censored size are left out: how far off is not known; intervals say little about the largest")
    if made.offset is not None:
        least = f"{10 - made.offset.delta:.2f} mm" if made.offset.delta is not None else f"a probability of {made.offset.tau:.3f}"
        specificity = "-" if made.offset.specificity is None else f"{made.offset.specificity:.3f}"
        shell.say(
            f"large from {least} on: sensitivity {made.offset.sensitivity:.3f} on {made.offset.large} large polyps, "
            f"specificity {specificity} on {made.offset.others} others"
        )
    shell.say(f"{made.polyps} polyps; {place}. {NOTICE}")
