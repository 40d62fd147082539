"""`discern hag size INPUT...`: millimetres of the polyps on frames and videos, a line a frame and a line a polyp."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from apps.base.errors import UserError
from apps.base.places import output_folder
from apps.base.predict.picture import write_drawn
from apps.base.predict.verb import Tally
from apps.base.shell import Parser, Shell, positive
from apps.hag.draw_frame import Drawn, framed
from apps.hag.draw_sizes import trace_figure
from apps.hag.notice import NOTICE
from apps.hag.shots import GROUPS, Group, Shots
from apps.hag.sizer import NO_BOX, Asked, PolypSize, Sizer
from apps.hag.verbs.asking import add_asking, add_calibration, open_sizer
from datamodules.base import MADE
from datamodules.hag.boxes import Boxes, read_boxes
from datamodules.hag.on_disk import Depth

__all__ = ["size"]

WHOLE = "whole_frame"
DOC = f"""Say how large polyps are: a JSON line for each frame, and one for each polyp from all its frames (their median in ln mm, weighted
by how good each is). A frame without a box in --boxes has no polyp and no size; without --boxes the whole frame counts, and its line says
so.

INPUT is frames, folders, patterns, videos (read by OpenCV), or - for a list of paths on stdin. Boxes: VOC XML, JSON of COCO or
Kvasir-SEG, CSV with image,xmin,ymin,xmax,ymax and perhaps polyp, SUN or YOLO text, masks; a file, or a folder of them. Frame 12 of clip.mp4
is clip_12 there. Frames of one name in several folders need their folders there, too.

{NOTICE}"""


def size(shell: Shell, argv: list[str]) -> int:
    args = _parser(shell).parse_args(argv)
    folder = output_folder("--draw", args.draw) if args.draw is not None else None
    sizer = open_sizer(shell, args)
    depth = _depth(args, sizer)
    boxes, problems = (None, []) if args.boxes is None else read_boxes(args.boxes)
    for words in problems:
        shell.complain(words)
    shots = Shots(args.inputs, boxes, _group(args, boxes), args.every or 1, depth)
    print(json.dumps(_head(sizer)), flush=True)
    tally, polyps, whole = Tally(shell), {}, 0
    for number, one in enumerate(_answered(sizer, shots, folder is not None), start=1):
        print(json.dumps(one.row(), ensure_ascii=False), flush=True)
        tally.add(one.name, one.error)
        whole += one.status == WHOLE
        if one.polyp and one.error is None and one.status != NO_BOX:
            polyps.setdefault(one.polyp, []).append(one)
        if folder is not None and one.error is None and one.status != NO_BOX:
            _draw(folder, number, one)
            one.image = None
    for number, (name, asked) in enumerate(polyps.items(), start=tally.total + 1):
        found = sizer.polyp(name, asked)
        print(json.dumps(found.row(), ensure_ascii=False), flush=True)
        if folder is not None:
            _trace(folder, number, found, asked)
    _tell(shell, sizer.program.metadata["licence"] == MADE, args, shots, tally, whole, polyps)
    return 1 if tally.failed or problems or shots.unmatched or shots.broken else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("hag size", DOC)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="frames, folders, patterns, videos, or -")
    parser.add_argument("--boxes", metavar="FILE", help="where the polyps are; a file or a folder")
    parser.add_argument(
        "--group", choices=GROUPS, help="one polyp: the frames of a video, the pictures of a folder, or what --boxes calls one (csv); "
        "default: csv where --boxes names polyps, else video",
    )  # fmt: skip
    parser.add_argument("--every", type=positive, metavar="N", help="of a video take each N-th frame; default: 1")
    parser.add_argument("--draw", metavar="DIR", help="write each frame with its box, ruler and class, and each polyp over time")
    parser.add_argument("--depth-files", metavar="DIR", help="a file of inverse depth a frame, for a model that reads depth")
    add_calibration(parser)
    add_asking(parser)
    return parser


def _depth(args: argparse.Namespace, sizer: Sizer) -> Depth | None:
    """Files of inverse depth, brought to what the model learned from."""
    model = args.model or "the model"
    if others := [name for name in sizer.given if name != "depth"]:
        raise UserError(f"{model} reads {', '.join(others)} beside each picture, which no frame comes with; `evaluate embedded` has them")
    if bool(sizer.given) != (args.depth_files is not None):
        needs = "reads depth beside each picture: give --depth-files" if sizer.given else "reads no depth: leave --depth-files out"
        raise UserError(f"{model} {needs}")
    if args.depth_files is None:
        return None
    return Depth(args.depth_files, sizer.sight.get("depth", "metric"), sizer.sight.get("depth_scale", 1.0))


def _group(args: argparse.Namespace, boxes: Boxes | None) -> Group:
    named = boxes is not None and any(mark.polyp for marks in boxes.marks.values() for mark in marks)
    if args.group == "csv" and not named:
        where = "there is no --boxes" if boxes is None else f"{args.boxes} names no polyp"
        raise UserError(f"--group csv: {where}; give boxes with a column polyp (VOC: unique_id), or group by video or folder")
    return args.group or ("csv" if named else "video")


def _head(sizer: Sizer) -> dict[str, Any]:
    """The first line."""
    file = sizer.calibration
    about = None if file is None else {"level": file.level, "polyps": file.polyps, "offset": file.offset and file.offset._asdict()}
    return {"schema": "discern-hag-size-1", "model": sizer.model, "calibration": about, "notice": NOTICE}


def _answered(sizer: Sizer, shots: Shots, keep: bool) -> Iterator[Asked]:
    """In their order; what has no box passes by the program, and so does what cannot be read."""
    waiting: list[Asked] = []
    for one in shots:
        waiting.append(one)
        if len(waiting) == sizer.batch:
            yield from _batch(sizer, waiting, keep)
            waiting = []
    yield from _batch(sizer, waiting, keep)


def _batch(sizer: Sizer, waiting: list[Asked], keep: bool) -> list[Asked]:
    list(sizer.answer([one for one in waiting if one.error is None and one.status != NO_BOX], keep))
    return waiting


def _draw(folder: Path, number: int, one: Asked) -> None:
    if one.image is None:
        return
    shown = framed(one.image, Drawn(one.mm, one.mm_lo, one.mm_hi, None if one.box is None else one.box.tolist(), words=_why(one)))
    name = Path(one.name).stem + ("" if one.number is None else f"_{one.number}")
    write_drawn(folder, number, name, cv2.imencode(".png", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))[1].tobytes())


def _why(one: Asked) -> str:
    return f"no size: {one.status.replace('_', ' ')}"


def _trace(folder: Path, number: int, found: PolypSize, asked: list[Asked]) -> None:
    """A polyp of one frame has no course."""
    if len(asked) < 2 or found.mm is None:
        return
    timed = all(one.seconds is not None for one in asked)
    at = [float(one.seconds or 0) if timed else one.number if one.number is not None else place for place, one in enumerate(asked)]
    unit = "seconds" if timed else "frame"
    mm = [float("nan") if one.mm is None else one.mm for one in asked]
    name = Path(found.polyp).name
    figure = trace_figure(at, mm, [one.quality for one in asked], (found.mm, found.mm_lo, found.mm_hi), unit, name)
    write_drawn(folder, number, f"polyp_{name}", figure)


def _tell(shell: Shell, made: bool, args: argparse.Namespace, shots: Shots, tally: Tally, whole: int, polyps: dict[str, Any]) -> None:
    """What people should know of what was done."""
    if tally.total == 0:
        raise UserError(f"no frames in {', '.join(shots.unmatched or args.inputs)}")
    for words in [*shots.remarks, *(f"{word}: nothing there" for word in shots.unmatched)]:
        shell.complain(words)
    if shots.skipped:
        shell.say(f"{shots.skipped} files in the folders are neither pictures nor videos, and were skipped")
    if whole:
        shell.say(f"{whole} of {tally.total} frames had no box: the whole frame was used, and sizes are of what fills it; give --boxes")
    if shots.boxes is not None and (left := len(set(shots.boxes.marks) - shots.boxes.seen)):
        shell.say(f"{left} frames of {args.boxes} were not among the inputs" + (" (or passed over by --every)" if args.every else ""))
    if args.every is not None and not shots.clips:
        shell.complain("--every is of videos, and there was none")
    if args.group == "video" and not shots.clips:
        shell.complain("--group video: there was no video, so that no polyp was put together; group by folder or csv")
    if tally.failed:
        shell.complain(f"{tally.failed} of {tally.total} frames failed; the first: {tally.first}")
    if made:
        shell.say("the model learned from frames made by code: of real ones its millimetres mean nothing")
    shell.say(f"{tally.total - tally.failed} frames, {len(polyps)} polyps. {NOTICE}")
