"""`discern accord route TEXT`: which kind of problem the router sees in a text, and by which words."""

import json
import sys
from typing import Any

from apps.accord.draw_router import draw_router
from apps.base.places import output_file
from apps.base.shell import Parser, Shell
from datamodules.whole import write_bytes

__all__ = ["route_text"]

MOST = 5  # words that are told


def route_text(shell: Shell, argv: list[str]) -> int:
    """Say which of the six kinds a text is of, how sure that is, and which words decided it. What is none of them is refused (exit code 2).

    With --plot the text is drawn with the router's attention behind its words.
    """
    args = _parser(shell).parse_args(argv)
    plot = output_file("--plot", args.plot) if args.plot is not None else None
    from apps.accord.router import Router

    text = sys.stdin.read() if args.text == "-" else args.text
    route = Router.load(args.router)(text)
    row: dict[str, Any] = {
        "kind": route.kind,
        "refused": route.refused,
        "energy": round(route.energy, 6),
        "scores": {kind: round(score, 6) for kind, score in route.scores.items()},
    }
    heaviest = sorted(route.attention, key=lambda span: -span[2])[:MOST]
    row["attention"] = [
        {"start": start, "end": end, "word": text[start:end], "weight": round(weight, 6)} for start, end, weight in heaviest
    ]
    if plot is not None:
        write_bytes(plot, draw_router(text, route.attention, route.scores, route.kind, route.refused).encode())
    print(json.dumps(row, ensure_ascii=False))
    shell.say(f"refused: {route.refused}" if route.refused is not None else f"{route.kind}: {100 * route.scores[route.likely]:.1f} % sure")
    return 0 if route.refused is None else 2


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("accord route", route_text.__doc__)
    parser.add_argument("text", metavar="TEXT", help="the problem in words, or - for standard input")
    parser.add_argument("--plot", metavar="SVG", help="draw the text with the weight of its words")
    parser.add_argument("--router", metavar="FILE", help="a router of your own; default: the one that comes along")
    return parser
