"""`discern histograph leakcheck`: whether the answer of a trained network for a graph depends on what else is in its batch."""

import json
from pathlib import Path

from apps.base.beginning import begin
from apps.base.errors import UserError
from apps.base.shell import Shell
from apps.histograph.card import CARD
from apps.histograph.leakcheck import changed_by_order, gradient_leak
from apps.histograph.leakcheck import leakcheck as check

__all__ = ["leakcheck"]

DOC = """Check a checkpoint on graphs of its data: does the answer for one depend on the others of its batch?

Alone, all in one batch, in reverse, with neighbours exchanged (float64, 1e-9); the gradient from one graph to another, which must be
exactly zero; and how many answers another order of the same batches changes. WHAT is a checkpoint, a run, best or last; other options are
keys of the recipe, as --data.path. A leak is an error (exit code 1) that names the first module whose output differs.
"""


def leakcheck(shell: Shell, argv: list[str]) -> int:
    parser = shell.parser("histograph leakcheck", DOC)
    parser.add_argument("what", nargs="?", default="best", metavar="CKPT|RUN", help="(default: best, of the newest run)")
    parser.add_argument("--graphs", type=int, default=16, metavar="N", help="how many to check (default: 16)")
    args, rest = parser.parse_known_args(argv)
    if args.graphs < 2:
        raise UserError(f"--graphs {args.graphs}: at least 2, one beside another")
    named = args.what in ("best", "last") or Path(args.what).suffix == ".ckpt" or Path(args.what).is_file()
    words = ["--ckpt", args.what] if named else ["--ckpt", "best", "--run", args.what]
    beginning = begin(shell, CARD, "test", DOC, [*words, *rest])
    assert beginning is not None  # help was taken above
    recipe, task, _ = beginning.restore()
    if task.level != "graph":
        raise UserError(
            f"nodes of one graph are meant to depend on each other: leakcheck is for models of whole graphs, this one learns {task.level}s"
        )
    data = recipe.set_up("test")
    task.check_data(data)
    items = data.examples(args.graphs)
    if len(items) < 2:
        raise UserError(f"{len(items)} test graphs: leakcheck needs two or more; give --data.fold or other data")
    report = check(task.model, items)
    gradient = gradient_leak(task.model, items)
    changed = changed_by_order(task.model, items)
    run = beginning.run
    found = {"run": run.id if run else None, "graphs": report.graphs, "worst": report.worst, "gradient": gradient, "changed": changed}
    if changed:
        shell.complain(f"{changed} of {report.graphs} answers change with the order of their batches, by rounding: they are near a tie")
    print(json.dumps(found))
    return 0
