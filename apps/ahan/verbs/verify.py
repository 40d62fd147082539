"""`discern ahan verify ID IMG`: is this the person? If a twin is declared, the twin rule decides."""

from typing import Any

from apps.ahan.decision import decide
from apps.ahan.verbs.asking import add_asking, open_asker
from apps.ahan.verbs.codes import NOT_ENROLLED
from apps.ahan.verbs.keeping import (
    WARNING,
    add_calibration,
    add_gallery,
    calibration_or_why,
    open_gallery,
    say_detector,
    say_enrolled_by,
    usable_entry,
)
from apps.ahan.verbs.telling import code_of, evidence, say_coarse, show, told
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell

__all__ = ["verify"]


def verify(shell: Shell, argv: list[str]) -> int:
    """Compare a photograph with the template of one person, by the threshold that was calibrated; with a declared twin by that of twins,
    and the person must be nearer than the twin. Exit code 0: accepted, 3: rejected, 4: no usable face, 5: a score and no decision.
    """
    args = _parser(shell).parse_args(argv)
    folder = open_gallery(shell, args)
    people = folder.read()
    entry = usable_entry(people, args.id)
    asker = open_asker(shell, args)
    people.check_made_by(asker.model, asker.aligner)
    calibration, why = calibration_or_why(args, folder, asker.model, asker.aligner)
    say_detector(shell, calibration, asker.framer.detector.name)
    say_enrolled_by(shell, [entry], asker.framer.detector.name)
    (asked,) = asker.ask([args.image])
    say_coarse(shell, (asked,))
    answer: dict[str, Any] = {**asker.head("verify"), "id": args.id, **asked.row()}
    if asked.vector is None:
        show(shell, {**answer, "score": None, "decision": None, "reason": f"{asked.failure}: {asked.quality.detail}"})
        return NOT_ENROLLED
    twins = people.twins(args.id)
    score, near = people.score(asked.vector, args.id), people.nearest_twin(asked.vector, args.id)
    decision = decide(score, calibration.calibration if calibration else None, bool(twins), near, asked.coarse or entry.coarse)
    decision = decision._replace(reason=why or decision.reason)
    answer |= {"score": plain(score), "twin_score": None if near is None else plain(near), **told(decision)}
    answer |= {"twins_enrolled": len(twins.enrolled), "twins_not_enrolled": twins.absent}
    show(shell, {**answer, **evidence(calibration, decision, score)})
    return code_of(decision)


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan verify", f"{verify.__doc__}\n\n    {WARNING}")
    parser.add_argument("id", metavar="ID", help="who is claimed to be on the image")
    parser.add_argument("image", metavar="IMG", help="a photograph")
    add_gallery(parser)
    add_calibration(parser)
    add_asking(parser, several=False)
    return parser
