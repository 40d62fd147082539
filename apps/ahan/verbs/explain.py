"""`discern ahan explain A B --out FILE`: where are two faces alike, and where not?"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from apps.ahan.decision import Calibration, Decision, decide_pair
from apps.ahan.draw_explained import explained_figure
from apps.ahan.explaining import CELLS, Explained, explained
from apps.ahan.verbs.asking import add_asking, open_asker
from apps.ahan.verbs.codes import NOT_ENROLLED
from apps.ahan.verbs.keeping import add_calibration, add_gallery, calibration_or_why, open_gallery, say_detector
from apps.ahan.verbs.telling import evidence, say_coarse, show, told
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell
from datamodules.whole import write_bytes

__all__ = ["explain"]


def explain(shell: Shell, argv: list[str]) -> int:
    """Draw two faces as the model sees them: the regions by what leaving them out does to the score, where each face's halves differ,
    and with --occlusion what covering a part does. Everything is asked of the exported program.
    A region that is left out is the same in both faces, so that the score mostly rises: compare the regions with each other.

    It explains the score and decides nothing; the decision, where there is a calibration, is that of `compare`.

    Exit code 0: drawn, 4: no usable face.
    """
    args = _parser(shell).parse_args(argv)
    output = output_file("--out", args.out)
    if output.suffix.lower() != ".png":
        raise UserError(f"--out {args.out}: what is drawn is a PNG file; name one that ends with .png")
    asker = open_asker(shell, args)
    calibration, why = calibration_or_why(args, open_gallery(shell, args), asker.model, asker.aligner)
    say_detector(shell, calibration, asker.framer.detector.name)
    a, b = asker.ask([args.a, args.b])
    say_coarse(shell, (a, b))
    answer: dict[str, Any] = {**asker.head("explain"), "a": a.row(), "b": b.row()}
    if a.face is None or b.face is None or a.vector is None or b.vector is None:
        reason = "; ".join(f"{one.path}: {one.failure}" for one in (a, b) if one.failure)
        show(shell, {**answer, "score": None, "decision": None, "reason": reason})
        return NOT_ENROLLED
    boxes = torch.stack([asker.boxes_of(one) for one in (a, b)])
    found = explained(asker.program, (a.face, b.face), boxes, args.occlusion)
    thresholds = calibration.calibration if calibration else None
    decision = decide_pair(found.score, thresholds, args.twins, a.coarse or b.coarse)
    decision = decision._replace(reason=why or decision.reason)
    captions = [f"{side}: {Path(one.path).name}"[:40] for side, one in (("A", a), ("B", b))]
    write_bytes(output, explained_figure([a.face, b.face], boxes.numpy(), found, captions, _words(found.score, decision, thresholds)))
    show(
        shell,
        {
            **answer,
            "score": plain(found.score),
            **told(decision),
            **evidence(calibration, decision, found.score),
            **_told(found),
            "picture": args.out,
        },
    )
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan explain", explain.__doc__)
    parser.add_argument("a", metavar="A", help="a photograph")
    parser.add_argument("b", metavar="B", help="another")
    parser.add_argument("--out", metavar="FILE.png", required=True, help="where to draw; it shows both faces")
    parser.add_argument("--occlusion", action="store_true", help=f"also cover each of {CELLS} x {CELLS} cells; takes longer")
    parser.add_argument("--twins", action="store_true", help="they may be twins: decide by the threshold of twins")
    add_gallery(parser, key=False)
    add_calibration(parser)
    add_asking(parser, several=False)
    return parser


def _words(score: float, decision: Decision, calibration: Calibration | None) -> list[str]:
    if decision.threshold is None or calibration is None:
        return [f"score {score:.4f}: no decision ({decision.reason})"]
    verdict = "one person" if decision.accept else "not one person"
    rule = decision.rule.partition(",")[0]
    far = "" if decision.far is None else f", at a rate of false accepts of {decision.far:g}"
    twin = "not known" if calibration.twin is None else f"{calibration.twin.value:.4f}"
    return [
        f"score {score:.4f}: {verdict} by the {rule} threshold{far}",
        f"thresholds: general {calibration.general.value:.4f}, twin {twin}",
    ]


def _told(found: Explained) -> dict[str, Any]:
    def numbers(values: dict[str, float] | None) -> dict[str, float] | None:
        return None if values is None else {name: plain(value) for name, value in values.items()}

    def strongest(map_CC: np.ndarray) -> dict[str, Any]:
        row, column = divmod(int(np.abs(map_CC).argmax()), map_CC.shape[1])
        return {"row": row, "column": column, "change": plain(map_CC[row, column])}

    answer: dict[str, Any] = {"regions": numbers(found.alike), "without": numbers(found.without)}
    if found.asymmetry is not None:
        answer["asymmetry"] = [plain(float(part.mean())) for part in found.asymmetry]
    if found.covered is not None:
        answer["covered_most"] = [strongest(part) for part in found.covered]
    return answer
