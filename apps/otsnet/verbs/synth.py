"""`discern otsnet synth --out words --count 1000`: made words as an LMDB, with the true box of every letter."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from apps.base.engine.progress import Progress
from apps.base.errors import UserError
from apps.base.options import seed
from apps.base.places import output_file
from apps.base.shell import Parser, Shell, positive
from datamodules.checks import shorten
from datamodules.otsnet.charset import charset
from datamodules.otsnet.generator import PROFILES, Drawn, Generator, contact_sheet
from datamodules.otsnet.lmdb_words import Written, write_words
from datamodules.whole import write_whole

__all__ = ["synth"]

SHEET = 100  # pictures of a contact sheet
QUALITY = 95  # of JPEG


def synth(shell: Shell, argv: list[str]) -> int:
    """Make words: pictures, labels and the true box of every letter, as an LMDB that every recipe and the field's tools read.

    Number n of a seed is always the same picture, whoever makes it. Words are our own, or yours (--words); faces are those of this
    machine, or yours (--fonts), and built-in ones where there are none.
    """
    args = _parser(shell).parse_args(argv)
    out = _empty("--out", args.out)
    sheet, listed = (
        None if name is None else output_file(option, name) for option, name in (("--sheet", args.sheet), ("--list", args.list))
    )
    generator = _generator(args)
    if gone := generator.left_out:
        shell.say(f"--words {args.words}: {len(gone)} words are too long or cannot be written in the charset, left out: {shorten(gone)}")
    progress, began = Progress(args.count, "words", shell), time.monotonic()
    try:
        with _list(listed) as lines:
            written = write_words(out, _words(generator, args, lines, progress))
    finally:
        progress.close()
    seconds = time.monotonic() - began
    if sheet is not None:
        last = args.first + min(args.count, SHEET)
        picture = contact_sheet(generator, range(args.first, last), boxes=args.boxes)
        with write_whole(sheet) as file:
            picture.save(file, "PNG")
    answer = {"lmdb": args.out, "words": written, "seed": args.seed, "first": args.first, "profile": args.profile}
    answer |= {"characters": len(generator.charset), "faces": len(generator.faces), "bytes": (out / "data.mdb").stat().st_size}
    print(json.dumps(answer | {"per_second": round(written / max(seconds, 1e-9), 1)}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("otsnet synth", synth.__doc__)
    parser.add_argument("--out", metavar="DIR", required=True, help="a new or empty folder, for data.mdb")
    parser.add_argument("--count", type=positive, default=1000, metavar="N", help="how many words; default: 1000")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    parser.add_argument("--first", type=_whole, default=0, metavar="N", help="number of the first one; default: 0")
    parser.add_argument("--profile", choices=PROFILES, default="real", help="default: real")
    parser.add_argument("--charset", metavar="36|62|94|...", help="characters of the labels, by name or themselves; default: 94")
    parser.add_argument("--words", metavar="FILE", help="your words, one a line, instead of ours")
    parser.add_argument("--fonts", metavar="PATH", nargs="+", help="font files or folders of them, instead of this machine's")
    parser.add_argument("--backgrounds", metavar="DIR", help="pictures for half of the backgrounds")
    parser.add_argument("--difficulty", type=float, metavar="0..1", help="scales every disturbance; default: 1")
    parser.add_argument("--orientation-mix", type=float, metavar="SHARE", help="of pictures turned by quarters; default: 0")
    parser.add_argument("--keep-ratio", action="store_true", help="words keep their shape: as wide as they are, at most 128 pixels")
    parser.add_argument("--heldout", action="store_true", help="the fifth of words and faces that training never sees")
    parser.add_argument("--png", action="store_true", help=f"store PNG, not JPEG of quality {QUALITY}")
    parser.add_argument("--sheet", metavar="OUT.png", help=f"a contact sheet of the first {SHEET}")
    parser.add_argument("--boxes", action="store_true", help="with the boxes of the letters in it")
    parser.add_argument("--list", metavar="OUT.txt", help="all labels, one a line")
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _empty(option: str, name: str) -> Path:
    path = Path(name)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{option} {name} is there already; name a new or empty folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{option} {name}: {error.strerror}") from None
    return path


def _generator(args: Any) -> Generator:
    if args.boxes and args.sheet is None:
        raise UserError("--boxes draws into the contact sheet; add --sheet OUT.png")
    given = {"charset": None if args.charset is None else charset(args.charset).characters, "words": args.words, "fonts": args.fonts}
    given |= {"backgrounds": args.backgrounds, "difficulty": args.difficulty, "orientation_mix": args.orientation_mix}
    given = {name: value for name, value in given.items() if value is not None}
    return Generator(profile=args.profile, seed=args.seed, heldout=args.heldout, keep_ratio=args.keep_ratio, **given)


def _words(generator: Generator, args: Any, lines: IO[str] | None, progress: Progress) -> Iterator[Written]:
    for number in range(args.first, args.first + args.count):
        drawn = generator.draw(number)
        if lines is not None:
            lines.write(f"{drawn.label}\n")
        yield Written(_encoded(drawn, args.png), drawn.label, _pixels(drawn))
        progress.add(failed=False)


def _encoded(drawn: Drawn, png: bool) -> bytes:
    picture = np.ascontiguousarray(drawn.image[:, :, ::-1])
    kind, options = (".png", []) if png else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return cv2.imencode(kind, picture, options)[1].tobytes()


def _pixels(drawn: Drawn) -> np.ndarray:
    high, wide, _ = drawn.image.shape
    return drawn.boxes * np.array([wide, high, wide, high], np.float32)


def _list(path: Path | None) -> contextlib.AbstractContextManager[IO[str] | None]:
    return contextlib.nullcontext() if path is None else write_whole(path, "w")
