"""`discern accord repair INSTANCE PLAN`: an infeasible plan becomes feasible with the least change."""

from collections import Counter
from pathlib import Path

from apps.accord.reading import Given, add_fleet, add_reading, one_instance, plan_file
from apps.accord.repair import repair
from apps.accord.verbs.answers import Answers, add_answers, tell
from apps.accord.verbs.codes import CODES
from apps.base.shell import Parser, Shell
from datamodules.accord.bounds import bound
from datamodules.accord.formats import read_solution
from datamodules.accord.solution import Solution

__all__ = ["repair_plan"]


def repair_plan(shell: Shell, argv: list[str]) -> int:
    """Mend a plan that breaks rules and keep as much of it as can be kept; every change is told.

    What is repeated or unknown goes, what is missing comes in where it costs least; of a route, bin or knapsack that holds too much the
    fewest things go; a schedule keeps the order on its machines and delays what must wait. A feasible plan comes back as it is.
    To make it better afterwards: discern accord solve INSTANCE --start PLAN.
    """
    args = _parser(shell).parse_args(argv)
    instance = one_instance(args.instance, args, args.fleet)
    given = Given(args.instance, instance)
    plan, _ = read_solution(plan_file(args.plan), instance)
    repaired = repair(instance, plan)
    for change in repaired.changes if repaired.plan is not None else ():
        shell.say(f"  {change.says}")
    counts = Counter(change.what for change in repaired.changes)
    if repaired.plan is not None:
        shell.say(", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing was wrong: the plan is as it was")
    limit = bound(instance)
    if repaired.plan is None:
        status = "infeasible" if repaired.impossible else "unknown"
    else:
        status = "optimal" if repaired.objective == limit else "feasible"
    solution = Solution(instance.kind, repaired.plan, repaired.objective, status, limit, source="repair", reason=repaired.reason)
    with Answers(args, [given]) as answers:
        answers.add(given, solution)
    tell(shell, given, solution, several=False)
    return CODES[status]


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("accord repair", repair_plan.__doc__)
    parser.add_argument("instance", metavar="INSTANCE", help="a file, FILE#3 or FILE#NAME for one of many, or -")
    parser.add_argument("plan", metavar="PLAN", type=Path, help="a file with the plan")
    add_reading(parser)
    add_fleet(parser)
    add_answers(parser)
    return parser
