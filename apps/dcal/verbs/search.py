"""`discern dcal search FILE GALLERY IMG...`: what in the gallery is most alike?"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.base.options import add_batch, add_device, add_trust
from apps.base.places import output_file
from apps.base.predict.answer import plain
from apps.base.predict.inputs import Inputs
from apps.base.predict.verb import Tally
from apps.base.shell import Parser, Shell, positive
from apps.dcal.draw_ranking import Ranked, Shown, ranking_sheet
from apps.dcal.gallery import Gallery
from apps.dcal.search import Hit, Searcher
from apps.dcal.verbs.asking import Asked, open_file
from apps.dcal.verbs.labels import Known, Labels
from datamodules.errors import DataError
from datamodules.pictures import read_picture
from datamodules.whole import write_bytes

__all__ = ["search"]

ON_A_SHEET = 24  # queries; more are answered, not drawn


def search(shell: Shell, argv: list[str]) -> int:
    """Rank a gallery for each picture, as JSON lines, best first: names, cosines, and what is known of them."""
    args = _parser(shell).parse_args(argv)
    sheet = output_file("--sheet", args.sheet) if args.sheet is not None else None
    gallery = Gallery.load(args.gallery)
    if not len(gallery):
        raise UserError(f"{args.gallery} is empty; add pictures with 'discern dcal index'")
    file = open_file(args.file, device=args.device, trust=args.trust, batch=args.batch)
    gallery.check_model(file.model)
    file.need("features", "export it anew with `discern dcal export --program embed` or classify")
    searcher = Searcher(gallery, center_camera=args.center_camera)
    inputs, tally = Inputs(args.inputs, sys.stdin), Tally(shell)
    labels = Labels(args.labels, args.inputs, args.camera)
    drawn: list[Ranked] = []
    for asked in file.ask(inputs, keep=sheet is not None):
        known = labels.of(asked.path)
        row: dict[str, Any] = {"input": asked.path}
        error = asked.error
        if error is None:
            try:
                cameras = [known.camera] if args.exclude_camera or args.center_camera else None
                hits = searcher.search(
                    asked.outputs["features"][None], file.model, top=args.top, cameras=cameras, exclude_camera=args.exclude_camera
                )[0]
            except UserError as problem:
                error = str(problem)
            else:
                row["matches"] = [_match(hit, asked, known) for hit in hits]
                if sheet is not None and len(drawn) < ON_A_SHEET:
                    drawn.append(_drawn(asked, known, hits))
        print(json.dumps({**row, "error": error} if error else row, ensure_ascii=False), flush=True)
        tally.add(asked.path, error)
    return _end(shell, inputs, labels, tally, sheet, drawn)


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("dcal search", search.__doc__)
    parser.add_argument("file", metavar="FILE", help="the exported program that the gallery was made with")
    parser.add_argument("gallery", metavar="GALLERY", help="what 'discern dcal index' wrote")
    parser.add_argument("inputs", metavar="IMG", nargs="+", help="pictures, folders, patterns, or - for a list of paths on stdin")
    parser.add_argument("--top", type=positive, default=10, metavar="N", help="how many matches; default: 10")
    parser.add_argument("--labels", metavar="CSV", help="file[,camera][,label]: what is known of the pictures asked for")
    parser.add_argument("--camera", help="of all pictures that the CSV names none for")
    parser.add_argument("--exclude-camera", action="store_true", help="leave out what the picture's own camera saw")
    parser.add_argument("--center-camera", action="store_true", help="subtract each camera's mean vector: cameras that differ in colour")
    parser.add_argument("--sheet", metavar="OUT.png", help="the matches as pictures; framed where both labels are known")
    add_batch(parser)
    add_device(parser)
    add_trust(parser)
    return parser


def _match(hit: Hit, asked: Asked, known: Known) -> dict[str, Any]:
    match: dict[str, Any] = {"name": hit.entry.name, "cosine": plain(hit.score)}
    for name in ("camera", "label"):
        if (value := getattr(hit.entry, name)) is not None:
            match[name] = value
    if (same := _same(hit, known)) is not None:
        match["same"] = same
    if hit.entry.digest == asked.digest:
        match["same_file"] = True  # byte by byte what was asked: no achievement
    return match


def _same(hit: Hit, known: Known) -> bool | None:
    return None if known.label is None or hit.entry.label is None else hit.entry.label == known.label


def _drawn(asked: Asked, known: Known, hits: list[Hit]) -> Ranked:
    query = Shown(asked.picture, f"asked: {known.label or Path(asked.path).name}{_camera(known.camera)}")
    found = []
    for hit in hits:
        caption = f"{hit.entry.label or Path(hit.entry.name).name}{_camera(hit.entry.camera)}\n{hit.score:.3f}"
        found.append(Shown(_picture(hit.entry.name), caption, _same(hit, known)))
    return Ranked(query, found)


def _camera(camera: str | None) -> str:
    return f", cam. {camera}" if camera else ""


def _picture(name: str) -> np.ndarray | None:
    """A gallery outlives its pictures."""
    try:
        return read_picture(name)
    except DataError:
        return None


def _end(shell: Shell, inputs: Inputs, labels: Labels, tally: Tally, sheet: Path | None, drawn: list[Ranked]) -> int:
    if tally.total == 0:
        raise UserError(f"no pictures in {', '.join(inputs.unmatched)}")
    if sheet is not None and drawn:
        write_bytes(sheet, ranking_sheet(drawn))
        shell.say(f"drawn: {sheet}" + (f" (the first {len(drawn)} of {tally.total})" if tally.total - tally.failed > len(drawn) else ""))
    for problem in [*(f"{word}: no picture there" for word in inputs.unmatched), *labels.told()]:
        shell.complain(problem)
    if tally.failed:
        shell.complain(f"{tally.failed} of {tally.total} pictures failed; the first: {tally.first}")
    return 1 if tally.failed or inputs.unmatched or labels.problems else 0
