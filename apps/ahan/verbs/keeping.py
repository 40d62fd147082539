"""What the verbs that use a gallery share: where it lies, its key, and the calibration that its decisions need."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.gallery import Entry, GalleryFolder, People, TemplateMismatch
from apps.ahan.gallery.seal import read_secret
from apps.base.errors import UserError
from apps.base.shell import Shell

__all__ = [
    "GALLERY",
    "WARNING",
    "add_calibration",
    "add_gallery",
    "calibration_of",
    "calibration_or_why",
    "open_gallery",
    "other_detector",
    "say_detector",
    "say_enrolled_by",
    "shown",
    "usable_entry",
]

GALLERY = "gallery"
WARNING = (
    "It compares faces and stops no presentation attack: a photograph, a screen or a mask of the person is the person to it, and so is an "
    "injected video. Rate limits and lockouts are the caller's. A template is biometric personal data."
)


def add_gallery(parser: argparse.ArgumentParser, key: bool = True) -> None:
    """key: False: the verb reads no template."""
    parser.add_argument("--gallery", metavar="DIR", help=f"default: {GALLERY} in --home")
    if key:
        parser.add_argument("--key", metavar="FILE|env:NAME|prompt", help="of a sealed gallery")
    parser.add_argument("--insecure-permissions", action="store_true", help="also where others can read the gallery or the key")


def add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calibration", metavar="FILE", help="what `calibrate` wrote; default: the gallery's own")


def open_gallery(shell: Shell, args: argparse.Namespace, new: bool = False) -> GalleryFolder:
    """new: it may not be there yet; a key is then asked for twice."""
    folder = GalleryFolder(Path(args.gallery) if args.gallery is not None else shell.home / GALLERY, None, args.insecure_permissions)
    if getattr(args, "key", None) is not None:
        folder.secret = read_secret(args.key, args.insecure_permissions, twice=new and not folder.there())
    return folder


def calibration_of(args: argparse.Namespace, folder: GalleryFolder, model: str, aligner: str) -> CalibrationFile | None:
    """Named, or the gallery's own; None: nothing is calibrated."""
    if args.calibration is not None:
        return CalibrationFile.load(Path(args.calibration), model, aligner)
    if folder.calibration.is_file():
        folder.check_private()
        return CalibrationFile.load(folder.calibration, model, aligner)
    return None


def calibration_or_why(args: argparse.Namespace, folder: GalleryFolder, model: str, aligner: str) -> tuple[CalibrationFile | None, str]:
    """Where the gallery's own calibration is of another model, none, and why: there is a score all the same."""
    try:
        return calibration_of(args, folder, model, aligner), ""
    except TemplateMismatch as error:
        if args.calibration is not None:
            raise
        return None, f"uncalibrated: {error}"


def other_detector(calibration: CalibrationFile | None, detector: str) -> str:
    """What is to be said where faces were framed otherwise, and score otherwise; "" where they were not."""
    calibrated = None if calibration is None else calibration.about.get("detector")
    if calibrated is None or calibrated == detector:
        return ""
    return f"calibrated on faces by {calibrated}, these are by {detector}: the rates may not hold; calibrate with --detector {detector}"


def say_detector(shell: Shell, calibration: CalibrationFile | None, detector: str) -> None:
    if words := other_detector(calibration, detector):
        shell.say(words)


def say_enrolled_by(shell: Shell, entries: Sequence[Entry], detector: str) -> None:
    """Nor are templates of faces that were framed otherwise quite what is asked of them."""
    others = {row["detector"] for entry in entries for row in entry.quality if row.get("detector", detector) != detector}
    if others:
        who = f"{entries[0].id!r} was" if len(entries) == 1 else "some were"
        shell.say(f"{who} enrolled from faces by {', '.join(sorted(others))}, these are by {detector}: scores may be lower than calibrated")


def usable_entry(people: People, who: str) -> Entry:
    entry = people.entries[people.row(who)]
    if entry.expired():
        raise UserError(f"{who!r}: consent ran out on {entry.expires}; enrol anew with --replace, or forget")
    return entry


def shown(entry: Entry, people: People) -> dict[str, Any]:
    """An entry for JSON: never the template, never pictures."""
    twins = people.twins(entry.id)
    return {**entry.plain(), "twins": list(twins.named), "twins_not_enrolled": twins.absent, "expired": entry.expired()}
