"""`discern otsnet convert SOURCE -o TARGET --to lmdb`: words from any layout into an LMDB, a folder with labels.tsv or a zip."""

import json
from typing import get_args

from apps.base.shell import Parser, Shell
from datamodules.otsnet.convert import Format, convert
from datamodules.otsnet.layouts import Named

__all__ = ["convert_words"]


def convert_words(shell: Shell, argv: list[str]) -> int:
    """Turn words of any layout that `discern data check` recognises into an LMDB, a folder with labels.tsv or a zip with its TSV.

    Pictures and labels keep their bytes; words of whole photographs are cut out and stored as PNG. Sets and splits get places of their
    own. Boxes of letters come along into an LMDB alone.
    """
    args = _parser(shell).parse_args(argv)
    places = convert(args.source, args.output, args.to, args.layout, shell.say)
    answer = {"source": args.source, "target": args.output, "format": args.to, "words": sum(places.values())}
    print(json.dumps(answer | {"places": places}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("otsnet convert", convert_words.__doc__)
    parser.add_argument("source", metavar="SOURCE", help="folder, list, archive or database")
    parser.add_argument("-o", dest="output", metavar="TARGET", required=True, help="a new or empty folder")
    parser.add_argument("--to", choices=get_args(Format), default="lmdb", help="default: lmdb")
    parser.add_argument("--layout", choices=get_args(Named), default="auto", help="how the words lie in the source; default: auto")
    return parser
