"""`discern accord compare FILES --methods a,b,c`: methods side by side at the same time limit."""

import csv
import sys
from argparse import Namespace
from typing import Any

from apps.accord.comparison import Compared, Row, best_of, rows_of, summary_lines, time_curves
from apps.accord.draw_gap import draw_gaps
from apps.accord.numbers import plainly, scale_of
from apps.accord.reading import Given, add_reading, problems, seconds
from apps.accord.solver import Solver
from apps.accord.solver.asked import PLACED, STARTED, known_methods
from apps.accord.solver.fleet import with_fleet
from apps.accord.solver.interrupt import interruptible
from apps.accord.verbs.asking import add_decoding, add_model, network_of
from apps.accord.verbs.samples import draw_samples
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Parser, Shell, nearest
from datamodules.accord.instances import CVRP, Instance
from datamodules.accord.solution import Solution
from datamodules.whole import write_bytes, write_whole

__all__ = ["compare"]

OF_NETWORK = ("portfolio", "model")


def compare(shell: Shell, argv: list[str]) -> int:
    """Solve every instance with every method and say who is best: feasible share, mean and median gap, gap of the means, seconds, wins.

    Gaps are to the best known value where the instance has one under the same fleet rule, else to the best that any of the methods found
    (the column `against` says which). Answers that are missing never enter a mean: the feasible share tells of them.
    One row of CSV for each (instance, method) goes to stdout or -o, the table for people to stderr.
    """
    args = _parser(shell).parse_args(argv)
    methods = list(dict.fromkeys(name.strip() for name in args.methods.split(",") if name.strip()))
    given = [_with_rule(one, args.fleet) for one in problems(args.inputs, args)]
    instances = [one.instance for one in given if one.instance is not None]
    for one in given:
        if one.instance is None:
            shell.complain(one.reason)
    if not instances:
        raise UserError("nothing to compare: no input could be read")
    _known(methods, instances)
    out = output_file("-o", args.out) if args.out is not None else None
    plot = output_file("--plot", args.plot) if args.plot is not None else None
    sampled = output_file("--samples-plot", args.samples_plot) if args.samples_plot is not None else None
    if sampled is not None and args.samples == 1:
        raise UserError("--samples-plot needs --samples N with N above 1")
    solver = Solver(network_of(shell, args), args.device)
    compared: list[Compared] = []
    with interruptible(shell.say) as stop:
        for instance in instances:
            answers: dict[str, Solution] = {}
            for name in methods:
                if name in known_methods(instance.kind):
                    (answer,) = solver.solve(
                        [instance], name, time_limit=args.time_limit, seed=args.seed, stop=stop, **_decoding(name, instance.kind, args)
                    )
                    if stop:  # it was cut, and is no measure of its method
                        break
                    answers[name] = answer
            if answers or not stop:
                compared.append(Compared(instance, answers))
                shell.say(f"{instance.name}: {_best_words(compared[-1])}")
            if stop:
                break
    rows = rows_of(compared)
    _write(rows, out)
    for line in summary_lines(rows, methods):
        shell.say(line)
    if plot is not None:
        title, note = f"gap over time, {len(compared)} instances", "mean over the instances that a method answers, once each has an answer"
        write_bytes(
            plot,
            draw_gaps(time_curves(compared, methods), "seconds", title, note, args.time_limit).encode(),
        )
    if sampled is not None and not stop:
        write_bytes(sampled, draw_samples(solver, compared, args.samples, args.seed, args.temperature).encode())
    if stop:
        return 128 + stop.signum
    return 1 if len(instances) < len(given) else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("accord compare", compare.__doc__)
    parser.add_argument("inputs", metavar="FILE", nargs="+")
    parser.add_argument(
        "--methods",
        metavar="A,B,...",
        default="portfolio,heuristic",
        help="portfolio, model, heuristic, exact, or the kind's own; default: portfolio,heuristic",
    )
    parser.add_argument("--time-limit", type=seconds, metavar="S", help="for each answer; default: until the method ends")
    add_reading(parser)
    parser.add_argument(
        "--fleet", metavar="free|name|K", help="default: what the file says, else name where its name ends in -kK, else free"
    )
    parser.add_argument("-o", "--out", dest="out", metavar="CSV", help="default: stdout")
    parser.add_argument("--plot", metavar="SVG", help="draw the mean gap over time, a line a method")
    parser.add_argument("--samples-plot", metavar="SVG", help="draw the mean gap over the number of samples, a line a kind")
    add_decoding(parser)
    add_model(parser)
    return parser


def _with_rule(one: Given, rule: str | None) -> Given:
    if one.instance is None:
        return one
    if rule is None and isinstance(one.instance, CVRP) and one.instance.fleet is None and one.instance.named_fleet is not None:
        rule = "name"  # the published values are of this fleet
    return Given(one.where, with_fleet(one.instance, rule))


def _best_words(one: Compared) -> str:
    if not one.answers:
        return f"none of the methods is one for a {one.instance.kind}"
    best = best_of(one)[0]
    return "no method found a plan" if best is None else f"best {plainly(best, scale_of(one.instance))}"


def _known(methods: list[str], instances: list[Instance]) -> None:
    names = sorted({name for kind in {instance.kind for instance in instances} for name in known_methods(kind)})
    for name in methods:
        if name not in names:
            raise UserError(f"--methods: no method {name!r} for these instances{nearest(name, names)}; there are {', '.join(names)}")
    if not methods:
        raise UserError(f"--methods is empty; there are {', '.join(names)}")


def _decoding(method: str, kind: str, args: Namespace) -> dict[str, Any]:
    """What is asked of the network goes to those methods that ask one, and to those kinds that have a use for it."""
    if method not in OF_NETWORK:
        return {}
    idle = {"starts": kind not in STARTED, "augment": kind not in PLACED}
    return {name: getattr(args, name) for name in ("samples", "augment", "starts", "beam", "temperature") if not idle.get(name)}


def _write(rows: list[Row], out) -> None:
    def put(stream) -> None:
        table = csv.DictWriter(stream, list(Row._fields), lineterminator="\n")
        table.writeheader()
        table.writerows({name: "" if value is None else value for name, value in row._asdict().items()} for row in rows)

    if out is None:
        put(sys.stdout)
        return
    with write_whole(out, "w") as file:
        put(file)
