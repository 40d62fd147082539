"""`discern accord convert IN OUT`: instances and plans from any format into any other."""

import json

from apps.accord.reading import add_reading, plan_file, read_options
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Parser, Shell
from datamodules.accord.checker import check
from datamodules.accord.formats import convert, read, read_solution, write

__all__ = ["convert_files"]


def convert_files(shell: Shell, argv: list[str]) -> int:
    """Write instances, or a plan, in another format. What the new one cannot hold is an error that names it; --lossy allows it.

    A plan needs the instance that it belongs to: discern accord convert plan.sol plan.txt --instance FILE --to accord.
    """
    args = _parser(shell).parse_args(argv)
    out = output_file("OUT", args.out)
    lost: list[str] = []
    if args.instance is None:
        lost = convert(args.source, out, args.to, args.lossy, **read_options(args))
        if lost:
            shell.say(f"lost: {'; '.join(lost)}")
    else:
        instances = read(args.instance, **read_options(args))
        if len(instances) != 1:
            raise UserError(f"--instance {args.instance} holds {len(instances)} instances; name one: {args.instance}#1")
        plan, _ = read_solution(plan_file(args.source), instances[0])
        if found := check(instances[0], plan).violations:
            shell.say(f"the plan is not feasible; the first of {len(found)} breaches: {found[0]}; it is written as it is")
        write((instances[0], plan), out, args.to)
    print(json.dumps({"source": args.source, "target": str(out), "lost": lost}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("accord convert", convert_files.__doc__)
    parser.add_argument("source", metavar="IN", help="instances of any format, FILE#3 for one of many; with --instance a plan")
    parser.add_argument("out", metavar="OUT", help="a file; its suffix says the format where --to does not")
    parser.add_argument(
        "--to", metavar="FORMAT", help="ours, tsplib, cvrplib, csv, ...; a wrong name lists them; default: as the suffix of OUT says"
    )
    parser.add_argument("--instance", metavar="FILE", help="IN is a plan of this instance")
    add_reading(parser)
    parser.add_argument("--lossy", action="store_true", help="leave out what the new format cannot hold")
    return parser
