"""`discern ahan gallery list|show|export|reseal|audit`: the life of a gallery besides enrolling and forgetting."""

import base64
import json
from typing import Any

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.gallery import People
from apps.ahan.gallery.audit import audit as look_through
from apps.ahan.gallery.seal import crypto, read_secret
from apps.ahan.verbs.keeping import add_calibration, add_gallery, calibration_of, open_gallery, shown
from apps.base.columns import columns
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Shell
from datamodules.whole import write_whole

__all__ = ["audit", "export", "list_people", "reseal", "show"]


def list_people(shell: Shell, argv: list[str]) -> int:
    """Who is enrolled."""
    parser = shell.parser("ahan gallery list", list_people.__doc__)
    add_gallery(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with all that is kept but templates and pictures")
    args = parser.parse_args(argv)
    people = open_gallery(shell, args).read()
    rows = [shown(entry, people) for entry in people.entries]
    if args.json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif rows:
        head = ("id", "images", "enrolled", "expires", "twins")
        cells = [(row["id"], str(row["images"]), row["enrolled"][:10], _expires(row), _twins(row)) for row in rows]
        print(columns([head, *cells]))
    else:
        shell.say("nobody is enrolled")
    return 0


def show(shell: Shell, argv: list[str]) -> int:
    """What is kept of a person, as JSON; the template and pictures are in `gallery export`."""
    parser = shell.parser("ahan gallery show", show.__doc__)
    parser.add_argument("id", metavar="ID", help="who")
    add_gallery(parser)
    args = parser.parse_args(argv)
    people = open_gallery(shell, args).read()
    entry = people.entries[people.row(args.id)]
    print(json.dumps({"schema": "discern-ahan-entry-1", **_made(people), **shown(entry, people)}, ensure_ascii=False))
    return 0


def export(shell: Shell, argv: list[str]) -> int:
    """Write entries with their templates and kept pictures (PNG in base64) as JSON, in the clear, to a file that only you can read: what a
    person may ask for, or a move.
    """
    parser = shell.parser("ahan gallery export", export.__doc__)
    parser.add_argument("ids", metavar="ID", nargs="*", help="whom; default: everybody")
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="where to")
    add_gallery(parser)
    args = parser.parse_args(argv)
    place = output_file("-o", args.output)
    folder = open_gallery(shell, args)
    people = folder.read()
    rows = [people.row(who) for who in args.ids] if args.ids else range(len(people))
    entries = [_whole(people, row) for row in rows]
    with write_whole(place, "w", private=True) as file:
        json.dump({"schema": "discern-ahan-export-1", **_made(people), "people": entries}, file, ensure_ascii=False)
    shell.say(
        f"{place}: {len(entries)} people, templates and pictures in the clear"
        + ("; the gallery itself is sealed" if folder.sealed() else "")
    )
    print(json.dumps({"schema": "discern-ahan-export-1", "file": str(place), "people": len(entries)}))
    return 0


def reseal(shell: Shell, argv: list[str]) -> int:
    """Write the gallery anew under another key (--new-key), or in the clear (--open). --key is the present one, if there is one."""
    parser = shell.parser("ahan gallery reseal", reseal.__doc__)
    parser.add_argument("--new-key", metavar="FILE|env:NAME|prompt", help="the key from now on")
    parser.add_argument("--open", action="store_true", help="take the seal off")
    add_gallery(parser)
    args = parser.parse_args(argv)
    if (args.new_key is None) != args.open:
        raise UserError("reseal needs --new-key or --open, one of the two (see 'discern ahan gallery reseal --help')")
    folder = open_gallery(shell, args)
    people = len(folder.read())
    if args.new_key is not None:
        crypto()
    folder.reseal(read_secret(args.new_key, args.insecure_permissions, twice=True) if args.new_key is not None else None, shell.say)
    print(json.dumps({"schema": "discern-ahan-reseal-1", "sealed": folder.sealed(), "people": people}))
    return 0


def audit(shell: Shell, argv: list[str]) -> int:
    """Whose consent ran out, who looks like somebody else, who rests on one image or one day; exit code 1: something is to be mended."""
    parser = shell.parser("ahan gallery audit", audit.__doc__)
    add_gallery(parser)
    add_calibration(parser)
    args = parser.parse_args(argv)
    folder = open_gallery(shell, args)
    people = folder.read()
    calibration = calibration_of(args, folder, people.model, people.aligner)
    if calibration is None:
        shell.say("uncalibrated: whether people look alike was not looked up")
    findings = look_through(people, calibration.calibration.general.value if calibration else None)
    for finding in findings:
        print(json.dumps(finding._asdict(), ensure_ascii=False))
    _summary(shell, len(people), folder.sealed(), calibration, len(findings))
    return 1 if any(finding.wrong for finding in findings) else 0


def _summary(shell: Shell, people: int, sealed: bool, calibration: CalibrationFile | None, findings: int) -> None:
    seal = "sealed" if sealed else "not sealed"
    rate = f"calibrated to FAR {calibration.calibration.general.far:g}" if calibration else "uncalibrated"
    shell.say(f"{people} enrolled, {seal}, {rate}; findings: {findings}")


def _whole(people: People, row: int) -> dict[str, Any]:
    entry = people.entries[row]
    pictures = [base64.b64encode(file).decode() for file in people.pictures.get(entry.id, ())]
    return {**shown(entry, people), "template": people.vectors[row].tolist(), "png": pictures}


def _made(people: Any) -> dict[str, str]:
    return {"model": people.model, "aligner": people.aligner}


def _expires(row: dict[str, Any]) -> str:
    return f"{row['expires'] or '-'}{' (ran out)' if row['expired'] else ''}"


def _twins(row: dict[str, Any]) -> str:
    words = list(row["twins"]) + ([f"{row['forgotten_twins']} forgotten"] if row["forgotten_twins"] else [])
    return ", ".join(words) or "-"
