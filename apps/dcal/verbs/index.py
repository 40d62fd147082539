"""`discern dcal index FILE FOLDER -o GALLERY`: pictures become vectors in a gallery that can be searched, added to and forgotten from."""

import json
import sys

import numpy as np

from apps.base.errors import UserError
from apps.base.only_writer import only_writer
from apps.base.options import add_batch, add_device, add_trust
from apps.base.places import output_file
from apps.base.predict.inputs import Inputs
from apps.base.predict.verb import Tally
from apps.base.shell import Parser, Shell
from apps.dcal.gallery import Entry, Gallery
from apps.dcal.verbs.asking import File, open_file
from apps.dcal.verbs.labels import Labels

__all__ = ["index"]


def index(shell: Shell, argv: list[str]) -> int:
    """Make or extend a gallery: a vector a picture. What is in it already is passed by.

    With --delete or --forget alone no file is needed.
    """
    args = _parser(shell).parse_args(argv)
    place = output_file("-o", args.output)
    taking_out = bool(args.delete or args.forget)
    if not args.words and not taking_out:
        raise UserError("index needs FILE and pictures, or --delete or --forget (see 'discern dcal index --help')")
    if len(args.words) == 1:
        raise UserError(f"index needs pictures besides {args.words[0]} (see 'discern dcal index --help')")
    if not args.words and place.exists():  # where there is none, reading it below says so
        with only_writer(place, shell.say):
            now = Gallery.load(place)
            kept = _without(now, args.delete, args.forget)
            kept.save(place)
        print(json.dumps({"gallery": args.output, "removed": len(now) - len(kept), "pictures": len(kept)}))
        return 0
    kept = _without(Gallery.load(place), args.delete, args.forget) if taking_out or place.exists() else None
    file = open_file(args.words[0], device=args.device, trust=args.trust, batch=args.batch)
    file.need("features", "export it anew with `discern dcal export --program embed` or classify")
    if kept is not None:
        kept.check_model(file.model)
    inputs, tally = Inputs(args.words[1:], sys.stdin), Tally(shell)
    labels = Labels(args.labels, args.words[1:], args.camera)
    entries, vectors, passed = _embed(file, inputs, labels, kept, tally)
    if tally.total + passed == 0:
        raise UserError(f"no pictures in {', '.join(args.words[1:])}; nothing was indexed")
    with only_writer(place, shell.say):  # pictures were embedded without it, so it is held for a moment
        now = Gallery.load(place) if place.exists() else None  # as it is by now, not as it was before
        kept = _still_without(now, args.delete, args.forget) if now is not None else None
        gallery = kept
        if entries:
            base = kept if kept is not None else Gallery.empty(file.model, len(vectors[0]), "float16" if args.half else "float32")
            gallery = base.append(np.stack(vectors), entries, file.model)
        removed = len(now) - len(kept) if now is not None and kept is not None else 0
        if gallery is not None and (entries or removed):
            gallery.save(place)
    known = len(gallery) if gallery is not None else 0
    added = known - (len(kept) if kept is not None else 0)
    said = {
        "gallery": args.output,
        "added": added,
        "there_already": passed + len(entries) - added,
        "removed": removed,
        "failed": tally.failed,
        "pictures": known,
    }
    print(json.dumps(said))
    return _end(shell, inputs, labels, tally)


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("dcal index", index.__doc__)
    parser.add_argument("words", metavar="FILE FOLDER", nargs="*", help="an exported program, then pictures, folders, or - for a list")
    parser.add_argument("-o", dest="output", metavar="GALLERY", required=True, help="the gallery; what is there is added to")
    parser.add_argument("--labels", metavar="CSV", help="file[,camera][,label]: what is known of the pictures")
    parser.add_argument("--camera", help="of all pictures that the CSV names none for")
    parser.add_argument("--delete", action="append", default=[], metavar="NAME", help="take this picture out; a copy of another name stays")
    parser.add_argument("--forget", action="append", default=[], metavar="NAME|SHA256", help="take this picture and all its copies out")
    parser.add_argument("--half", action="store_true", help="a new gallery in float16: half as large")
    add_batch(parser)
    add_device(parser)
    add_trust(parser)
    return parser


def _without(gallery: Gallery, deleted: list[str], forgotten: list[str]) -> Gallery:
    if deleted:
        gallery = gallery.delete(deleted)
    for what in forgotten:
        gallery = gallery.forget(what)
    return gallery


def _still_without(gallery: Gallery, deleted: list[str], forgotten: list[str]) -> Gallery:
    """The same, where another process may have taken some of them out meanwhile."""
    names = {entry.name for entry in gallery.entries}
    gallery = gallery.delete([name for name in deleted if name in names])
    for what in forgotten:
        if any(what in (entry.name, entry.digest) for entry in gallery.entries):
            gallery = gallery.forget(what)
    return gallery


def _embed(file: File, inputs: Inputs, labels: Labels, gallery: Gallery | None, tally: Tally) -> tuple[list[Entry], list[np.ndarray], int]:
    """(entries, their vectors, how many pictures were in the gallery already)."""
    there = {entry.name: entry.digest for entry in gallery.entries} if gallery is not None else {}
    passed: list[str] = []

    def wanted(path: str, digest: str) -> str | bool:
        if path not in there:
            there[path] = digest  # named twice on the command line, it is embedded once
            return True
        if there[path] != digest:
            return "is in the gallery with other contents; --delete it first"
        passed.append(path)
        return False

    entries, vectors = [], []
    for asked in file.ask(inputs, wanted=wanted):
        tally.add(asked.path, asked.error)
        if asked.error is None:
            entries.append(Entry(asked.path, asked.digest, *labels.of(asked.path)))
            vectors.append(asked.outputs["features"])
    return entries, vectors, len(passed)


def _end(shell: Shell, inputs: Inputs, labels: Labels, tally: Tally) -> int:
    if inputs.skipped:
        shell.say(f"{inputs.skipped} files in the folders are no pictures and were skipped")
    if labels.without_row:
        shell.say(f"{labels.without_row} pictures are not named in the CSV")
    for word in inputs.unmatched:
        shell.complain(f"{word}: no picture there")
    for problem in labels.told():
        shell.complain(problem)
    if tally.failed:
        shell.complain(f"{tally.failed} of {tally.total} pictures failed and are not in the gallery; the first: {tally.first}")
    return 1 if tally.failed or inputs.unmatched or labels.problems else 0
