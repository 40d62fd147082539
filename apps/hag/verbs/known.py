"""The options of verbs that take a set of frames of known size."""

import argparse
from typing import Any

from apps.base.errors import UserError
from apps.base.predict.verb import Tally
from apps.base.shell import Shell
from apps.hag.judged import EMBEDDED, SPLITS, Judged, Known, judge, open_known
from apps.hag.sizer import Sizer
from datamodules.hag.protocols import Protocol

__all__ = ["add_known", "judged", "known_of"]


def add_known(parser: argparse.ArgumentParser, split: str) -> None:
    parser.add_argument("data", metavar="DATA", help=f"frames of known size, in any layout; {EMBEDDED}: the colonoscopies made by code")
    parser.add_argument("--split", choices=SPLITS, default=split, help=f"default: {split}; all: nobody of the set was trained on")
    group = parser.add_argument_group("a set on disk")
    group.add_argument("--protocol", choices=Protocol.__args__, help="who is on which side; default: auto, by patient where none is given")
    group.add_argument("--fold", type=int, metavar="N", help="of a protocol that has some: which is the test, from 0")
    group.add_argument("--root", action="append", metavar="NAME=DIR", help="where $NAME of a list of paths lies; may be given twice")
    group.add_argument("--skip-broken", action="store_true", default=None, help="leave out frames that cannot be read, with their count")
    group.add_argument("--depth-files", metavar="DIR", help="a file of inverse depth a frame, for a model that reads depth")


def known_of(args: argparse.Namespace, sizer: Sizer, refuse: bool = False) -> Known:
    """refuse: polyps that the model learned from, even where all are asked for."""
    roots = None
    if args.root:
        pairs = [word.partition("=") for word in args.root]
        if wrong := [word for word, (name, sign, folder) in zip(args.root, pairs, strict=True) if not (name and sign and folder)]:
            raise UserError(f"--root {wrong[0]}: write it as NAME=DIR")
        roots = {name: folder for name, _, folder in pairs}
    options: dict[str, Any] = {"protocol": args.protocol, "fold": args.fold, "roots": roots, "depth_files": args.depth_files}
    options["skip_broken"] = args.skip_broken
    return open_known(args.data, sizer, args.split, refuse, **options)


def judged(shell: Shell, args: argparse.Namespace, sizer: Sizer, known: Known) -> Judged:
    """With a sign of life; refused where no frame has a size."""
    tally = Tally(shell)
    found = judge(sizer, known, lambda one: tally.add(one.name, one.error))
    if not len(found.answers.known()):
        raise UserError(f"{args.data}: no frame of the split {args.split} has a size in mm; nothing can be measured")
    for words in found.failures[:3]:
        shell.complain(words)
    if len(found.failures) > 3:
        shell.complain(f"{len(found.failures)} frames could not be read")
    return found
