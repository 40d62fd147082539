"""`discern accord check INSTANCE SOLUTION`: the independent judge."""

import json

from apps.accord.reading import add_fleet, add_reading, one_instance, plan_file
from apps.base.shell import Parser, Shell
from datamodules.accord.checker import check
from datamodules.accord.formats import read_stated

__all__ = ["check_plan"]


def check_plan(shell: Shell, argv: list[str]) -> int:
    """Does a plan keep every rule, and what does it really cost? All violations are told, in the labels of the instance's table.

    Without labels ids are counted from 0. The plan may be anybody's: a .tour, a .sol, a table, ACCORD's texts, JSON of ours. What its file
    claims to cost is compared, never believed; a running state, capacity or place that a text states wrongly is a note. Exit code 0:
    feasible; 3: it breaks a rule; 2: it could not be read.
    """
    args = _parser(shell).parse_args(argv)
    instance = one_instance(args.instance, args, args.fleet)
    stated = read_stated(plan_file(args.solution), instance, args.lenient)
    report = check(instance, stated.plan, stated.declared, stated.notes)
    for line in report.lines():
        shell.say(line)
    print(json.dumps({"instance": instance.name or args.instance, "solution": args.solution, **report.to_dict()}, ensure_ascii=False))
    return 0 if report.feasible else 3


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("accord check", check_plan.__doc__)
    parser.add_argument("instance", metavar="INSTANCE", help="a file, FILE#3 or FILE#NAME for one of many, or -")
    parser.add_argument("solution", metavar="SOLUTION", help="a file with the plan")
    add_reading(parser)
    add_fleet(parser)
    parser.add_argument(
        "--lenient", action="store_true", help="take the lines of ACCORD's two texts out of what a language model said around them"
    )
    return parser
