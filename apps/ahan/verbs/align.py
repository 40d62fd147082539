"""`discern ahan align IMG..`: is there a face, how good is it, and what does the model get to see?"""

import csv
import json
import sys
from contextlib import closing
from typing import IO, Any

import cv2
import numpy as np

from apps.ahan.faces.framer import Framer
from apps.ahan.faces.options import add_framing, framer_of
from apps.base.errors import UserError
from apps.base.options import add_trust
from apps.base.places import output_folder
from apps.base.predict.inputs import Inputs
from apps.base.predict.picture import write_drawn
from apps.base.predict.reader import read_ahead
from apps.base.shell import Parser, Shell, positive
from datamodules.ahan.dataset import MAX_PIXELS
from datamodules.ahan.template import ALIGNER, SIDE
from datamodules.pictures import read_picture

__all__ = ["align"]

AHEAD = 4  # photographs decoded before they are asked for


def align(shell: Shell, argv: list[str]) -> int:
    """Find the face on each photograph, turn it upright by EXIF and into the frame, and say how good it is: a row a photograph.

    INPUT is a photograph, a folder, a pattern such as 'photos/*.jpg', or - for a list of paths on stdin. A photograph that cannot be used
    has a failure, the first of: unreadable, no_face, many_faces, too_small, bad_landmarks, pose, clipped, dark, bright, flat, blurred.
    No picture is written unless --out names a folder for the aligned faces.
    """
    args = _parser(shell).parse_args(argv)
    framer = framer_of(args, args.size, shell.say)
    folder = output_folder("--out", args.out) if args.out is not None else None
    inputs = Inputs(args.inputs, sys.stdin)
    rows, total, failed = Rows(sys.stdout, args.format), 0, 0
    with closing(read_ahead(inputs, lambda path: read_picture(path, max_pixels=MAX_PIXELS), AHEAD, bursts=True)) as items:
        for path, picture, error in items:
            row, face = _one(framer, path, picture, error)
            if face is not None and folder is not None:
                png = cv2.imencode(".png", face[:, :, ::-1])[1].tobytes()
                row["aligned"] = str(write_drawn(folder, total, path, png))
            rows.add(row)
            total, failed = total + 1, failed + (face is None)
    for word in inputs.unmatched:
        shell.complain(f"{word}: no picture there")
    if not total:
        raise UserError("no picture to align; name photographs or a folder of them")
    if failed:
        shell.complain(f"{failed} of {total} photographs have no usable face")
    return 1 if failed or inputs.unmatched else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan align", align.__doc__)
    parser.add_argument("inputs", metavar="INPUT", nargs="+")
    parser.add_argument("--out", metavar="DIR", help="write the aligned faces to this folder, as PNG")
    parser.add_argument("--size", type=positive, default=SIDE, metavar="PIXELS", help=f"side of an aligned face; default: {SIDE}")
    parser.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help="default: jsonl")
    add_framing(parser)
    add_trust(parser)
    return parser


def _one(framer: Framer, path: str, picture: np.ndarray | None, error: str | None) -> tuple[dict[str, Any], np.ndarray | None]:
    framed = framer.unreadable(error or "") if picture is None else framer(picture)
    head = {"schema": "discern-ahan-align-1", "aligner": ALIGNER, "image": path}
    return head | {"failure": None if framed.quality.usable else framed.quality.reason, **framed.quality.row()}, framed.face


class Rows:
    """JSON lines, or a CSV whose columns are those of the first row and `aligned`."""

    def __init__(self, stream: IO[str], form: str) -> None:
        self.stream, self.form = stream, form
        self.csv: csv.DictWriter[str] | None = None

    def add(self, row: dict[str, Any]) -> None:
        if self.form == "jsonl":
            self.stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            if self.csv is None:
                self.csv = csv.DictWriter(self.stream, list(dict.fromkeys([*row, "aligned"])), lineterminator="\n")
                self.csv.writeheader()
            self.csv.writerow({name: "; ".join(map(str, value)) if isinstance(value, list) else value for name, value in row.items()})
        self.stream.flush()
