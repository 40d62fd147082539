"""`discern ahan compare A B`: two images, no gallery."""

from typing import Any

import numpy as np

from apps.ahan.decision import decide_pair
from apps.ahan.verbs.asking import Asked, add_asking, open_asker
from apps.ahan.verbs.codes import NOT_ENROLLED
from apps.ahan.verbs.keeping import add_calibration, add_gallery, calibration_or_why, open_gallery, say_detector
from apps.ahan.verbs.telling import code_of, evidence, say_coarse, show, told
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell

__all__ = ["compare"]


def compare(shell: Shell, argv: list[str]) -> int:
    """How alike two faces are, as a whole and by region, and whether that is one person at the calibrated rate of false accepts.

    Exit code 0: accepted, 3: rejected, 4: no usable face, 5: a score and no decision, because nothing is calibrated.
    """
    args = _parser(shell).parse_args(argv)
    asker = open_asker(shell, args)
    calibration, why = calibration_or_why(args, open_gallery(shell, args), asker.model, asker.aligner)
    say_detector(shell, calibration, asker.framer.detector.name)
    a, b = asker.ask([args.a, args.b])
    say_coarse(shell, (a, b))
    answer: dict[str, Any] = {**asker.head("compare"), "a": a.row(), "b": b.row()}
    if a.vector is None or b.vector is None:
        reason = "; ".join(f"{one.path}: {one.failure}" for one in (a, b) if one.failure)
        show(shell, {**answer, "score": None, "decision": None, "reason": reason})
        return NOT_ENROLLED
    score = float(a.vector @ b.vector)
    decision = decide_pair(score, calibration.calibration if calibration else None, args.twins, a.coarse or b.coarse)
    decision = decision._replace(reason=why or decision.reason)
    answer |= {"score": plain(score), **told(decision), **evidence(calibration, decision, score)}
    show(shell, {**answer, "regions": _regions(a, b, asker.program.metadata["regions"])})
    return code_of(decision)


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan compare", compare.__doc__)
    parser.add_argument("a", metavar="A", help="a photograph")
    parser.add_argument("b", metavar="B", help="another")
    parser.add_argument("--twins", action="store_true", help="they may be twins: decide by the threshold of twins")
    add_gallery(parser, key=False)
    add_calibration(parser)
    add_asking(parser, several=False)
    return parser


def _regions(a: Asked, b: Asked, names: list[str]) -> dict[str, float] | None:
    """The cosine of each region's own vector: it explains, and decides nothing."""
    if a.regions is None or b.regions is None:
        return None
    lengths = np.linalg.norm(a.regions, axis=1) * np.linalg.norm(b.regions, axis=1)
    cosines = (a.regions * b.regions).sum(1) / np.maximum(lengths, 1e-12)
    return {name: plain(cosine) for name, cosine in zip(names, cosines, strict=True)}
