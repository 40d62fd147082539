"""The options of every verb that takes photographs: how faces are found, and what is refused."""

import argparse
from argparse import _ActionsContainer as Parser
from collections.abc import Callable
from dataclasses import fields, replace

from apps.ahan.faces.already import Already
from apps.ahan.faces.detectors import get_detector
from apps.ahan.faces.framer import Framer
from apps.ahan.faces.quality import Thresholds
from apps.base.errors import UserError
from apps.base.shell import nearest

__all__ = ["add_framing", "framer_of", "limits_of"]

LIMITS = [field.name for field in fields(Thresholds)]


def add_framing(parser: Parser, default: str = "auto", none: str = "aligned already", force: bool = True) -> None:
    """--detector, --largest, --limit and --force; `framer_of` reads them, and the verb's own --trust."""
    detectors = f"auto, haar, lbp, none ({none}), or an ONNX file of YuNet, SCRFD or RetinaFace"
    parser.add_argument("--detector", default=default, metavar="NAME|FILE", help=f"{detectors}; default: {default}")
    parser.add_argument("--largest", action="store_true", help="of several faces on a photograph take the largest")
    known = f"{', '.join(LIMITS)}; may be given several times"
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE", help=f"what quality is refused: {known}")
    if force:
        parser.add_argument("--force", action="store_true", help="use a face in spite of what its quality says; the override is recorded")


def framer_of(args: argparse.Namespace, size: int, say: Callable[[str], None], boxed: bool = False) -> Framer:
    detector = get_detector(args.detector, trusting=args.trust, say=say)
    if args.largest and isinstance(detector, Already):
        raise UserError("--largest: with --detector none the whole picture is the one face; leave it out, or name a detector")
    return Framer(detector, size, limits_of(args.limit), largest=args.largest, force=getattr(args, "force", False), boxed=boxed)


def limits_of(words: list[str]) -> Thresholds:
    """
    >>> limits_of(["blurred=5"]).blurred
    5.0
    """
    limits = Thresholds()
    for word in words:
        name, _, text = word.partition("=")
        if name not in LIMITS:
            raise UserError(f"--limit {word}: no limit {name!r}{nearest(name, LIMITS)}; there are {', '.join(LIMITS)}")
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise UserError(f"--limit {word}: a number from 0 up is needed")
        limits = replace(limits, **{name: value})
    return limits
