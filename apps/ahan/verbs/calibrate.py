"""`discern ahan calibrate PAIRS --far F`: the thresholds that decisions need, with their intervals."""

import argparse
import json
import math
from typing import Any

import numpy as np

from apps.ahan.calibration_file import CalibrationFile, Open
from apps.ahan.decision import ENROL_MIN, LOSS, supported
from apps.ahan.decision import calibrate as thresholds
from apps.ahan.far_curve import far_curve
from apps.ahan.identification import far_of
from apps.ahan.judged import Judged, gaps_to_twin, judge_trials
from apps.ahan.llr import KINDS, Llr, cllr_held_out, fit
from apps.ahan.scenarios import Scored, scenarios
from apps.ahan.verbs.asking import Asker, add_asking, open_asker
from apps.ahan.verbs.keeping import add_gallery, open_gallery
from apps.base.errors import UserError
from apps.base.options import seed
from apps.base.places import output_file
from apps.base.predict.verb import Tally
from apps.base.shell import Parser, Shell, positive
from datamodules.ahan.pairs import KIN, OTHER, TWIN
from datamodules.ahan.trials import EMBEDDED, SPLITS, Trials, open_trials

__all__ = ["add_trials", "calibrate", "fold_numbers", "rate"]

ENOUGH = 10  # impostors a false accept
MOST = 300_000  # general pairs drawn


def calibrate(shell: Shell, argv: list[str]) -> int:
    """Fix the thresholds of compare and verify at a rate of false accepts, those of twins on pairs of twins, and with --fpir and --n that
    of identify; refused where the pairs cannot support the rate. The file lies with the gallery unless -o says otherwise.

    PAIRS is a set in any layout that `discern data check` knows, or `embedded`, the faces made by code. Take people and cameras like those
    of the use, and none that the model was trained on: thresholds hold for their data alone. One image is compared with one; templates of
    several images score higher, people and impostors alike.
    """
    args = _parser(shell).parse_args(argv)
    place = output_file("-o", args.output) if args.output is not None else None
    if (args.fpir is None) != (args.n is None):
        raise UserError("--fpir and --n belong together: the chance that a stranger gets a name among so many people")
    if args.no_twins and args.twin_far is not None:
        raise UserError("--twin-far acts on pairs of twins, which --no-twins leaves out; give one of the two")
    folder = open_gallery(shell, args)
    asker = open_asker(shell, args)
    single = far_of(args.fpir, args.n) if args.fpir is not None else args.far
    wanted = min(MOST, math.ceil(ENOUGH / min(args.far, single)))
    trials = open_trials(args.pairs, asker.size, "val", args.split, fold_numbers(args.folds), wanted, args.seed)
    tally = Tally(shell)
    judged = judge_trials(asker, trials, lambda asked: tally.add(asked.path, asked.failure))
    if coarse := int(judged.coarse.sum()):
        shell.say(
            f"{coarse} of {tally.total} images are coarse, framed without the eyes: such faces get no decision about twins later, and none "
            "is behind the threshold and the margin of twins"
        )
    if tally.failed:
        shell.say(f"{tally.failed} of {tally.total} images have no usable face ({_words(judged.reasons())}); their pairs are left out")
    if kin := int((judged.kind == KIN).sum()):
        shell.say(f"{kin} pairs of other kin are left out: they are neither strangers nor twins")
    made = _calibrated(args, asker, trials, judged, single)
    if place is None:
        folder.make()
        place = folder.calibration
    made.save(place)
    shell.say(trials.notes[-1])
    _say(shell, made)
    print(json.dumps({**asker.head("calibrate"), "file": str(place), **json.loads(place.read_text())}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan calibrate", calibrate.__doc__)
    parser.add_argument("pairs", metavar="PAIRS", help=f"pairs, or people to draw them from; {EMBEDDED}: the faces made by code")
    parser.add_argument("--far", type=rate, required=True, metavar="RATE", help="of false accepts, as 1e-3")
    parser.add_argument("--twin-far", type=rate, metavar="RATE", help="of false accepts of the twin; default: --far")
    parser.add_argument("--no-twins", action="store_true", help="leave the error of twins unknown: they get no decision")
    parser.add_argument("--fpir", type=rate, metavar="RATE", help="for identify: the chance that a stranger gets a name")
    parser.add_argument("--n", type=positive, metavar="N", help="for identify: among so many people")
    parser.add_argument("--llr", choices=KINDS, default=KINDS[0], help=f"how scores become likelihood ratios; default: {KINDS[0]}")
    parser.add_argument("-o", dest="output", metavar="FILE", help="default: calibration.json in the gallery, which is made if need be")
    add_trials(parser, "val")
    add_gallery(parser, key=False)
    add_asking(parser, photographs=False)
    return parser


def add_trials(parser: argparse.ArgumentParser, split: str) -> None:
    words = f"default: {split}, or all where a list of pairs is of one split"
    parser.add_argument("--split", choices=SPLITS, help=f"{words}; of folds the first is test, the second val")
    parser.add_argument("--folds", metavar="1,2,...", help="of a list of pairs that has folds, in place of --split")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the pairs drawn and of the intervals; default: 0")


def rate(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no rate, a number between 0 and 1")
    return value


def fold_numbers(words: str | None) -> list[int] | None:
    if words is None:
        return None
    if not all(word.strip().isdecimal() for word in words.split(",")):
        raise UserError(f"--folds {words}: write them as 1,2,3")
    return [int(word) for word in words.split(",")]


def _calibrated(args: argparse.Namespace, asker: Asker, trials: Trials, judged: Judged, single: float) -> CalibrationFile:
    twins = not args.no_twins and bool((judged.usable & judged.fine & judged.scored.same).any())
    usable = judged.usable & (judged.kind != KIN) & ((judged.kind != TWIN) | (judged.fine & twins))
    scored, kind, fine = judged.scored.of(usable), judged.kind[usable], judged.fine[usable]
    if not scored.same.any():
        raise UserError(f"{args.pairs}: no genuine pair with two usable faces; thresholds need some, of two images of a person")
    if not (kind == OTHER).any():
        raise UserError(
            f"{args.pairs}: no pair of strangers with two usable faces, on which the general threshold stands; add other families"
        )
    by_twins = np.column_stack([judged.numbers[:, 0], trials.twins, judged.numbers[:, 2:]])
    eyes = np.where(judged.coarse[:, None], np.nan, judged.vectors)
    gaps = gaps_to_twin(eyes, by_twins) if (kind == TWIN).any() else np.array([])
    made = thresholds(
        scored.score, scored.same, scored.family, args.far, gaps if len(gaps) else None, args.seed, args.twin_far, fine
    )  # fmt: skip
    sets = scenarios(scored, kind) | {name: each for name, each in scenarios(scored.of(fine), kind[fine]).items() if name == TWIN}
    maps, lost = _ratios(sets, args.llr)
    about: dict[str, Any] = {
        "pairs": {"genuine": int(scored.same.sum()), **{name: int((kind == name).sum()) for name in (OTHER, TWIN)}},
        "gaps": len(gaps),
        "images": len(judged.failures),
        "failed": judged.reasons(),
        "cllr_held_out": lost,
        "detector": asker.framer.detector.name,
        "split": trials.split,
        "seed": args.seed,
    }
    curves = {name: far_curve(pairs.score[~pairs.same]) for name, pairs in sets.items()}
    return CalibrationFile(asker.model, asker.aligner, made, _open(args, sets.get(OTHER), single), maps, curves, about)


def _ratios(sets: dict[str, Scored], kind: Any) -> tuple[dict[str, Llr], dict[str, float | None]]:
    maps = {name: fit(pairs.score, pairs.same, kind) for name, pairs in sets.items()}
    lost = {name: cllr_held_out(pairs.score, pairs.same, pairs.family, kind) for name, pairs in sets.items()}
    return maps, {name: round(value, 4) if np.isfinite(value) else None for name, value in lost.items()}


def _open(args: argparse.Namespace, pairs: Scored | None, single: float) -> Open | None:
    """The threshold of identify."""
    if args.fpir is None:
        return None
    if pairs is None:
        raise UserError(f"{args.pairs}: no pairs of strangers, which --fpir stands on; name a set that has some")
    found = supported(pairs.score, pairs.same, single, f"--fpir {args.fpir:g} --n {args.n}", "ask for a higher rate or fewer people")
    return Open(found.threshold, args.fpir, args.n, single, int((~pairs.same).sum()), found.value)


def _say(shell: Shell, made: CalibrationFile) -> None:
    for name, found in (("general", made.calibration.general), ("twin", made.calibration.twin)):
        if found is None:
            shell.say(f"{name}: error unknown: no usable pairs of twins; a declared twin gets no decision")
            continue
        enough = ENOUGH / found.far
        few = f"; stands on {found.impostors} impostors, {enough:.0f} would be enough" if found.impostors < enough else ""
        shell.say(
            f"{name}: accept from {found.value:.4f} on: FAR {found.far:g} (95 % of draws of {found.families} families: {found.low:.2g} to "
            f"{found.high:.2g}), TAR {found.tar:.3f}{few}"
        )
    needed = round(1 / LOSS)
    delta, least = made.calibration.delta, made.calibration.enrol_min
    if delta is not None:
        shell.say(f"margin to the twin: {delta:.4f}")
    elif made.calibration.twin is not None:
        few = f"{made.about['gaps']} images of people with twins, {needed} are needed"
        shell.say(f"margin to the twin: not known: {few}; where the twin is enrolled there is no decision")
    if least is not None:
        shell.say(f"enroll: images of one person have a mean cosine of {least:.4f} or more")
    else:
        few = f"{made.about['pairs']['genuine']} genuine pairs, {needed} are needed"
        shell.say(f"enroll: how alike images of one person are is not known: {few}; {ENROL_MIN} stands")
    if made.identify is not None:
        rule = made.identify
        shell.say(f"identify: a name from {rule.value:.4f} on: FPIR {rule.fpir:g} among {rule.people}, if comparisons are independent")


def _words(reasons: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in reasons.items())
