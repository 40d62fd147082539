"""`discern otsnet verify PICTURE TEXT`: does it say that?"""

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch

from apps.base.errors import UserError
from apps.base.predict.answer import plain
from apps.base.predict.reader import read_ahead, says
from apps.base.shell import Parser, Shell
from apps.otsnet.claims import Verdict, claim_text, verdicts
from apps.otsnet.source import Source, open_source
from apps.otsnet.verbs.read import add_model
from datamodules.otsnet.dataset import load_word
from datamodules.otsnet.layouts import read as read_set
from datamodules.pictures import read_picture

__all__ = ["verify"]


def verify(shell: Shell, argv: list[str]) -> int:
    """How probable it is that a picture says what is claimed, and which characters contradict: a JSON line a picture.

    A checkpoint or a weights file with a verifier is asked about each character, given the others; a claim is as probable as the least
    of them. An exported program, and a reader without a verifier, tell the probability with which they read the claim. --claims takes
    labels for claims, of a set in any layout that 'discern data check' knows: the lines with the lowest probability are where to look
    for wrong labels.
    """
    args = _parser(shell).parse_args(argv)
    if (args.claims is None) == (args.picture is None) or (args.picture is not None and args.text is None):
        raise UserError("verify needs a PICTURE and its TEXT, or --claims SET")
    source = open_source(shell, args.model, run=args.run, trust=args.trust, device=args.device, iterations=args.iterations)
    asked = _of_set(shell, source, args) if args.claims is not None else _one(source, args)
    total = failed = 0
    while window := list(islice(asked, args.batch)):
        ready = [one for one in window if not isinstance(one[1], str)]
        found = iter(verdicts(source, torch.stack([x for _, x, _ in ready]), [claim for *_, claim in ready]) if ready else [])  # pyright: ignore[reportArgumentType]
        for name, x, claim in window:
            total, failed = total + 1, failed + isinstance(x, str)
            row = {"claim": claim, "error": x} if isinstance(x, str) else _row(next(found))
            print(json.dumps({"path": name, **row}, ensure_ascii=False))
    if failed:
        shell.complain(f"{failed} of {total} pictures could not be judged")
    return 1 if failed else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("otsnet verify", verify.__doc__)
    parser.add_argument("picture", metavar="PICTURE", nargs="?")
    parser.add_argument("text", metavar="TEXT", nargs="?", help="what it is said to say")
    parser.add_argument("--claims", metavar="SET", help="a set of words, whose labels are the claims")
    add_model(parser)
    return parser


Claim = tuple[str, Any, str]  # name, x or why there is none, claim


def _one(source: Source, args: argparse.Namespace) -> Iterator[Claim]:
    claim = claim_text(args.text, source.charset, source.about["max_length"])
    yield args.picture, source.program.prepare(read_picture(args.picture)), claim


def _of_set(shell: Shell, source: Source, args: argparse.Namespace) -> Iterator[Claim]:
    table = read_set(args.claims)
    for problem in table.problems:
        shell.complain(problem)

    def load(row: int) -> np.ndarray:
        return load_word(table.store, table.records[row])

    for row, picture, error in read_ahead(range(len(table.records)), load, args.batch, bursts=True):
        record = table.records[row]
        name = table.store.where(record.file)
        try:
            claim = claim_text(record.label, source.charset, source.about["max_length"])
            yield name, source.program.prepare(picture) if error is None else error, claim
        except UserError as problem:
            yield name, says(problem, name), record.label


def _row(verdict: Verdict) -> dict[str, Any]:
    slots = [
        {"character": slot.character, "probability": plain(slot.probability), **({"instead": slot.instead} if slot.contradicts else {})}
        for slot in verdict.slots
    ]
    return {
        "claim": verdict.claim,
        "holds": verdict.holds,
        "probability": plain(verdict.probability),
        "read": verdict.read,
        "contradicted": [number for number, slot in enumerate(verdict.slots) if slot.contradicts],
        "characters": slots,
    }
