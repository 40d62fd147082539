"""`discern ahan twins ID1 ID2`: these two look alike, and the twin rule decides about both from now on; --undo takes it back."""

import json

from apps.ahan.verbs.keeping import add_gallery, open_gallery
from apps.base.shell import Parser, Shell

__all__ = ["twins"]


def twins(shell: Shell, argv: list[str]) -> int:
    """Declare twins, or others who look alike. One of them may not be enrolled (yet): the threshold of twins decides alone then."""
    args = _parser(shell).parse_args(argv)
    folder = open_gallery(shell, args)
    pair = (args.one, args.other)
    people = folder.change(lambda people: people.unrelate(*pair) if args.undo else people.relate(*pair), shell.say)
    enrolled = [name for name in pair if name in people]
    print(json.dumps({"schema": "discern-ahan-twins-1", "twins": pair, "enrolled": enrolled, "undone": args.undo}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan twins", twins.__doc__)
    parser.add_argument("one", metavar="ID1", help="who is enrolled")
    parser.add_argument("other", metavar="ID2", help="the twin")
    parser.add_argument("--undo", action="store_true", help="take the declaration back, also of a twin who was forgotten since")
    add_gallery(parser)
    return parser
