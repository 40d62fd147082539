"""`discern ahan forget ID`: no template, no name, no picture, and a search of the bytes that says so."""

import json

from apps.ahan.verbs.keeping import add_gallery, open_gallery
from apps.base.errors import UserError
from apps.base.shell import Parser, Shell

__all__ = ["forget"]


def forget(shell: Shell, argv: list[str]) -> int:
    """Write the gallery anew without these people, then search every byte of its folder for them. That another person has a twin stays
    known, without the name. Old blocks of the disk and backups are yours to clean.
    """
    args = _parser(shell).parse_args(argv)
    if bool(args.ids) == args.expired:
        raise UserError("forget needs an ID, or --expired (see 'discern ahan forget --help')")
    folder = open_gallery(shell, args)
    ids = [entry.id for entry in folder.read().entries if entry.expired()] if args.expired else list(dict.fromkeys(args.ids))
    answer = {"schema": "discern-ahan-forget-1", "forgotten": ids}
    if not ids:
        shell.say("nobody's consent ran out")
        print(json.dumps({**answer, "people": len(folder.read()), "searched": [], "named_by": []}))
        return 0
    left, absence = folder.forget(ids, shell.say)
    for name in absence.named_by:
        shell.complain(f"the note of {name!r}'s consent still says such a name; enrol {name!r} anew with another note")
    print(json.dumps({**answer, "people": len(left), **absence._asdict()}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("ahan forget", forget.__doc__)
    parser.add_argument("ids", metavar="ID", nargs="*", help="whom to forget")
    parser.add_argument("--expired", action="store_true", help="everybody whose consent ran out")
    add_gallery(parser)
    return parser
