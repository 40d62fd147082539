"""`discern ahan enroll ID IMG...`: a template of one person, with their consent."""

import argparse
import json
from typing import Any

import cv2
import numpy as np

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.decision import ENROL_MIN
from apps.ahan.enrolment import agreement, alike, template
from apps.ahan.gallery import Entry, People
from apps.ahan.gallery.entry import check_day, check_id, now, today
from apps.ahan.verbs.asking import Asked, add_asking, open_asker
from apps.ahan.verbs.codes import NOT_ENROLLED
from apps.ahan.verbs.keeping import add_calibration, add_gallery, calibration_of, open_gallery, say_detector, say_enrolled_by
from apps.ahan.verbs.telling import say_coarse
from apps.base.errors import UserError
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell

__all__ = ["enroll"]


def enroll(shell: Shell, argv: list[str]) -> int:
    """Make a template of a person: the mean of the images' vectors, in a gallery that only you can read. A template is biometric personal
    data: faces can be made from it that a machine takes for the person. No image is kept unless asked.

    With --key a new gallery is sealed (AES-256-GCM). Images that do not look like one person are refused; images without a usable face
    are left out (exit code 1), and if none is left, nobody is enrolled (exit code 4).
    """
    args = _parser(shell).parse_args(argv)
    check_id(args.id)
    if args.expires is not None and check_day("--expires", args.expires) < today():
        raise UserError(f"--expires {args.expires}: that day is past, and nobody could be verified; name a day to come")
    folder = open_gallery(shell, args, new=True)
    asker = open_asker(shell, args)
    empty = People.empty(asker.model, asker.aligner, asker.width)
    people = folder.read() if folder.there() else empty
    people.check_made_by(asker.model, asker.aligner)
    if args.id in people and not args.replace:
        raise UserError(f"{args.id!r} is enrolled already; give --replace to enrol anew, or another ID")
    calibration = calibration_of(args, folder, asker.model, asker.aligner)
    say_detector(shell, calibration, asker.framer.detector.name)
    say_enrolled_by(shell, people.entries, asker.framer.detector.name)
    asked = asker.ask(args.images)
    say_coarse(shell, asked)
    good = [one for one in asked if one.vector is not None]
    answer: dict[str, Any] = {**asker.head("enroll"), "id": args.id, "images": [one.row() for one in asked]}
    for one in asked:
        if one.failure:
            shell.complain(f"{one.path}: {one.failure}: {one.quality.detail}")
    reason = "no usable face" if not good else _not_one(args, good, calibration, answer)
    if reason:
        print(json.dumps({**answer, "enrolled": False, "reason": reason}, ensure_ascii=False))
        return NOT_ENROLLED
    entry = _entry(args, good)
    vector = template(np.stack([one.vector for one in good if one.vector is not None]))
    answer["alike"] = _alike(shell, people, entry.id, vector, calibration)
    if entry.captured and len(set(entry.captured)) == 1 and len(good) > 1:
        shell.say(f"all images were taken on {entry.captured[0]}: light and clothes of one day flatter; enrol across days when possible")
    pictures = [cv2.imencode(".png", one.face[:, :, ::-1])[1].tobytes() for one in good if one.face is not None] if args.keep_images else []
    folder.create(empty, shell.say)
    kept = folder.change(lambda people: _with(people, entry, vector, pictures, args.replace), shell.say)
    print(json.dumps({**answer, "enrolled": True, "people": len(kept), "expires": entry.expires}, ensure_ascii=False))
    return 1 if len(good) < len(asked) else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan enroll", enroll.__doc__)
    parser.add_argument("id", metavar="ID", help="who it is")
    parser.add_argument("images", metavar="IMG", nargs="+", help="photographs of this person, better of several days")
    parser.add_argument("--consent", required=True, metavar="TEXT", help="who agreed to what; external: it is kept elsewhere")
    parser.add_argument("--expires", metavar="YYYY-MM-DD", help="the last day on which the template may be used")
    parser.add_argument("--replace", action="store_true", help="enrol anew who is enrolled already")
    parser.add_argument("--keep-images", action="store_true", help="keep the aligned faces, within the seal where there is one")
    parser.add_argument(
        "--enrol-min", type=_cosine, metavar="COSINE", help=f"mean of all pairs of images, at least; default: calibrated, or {ENROL_MIN}"
    )
    add_gallery(parser)
    add_calibration(parser)
    add_asking(parser)
    return parser


def _cosine(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not -1 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no cosine, a number of -1 to 1")
    return value


def _not_one(args: argparse.Namespace, good: list[Asked], calibration: CalibrationFile | None, answer: dict[str, Any]) -> str:
    """Why these images are hardly of one person; "" where they are."""
    found = agreement(np.stack([one.vector for one in good if one.vector is not None]))
    if found is None:
        return ""
    calibrated = calibration.calibration.enrol_min if calibration is not None else None
    # a file from before may have a lower one, of too few pairs
    least = args.enrol_min if args.enrol_min is not None else max(ENROL_MIN, calibrated if calibrated is not None else ENROL_MIN)
    answer["agreement"] = {"mean": plain(found.mean), "least_like": good[found.odd].path, "its_mean": plain(found.odd_mean)}
    if found.mean >= least:
        return ""
    return (
        f"not one person? mean cosine {found.mean:.3f} of the images, {least:.3f} is needed; "
        f"least like the others: {good[found.odd].path} ({found.odd_mean:.3f})"
    )


def _entry(args: argparse.Namespace, good: list[Asked]) -> Entry:
    return Entry(
        args.id,
        args.consent,
        now(),
        len(good),
        args.expires,
        captured=tuple(one.captured for one in good if one.captured),
        quality=tuple(one.quality.row() for one in good),
        forced=tuple(sorted({one.quality.reason for one in good if one.quality.forced and one.quality.reason})),
    )


def _alike(shell: Shell, people: People, who: str, vector: np.ndarray, calibration: CalibrationFile | None) -> list[dict[str, Any]] | None:
    """Others who would be taken for this person; None where no threshold says so."""
    if calibration is None:
        if len(people):
            shell.say("uncalibrated: whether somebody enrolled looks like this person was not looked up")
        return None
    twins = people.twins(who).named if who in people else tuple(entry.id for entry in people.entries if who in entry.twins)
    found = alike(people, vector, calibration.calibration.general.value, {who, *twins})
    for name, score in found:
        shell.complain(f"{who!r} looks like {name!r} ({score:.3f}): twin or duplicate? run: discern ahan twins {who} {name}")
    return [{"id": name, "score": plain(score)} for name, score in found]


def _with(people: People, entry: Entry, vector: np.ndarray, pictures: list[bytes], replacing: bool) -> People:
    return people.replace(entry, vector, pictures) if replacing and entry.id in people else people.add(entry, vector, pictures)
