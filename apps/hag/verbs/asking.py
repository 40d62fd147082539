"""What size, calibrate and evaluate share: the exported file, and the calibration that belongs to it."""

import argparse
from pathlib import Path

from apps.base.errors import UserError
from apps.base.options import add_batch, add_device, add_trust
from apps.base.predict.program_file import ProgramFile, take_own
from apps.base.shell import Shell
from apps.hag.calibration_file import CalibrationFile
from apps.hag.card import CARD
from apps.hag.sizer import Sizer, check_program

__all__ = ["CALIBRATION", "add_asking", "add_calibration", "open_sizer"]

MODEL, CALIBRATION = "hag.ts", "hag-calibration.json"


def add_asking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="FILE", help=f"an exported program; default: {MODEL} in --home")
    add_batch(parser)
    add_device(parser)
    add_trust(parser)


def add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calibration", metavar="FILE", help="what `calibrate` wrote: intervals, and the decision")


def open_sizer(shell: Shell, args: argparse.Namespace) -> Sizer:
    path = Path(args.model) if args.model is not None else shell.home / MODEL
    if args.model is None and not path.is_file():
        raise UserError(f"no --model, and no {path}; write one with `discern hag export -o {path}`, or name an exported file")
    program = ProgramFile(take_own(CARD, path, args.trust, "size"), args.device)
    check_program(program.metadata, path)
    word = getattr(args, "calibration", None)
    calibration = CalibrationFile.load(Path(word), program.metadata["model"]) if word is not None else None
    return Sizer(program, calibration, args.batch)
