"""`discern ahan identify IMG`: who of the gallery is it, or is it somebody unknown?"""

from typing import Any

from apps.ahan.identification import Searcher
from apps.ahan.identification import identify as decide_who
from apps.ahan.verbs.asking import add_asking, open_asker
from apps.ahan.verbs.codes import ACCEPTED, NOT_ENROLLED, REJECTED, UNCALIBRATED
from apps.ahan.verbs.keeping import WARNING, add_calibration, add_gallery, calibration_or_why, open_gallery, say_detector, say_enrolled_by
from apps.ahan.verbs.telling import say_coarse, show
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell, positive

__all__ = ["identify"]


def identify(shell: Shell, argv: list[str]) -> int:
    """Search the gallery for a photograph: the most alike, and a name only where strangers hardly ever get one (`calibrate --fpir --n`).
    Exit code 0: a name, 3: unknown, 4: no usable face, 5: a ranking and no decision.
    """
    args = _parser(shell).parse_args(argv)
    folder = open_gallery(shell, args)
    people = folder.read()
    asker = open_asker(shell, args)
    people.check_made_by(asker.model, asker.aligner)
    calibration, why = calibration_or_why(args, folder, asker.model, asker.aligner)
    say_detector(shell, calibration, asker.framer.detector.name)
    say_enrolled_by(shell, people.entries, asker.framer.detector.name)
    searcher = Searcher(people)
    if searcher.expired:
        shell.say(f"{searcher.expired} of {len(people)} people are left out: their consent ran out")
    (asked,) = asker.ask([args.image])
    say_coarse(shell, (asked,))
    answer: dict[str, Any] = {**asker.head("identify"), **asked.row(), "people": len(searcher.ids), "expired": searcher.expired}
    if asked.vector is None:
        show(shell, {**answer, "ranked": [], "decision": None, "reason": f"{asked.failure}: {asked.quality.detail}"})
        return NOT_ENROLLED
    (hits,) = searcher.search(asked.vector[None], max(args.top, 1))
    found = decide_who(searcher, asked.vector, hits, calibration, asked.coarse)
    decision = found.who if found.who is not None else "unknown" if found.decided else None
    answer |= {"ranked": [{"id": hit.id, "score": plain(hit.score)} for hit in hits], "decision": decision}
    threshold = None if found.threshold is None else plain(found.threshold)
    show(shell, {**answer, "threshold": threshold, "fpir": found.fpir, "reason": why or found.reason})
    return ACCEPTED if found.who is not None else REJECTED if found.decided else UNCALIBRATED


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan identify", f"{identify.__doc__}\n\n    {WARNING}")
    parser.add_argument("image", metavar="IMG", help="a photograph")
    parser.add_argument("--top", type=positive, default=5, metavar="K", help="how many to rank; default: 5")
    add_gallery(parser)
    add_calibration(parser)
    add_asking(parser, several=False)
    return parser
