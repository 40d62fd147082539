"""`discern accord convert IN OUT`: instances and plans from any format into any other."""

import json

from apps.accord.reading import add_reading, one_instance, plan_file
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Parser, Shell
from datamodules.accord.formats import FORMATS, convert, read_solution, solution_text
from datamodules.whole import write_bytes

__all__ = ["convert_files"]


def convert_files(shell: Shell, argv: list[str]) -> int:
    """Write instances, or a plan, in another format. What the new one cannot hold is an error that names it; --lossy allows it.

    A plan needs the instance that it belongs to: discern accord convert plan.sol plan.txt --instance FILE --to accord.
    """
    args = _parser(shell).parse_args(argv)
    out = output_file("OUT", args.out)
    if args.instance is None:
        notes = convert(
            args.source, out, args.to, lossy=args.lossy, kind=args.kind, rounding=args.rounding, capacity=args.capacity
        )
        for note in notes or ():
            shell.say(note)
        print(json.dumps({"source": args.source, "target": str(out), "format": args.to}))
        return 0
    if args.to is None:
        raise UserError(f"--to says the format of a plan: {', '.join(sorted(FORMATS))}")
    instance = one_instance(args.instance, args)
    plan, _ = read_solution(plan_file(args.source), instance)
    write_bytes(out, solution_text(instance, plan, args.to).encode())
    print(json.dumps({"source": args.source, "target": str(out), "format": args.to}))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("accord convert", convert_files.__doc__)
    parser.add_argument("source", metavar="IN", help="instances of any format, FILE#3 for one of many; with --instance a plan")
    parser.add_argument("out", metavar="OUT", help="a file; its suffix says the format where --to does not")
    parser.add_argument("--to", metavar="FORMAT", help="see `discern data check`; default: as the suffix of OUT says")
    parser.add_argument("--instance", metavar="FILE", help="IN is a plan of this instance")
    parser.add_argument("--lossy", action="store_true", help="leave out what the new format cannot hold")
    add_reading(parser)
    return parser
