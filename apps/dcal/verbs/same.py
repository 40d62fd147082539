"""`discern dcal same FILE A B`: are these two pictures of the same one?"""

import json
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.base.options import add_device, add_trust
from apps.base.places import output_file
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell
from apps.dcal.draw_looks import Look, looks_figure
from apps.dcal.verbs.asking import Asked, File, open_file
from datamodules.whole import write_bytes

__all__ = ["same"]

FAR = 0.01


def same(shell: Shell, argv: list[str]) -> int:
    """How alike two pictures are (cosine), and whether that is the same one at the file's threshold for a false-accept rate.

    The threshold was fixed on validation pairs of different cameras. A file that carries none, or none for this rate, decides nothing.
    """
    args = _parser(shell).parse_args(argv)
    output = output_file("-o", args.output) if args.output is not None else None
    file = open_file(args.file, device=args.device, trust=args.trust, batch=2)
    file.need("features", "export it anew with `discern dcal export --program embed`")
    if output is not None:
        file.need("rollout", "its branches are sa alone, so there is no heat map to draw; leave out -o")
    a, b = file.ask([args.a, args.b], keep=True)
    for asked in (a, b):
        if asked.error is not None:
            raise UserError(f"{asked.path}: {asked.error}")
    vectors = [asked.outputs["features"].astype(np.float64) for asked in (a, b)]
    cosine = float(vectors[0] @ vectors[1] / np.prod([np.linalg.norm(vector) for vector in vectors]))
    answer: dict[str, Any] = {"a": args.a, "b": args.b, "cosine": plain(cosine), **_decision(shell, file, args.far, cosine)}
    if a.digest == b.digest:
        answer["same_file"] = True  # byte by byte: the cosine says nothing about the model
    if output is not None:
        write_bytes(output, looks_figure([_look(file, a), _look(file, b)], [args.a, args.b], _title(answer)))
    print(json.dumps(answer, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("dcal same", same.__doc__)
    parser.add_argument("file", metavar="FILE", help="an exported program (embed)")
    parser.add_argument("a", metavar="A", help="a picture")
    parser.add_argument("b", metavar="B", help="another")
    parser.add_argument(
        "--far", type=float, metavar="RATE", help=f"false-accept rate of the decision; default: {FAR}, or the least there is"
    )
    parser.add_argument("-o", dest="output", metavar="OUT.png", help="draw where the model looked on each")
    add_device(parser)
    add_trust(parser)
    return parser


def _decision(shell: Shell, file: File, asked: float | None, cosine: float) -> dict[str, Any]:
    """{"same": None} where the file cannot tell."""
    rows = {row["far"]: row for row in file.program.metadata.get("acceptance", [])}
    if asked is not None and asked not in rows:
        there = ", ".join(map(str, rows)) or "none: it needs validation pairs of different, known cameras"
        raise UserError(f"--far {asked}: the file carries no threshold for it; there is {there}")
    if not rows:
        shell.say(
            "the file carries no threshold (validation had too few pairs of different, known cameras): there is a cosine, no decision"
        )
        return {"same": None}
    row = rows[asked if asked is not None else FAR if FAR in rows else min(rows)]
    return {
        "same": cosine > row["threshold"],
        "threshold": plain(row["threshold"]),
        "far": row["far"],
        "true_accept_rate": plain(row["tar"]),
    }


def _look(file: File, asked: Asked) -> Look:
    assert asked.picture is not None
    return Look(file.seen(asked.picture), asked.outputs["rollout"], asked.outputs.get("selected"))


def _title(answer: dict[str, Any]) -> str:
    words = {True: "same", False: "not the same", None: "no decision"}[answer["same"]]
    at = f" (threshold {answer['threshold']:.3f}, false accepts {answer['far']:g})" if answer["same"] is not None else ""
    return f"cosine {answer['cosine']:.3f}: {words}{at}"
