"""`discern accord solve FILE...`: the best plan that can be found in the time there is."""

import sys
from argparse import Namespace
from contextlib import ExitStack

from apps.accord.reading import Given, add_fleet, add_reading, plan_file, problems
from apps.accord.solver import Solver
from apps.accord.solver.clock import entered
from apps.accord.solver.interrupt import Stop, interruptible
from apps.accord.verbs.answers import Answers, add_answers, tell
from apps.accord.verbs.asking import add_method, add_model, network_of
from apps.accord.verbs.codes import CODES, worst
from apps.accord.verbs.spoken import read_spoken
from apps.base.errors import UserError
from apps.base.shell import Parser, Shell
from datamodules.accord.formats import read_solution
from datamodules.accord.instances import Instance
from datamodules.accord.solution import Plan, Solution

__all__ = ["solve"]


def solve(shell: Shell, argv: list[str]) -> int:
    """Solve problems of routes, knapsacks, bins and schedules. Every answer is complete, feasible, and checked before it is given.

    FILE is an instance in any format that `discern data check` knows, a folder or archive of them, FILE#3 or FILE#NAME for one of many, or
    - for standard input. With --text the problem is told in words. Answers are JSON, a line each, or what --format says.

    Each answer bears one word: optimal (proven), feasible (complete, not proven), infeasible (proven that there is none; exit code 3),
    unknown (no plan in time; 4), refused (not one of the six kinds; 2), invalid (bad input; 2). Ctrl-C gives the best so far, and 130.
    """
    began = entered()
    args = _parser(shell).parse_args(argv)
    given = _given(shell, args)
    single = given[0] if len(given) == 1 else None
    start = _start(args, single)
    solver = Solver(network_of(shell, args), args.device)
    statuses = []
    with ExitStack() as stack:
        answers = stack.enter_context(Answers(args, given))
        stop = stack.enter_context(interruptible(shell.say))
        for place, solution in _solved(solver, given, args, start, began, stop):
            answers.add(given[place], solution)
            tell(shell, given[place], solution, several=len(given) > 1)
            statuses.append(solution.status)
    return 128 + stop.signum if stop else worst(statuses)


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("accord solve", solve.__doc__)
    parser.add_argument("inputs", metavar="FILE", nargs="*")
    parser.add_argument("--text", metavar="TEXT", help="the problem in words, with all its numbers; -: standard input")
    add_reading(parser)
    add_method(parser)
    parser.add_argument("--start", metavar="PLAN", help="a plan to begin from; the answer is never worse")
    add_fleet(parser)
    add_answers(parser)
    add_model(parser)
    return parser


def _given(shell: Shell, args: Namespace) -> list[Given]:
    if args.text is not None:
        if args.inputs:
            raise UserError("--text is the problem itself; leave the files out, or solve them on their own")
        return [read_spoken(shell, sys.stdin.read() if args.text == "-" else args.text, args.kind, args.fleet)]
    if not args.inputs:
        raise UserError("nothing to solve: name a file, - for standard input, or give the problem as --text")
    given = problems(args.inputs, args, args.fleet)
    if not given:
        raise UserError(f"no instances in {', '.join(args.inputs)}")
    return given


def _start(args: Namespace, single: Given | None) -> Plan | None:
    if args.start is None:
        return None
    if single is None or single.instance is None:
        raise UserError("--start is a plan of one instance; name one alone, such as FILE#3")
    return read_solution(plan_file(args.start), single.instance)[0]


def _solved(solver: Solver, given: list[Given], args: Namespace, start: Plan | None, began: float, stop: Stop):
    """(place, answer) of each as soon as it is there. The network alone takes them all at once, as far as there is no limit for each."""
    words = {
        "method": args.method, "samples": args.samples, "augment": args.augment, "starts": args.starts, "beam": args.beam,
        "temperature": args.temperature, "masked": not args.unmasked, "time_limit": args.time_limit, "seed": args.seed, "stop": stop,
    }  # fmt: skip
    if args.method == "model" and args.time_limit is None and start is None:
        known = [place for place, one in enumerate(given) if one.instance is not None]
        solutions = dict(zip(known, solver.solve(_instances(given), began=began, **words), strict=True))
        for place, one in enumerate(given):
            yield place, solutions.get(place) or _unread(one)
        return
    for place, one in enumerate(given):
        if one.instance is None:
            yield place, _unread(one)
        else:
            yield place, solver.solve([one.instance], start=start, began=began if place == 0 else None, **words)[0]


def _instances(given: list[Given]) -> list[Instance]:
    return [one.instance for one in given if one.instance is not None]


def _unread(one: Given) -> Solution:
    assert one.status in CODES
    return Solution("", None, None, one.status, reason=one.reason)  # type: ignore[arg-type]
