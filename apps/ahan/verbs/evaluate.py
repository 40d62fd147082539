"""`discern ahan evaluate DATA -o DIR`: a report of how well a model tells people apart, and twins."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.colour import UNKNOWN as NO_COLOUR
from apps.ahan.colour import chrominance, colour_alone
from apps.ahan.draw_curves import det_figure, roc_figure, scores_figure
from apps.ahan.evaluation import FEWEST, Sets, by_group, evaluated, hard_pairs, identification, leaks, sets_of
from apps.ahan.evaluation_page import NAMES, evaluation_page
from apps.ahan.judged import Judged, judge_trials
from apps.ahan.verbs.asking import Asked, Asker, add_asking, open_asker
from apps.ahan.verbs.calibrate import add_trials, fold_numbers
from apps.ahan.verbs.keeping import other_detector
from apps.base.errors import UserError
from apps.base.places import output_folder
from apps.base.predict.verb import Tally
from apps.base.shell import Parser, Shell, positive
from datamodules.ahan.csv_layout import YAW, faces_column, yaw_range
from datamodules.ahan.leak import UNKNOWN as NO_BACKGROUND
from datamodules.ahan.leak import background
from datamodules.ahan.pairs import OTHER, TWIN
from datamodules.ahan.trials import EMBEDDED, Trials, open_trials
from datamodules.whole import write_bytes, write_whole

__all__ = ["evaluate"]

GENERAL = 5000  # pairs of strangers, where they are drawn
DRAWS = 1000


def evaluate(shell: Shell, argv: list[str]) -> int:
    """Verify the pairs of a set and write a report: strangers, twins and (with --hard-by) hard twins apart; EER, AUC, TAR at fixed rates of
    false accepts, with intervals that know families; images without a usable face counted; and whether the background alone gives people
    away. DATA is what `discern data check` knows, or `embedded`. Nothing in the report shows or names a person.
    """
    args = _parser(shell).parse_args(argv)
    folder = output_folder("-o", args.output)
    asker = open_asker(shell, args)
    calibration = CalibrationFile.load(Path(args.calibration), asker.model, asker.aligner) if args.calibration is not None else None
    if framed := other_detector(calibration, asker.framer.detector.name):
        shell.say(framed)
    trials = open_trials(args.data, asker.size, "test", args.split, fold_numbers(args.folds), GENERAL, args.seed)
    groups = _groups(args, trials)
    seen = Seen([], [])
    judged = _judged(shell, asker, trials, seen)
    hard = _hard(shell, args, asker, trials, judged)
    sets = sets_of(judged, hard)
    if not sets:
        raise UserError(f"{args.data}: no genuine pair, or no pair of two people, with two usable faces; nothing can be measured")
    told = {
        **asker.head("evaluation"), "data": trials.name, "split": trials.split, "seed": args.seed, "draws": args.draws,
        "notes": trials.notes, "warnings": [framed] if framed else [],
        "images": {
            "total": len(judged.failures), "failed": sum(judged.reasons().values()), "reasons": judged.reasons(),
            "fte": round(sum(judged.reasons().values()) / len(judged.failures), 6), "coarse": int(judged.coarse.sum()),
        },
        "sets": evaluated(judged, sets, calibration, args.draws, args.seed),
        "identification": identification(judged, calibration, args.seed),
        "leak": leaks(np.stack(seen.backgrounds), judged, trials.pairs.first, trials.pairs.second),
    }  # fmt: skip
    if trials.kin:
        told["colour"] = colour_alone(np.stack(seen.colours), judged, trials.pairs.first, trials.pairs.second)
    if groups is not None:
        threshold = calibration.calibration.general.value if calibration is not None else None
        rows = by_group(judged, trials.pairs.first, trials.pairs.second, groups, threshold)
        told["groups"] = {"column": args.group, "fewest": FEWEST, "rows": rows}
    _write(folder, told, _pictures(sets, calibration))
    for name, found in told["leak"].items():
        if found is not None and found["warns"]:
            shell.complain(f"leak: the background alone tells genuine pairs from {NAMES[name]} in {100 * found['accuracy']:.0f} % of cases")
    brief = {
        name: {"eer": found["metrics"].get("eer"), "interval95": found["interval95"].get("eer")} for name, found in told["sets"].items()
    }
    print(json.dumps({**asker.head("evaluation"), "report": str(folder / "report.html"), "fte": told["images"]["fte"], "eer": brief}))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan evaluate", evaluate.__doc__)
    parser.add_argument("data", metavar="DATA", help=f"pairs, or people to draw them from; {EMBEDDED}: the faces made by code")
    parser.add_argument("-o", dest="output", metavar="DIR", required=True, help="where report.html, report.json and the pictures go")
    parser.add_argument("--calibration", metavar="FILE", help="also what its thresholds do here")
    parser.add_argument("--hard-by", metavar="FILE", help="an exported file of a plain network: the quarter of twins it confuses most")
    parser.add_argument("--group", metavar="COLUMN", help="of a CSV of faces: figures for each of its values, of yaw by 15 degrees")
    parser.add_argument("--draws", type=positive, default=DRAWS, metavar="N", help=f"of families, for the intervals; default: {DRAWS}")
    add_trials(parser, "test")
    add_asking(parser, photographs=False)
    return parser


@dataclass
class Seen:
    """What is gathered of images as they are judged; no face is kept."""

    backgrounds: list[np.ndarray]
    colours: list[np.ndarray]

    def add(self, asked: Asked) -> None:
        self.backgrounds.append(NO_BACKGROUND if asked.face is None else background(asked.face))
        self.colours.append(NO_COLOUR if asked.face is None else chrominance(asked.face))


def _judged(shell: Shell, asker: Asker, trials: Trials, seen: Seen | None = None) -> Judged:
    tally = Tally(shell)

    def each(asked: Asked) -> None:
        tally.add(asked.path, asked.failure)
        if seen is not None:
            seen.add(asked)

    return judge_trials(asker, trials, each)


def _hard(shell: Shell, args: Any, asker: Asker, trials: Trials, judged: Judged) -> np.ndarray | None:
    if args.hard_by is None:
        return None
    if not (judged.kind == TWIN).any():
        raise UserError(f"--hard-by: {args.data} has no pairs of twins; leave it out")
    args.model = args.hard_by
    other = open_asker(shell, args)
    if other.size != asker.size:
        raise UserError(f"--hard-by {args.hard_by} takes faces of {other.size} pixels, --model of {asker.size}; name one of the same size")
    return hard_pairs(judged, trials.pairs, _judged(shell, other, trials).scored.score)


def _groups(args: Any, trials: Trials) -> list[str] | None:
    if args.group is None:
        return None
    values = faces_column(Path(args.data), args.group)
    found = [values.get(file, "") for file in trials.files]
    return [yaw_range(cell) for cell in found] if args.group.lower() == YAW else found


def _pictures(sets: Sets, calibration: CalibrationFile | None) -> dict[str, bytes]:
    drawn = {NAMES[name]: (pairs.score, pairs.same) for name, pairs in sets.items()}
    rules = {} if calibration is None else {OTHER: calibration.calibration.general, TWIN: calibration.calibration.twin}
    at = {NAMES[name]: rule.value for name, rule in rules.items() if rule is not None and name in sets}
    return {"roc": roc_figure(drawn), "det": det_figure(drawn), "scores": scores_figure(drawn, at)}


def _write(folder: Path, told: dict[str, Any], pictures: dict[str, bytes]) -> None:
    for name, data in pictures.items():
        write_bytes(folder / f"{name}.png", data)
    with write_whole(folder / "report.json", "w") as file:
        json.dump(told, file, indent=1, allow_nan=False)
    with write_whole(folder / "report.html", "w") as file:
        file.write(evaluation_page(told, pictures))
