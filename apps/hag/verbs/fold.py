"""`discern hag fold RUN`: the gates into the layers around them, with the proof that nothing changed and what it costs."""

import copy
import json
from typing import Any

from apps.base.columns import columns
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Parser, Shell, positive
from apps.hag.speed import faster, speeds
from apps.hag.verbs.opened import add_run_and_checkpoint, open_run, write_weights
from core_attention.gates import FoldReport, unwrap
from core_attention.gates import fold as folded_away

__all__ = ["fold"]

ROUNDS = 15


def fold(shell: Shell, argv: list[str]) -> int:
    """Multiply the gates into the layers before or behind them. Prints into which, which gates stay and why, how far the answers are off
    (in float64 at most 1e-10, as they are at most 1e-5), and milliseconds a picture: with gates, folded, and a network that never had
    any. Exported files are folded without this; -o writes the weights, under the names of the network without gates.
    """
    args = _parser(shell).parse_args(argv)
    output = output_file("-o", args.output) if args.output else None
    if output is not None and output.suffix != ".safetensors":
        raise UserError(f"-o {args.output}: weights are written as .safetensors; a program is written by 'discern hag export'")
    opened = open_run(shell, args)
    model = opened.task.model.eval()
    small, report = folded_away(model, opened.example())
    times = speeds(
        {"with gates": model, "folded": small, "without gates": unwrap(copy.deepcopy(model))}, opened.example(args.batch), args.rounds
    )
    if output is not None:
        if report.kept:
            raise UserError(
                f"-o: the gate {report.kept[0].gate} cannot be folded ({report.kept[0].why}); no weights say the same without it"
            )
        write_weights(small, output)
    if args.json:
        print(json.dumps({**told(report), "ms": times, "batch": args.batch, "file": args.output}))
        return 0
    print(folded_table(report))
    print(f"\noff by at most {report.error_double:.1e} in float64, {report.error:.1e} as it is")
    print(f"milliseconds of a batch of {args.batch}: " + ", ".join(f"{ms:.2f} {name}" for name, ms in times.items()))
    print(
        f"folded is {faster(times['with gates'], times['folded'])} than with gates, "
        f"and {faster(times['without gates'], times['folded'])} than without any"
    )
    return 0


def folded_table(report: FoldReport) -> str:
    stays = [(row.gate, f"stays: {row.why}") for row in report.kept]
    return columns([("gate", "goes into"), *((row.gate, row.into) for row in report.folded), *stays])


def told(report: FoldReport) -> dict[str, Any]:
    errors = {"error_float64": report.error_double, "error": report.error}
    return {"folded": [row._asdict() for row in report.folded], "kept": [row._asdict() for row in report.kept], **errors}


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("hag fold", fold.__doc__)
    add_run_and_checkpoint(parser)
    parser.add_argument("-o", dest="output", metavar="FILE.safetensors", help="write the folded weights")
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="pictures at once, for the milliseconds (default: 1)")
    parser.add_argument("--rounds", type=positive, default=ROUNDS, metavar="N", help=f"interleaved rounds (default: {ROUNDS})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser
