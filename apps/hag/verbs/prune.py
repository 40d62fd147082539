"""`discern hag prune RUN --threshold S | --quantile Q | --budget B`: close gates for good and make the network smaller by them."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apps.base.columns import columns
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.quiet import run_trainer
from apps.base.routing import RoutingOptions
from apps.base.shell import Parser, Shell, positive
from apps.hag.speed import faster, speeds
from apps.hag.verbs.opened import Opened, add_run_and_checkpoint, open_run, write_weights
from core_attention.gates import Hardened, PruneReport, fold, harden, shrink

__all__ = ["prune"]

ROUNDS = 15
PARITY_ITEMS = 6
FREE = ("lr_g", "clip_g")  # of the routing: never refused, and idle where no gate learns


def prune(shell: Shell, argv: list[str]) -> int:
    """Close gates, fold the others, take out what nobody reads any more. Prints what validation says before and after, what was cut,
    parameters, multiply-adds and milliseconds of a picture, the last two measured here.

    Choose the threshold or budget by what validation says, not by eye: weights make up for small gates. Closed channels of a residual
    branch save nothing unless all of it is closed; then the branch goes.

    -o writes the smaller network as a program (.ts, .pt2, .onnx) that was checked; --weights the closed gates and weights, and says how
    `fit` learns on from them.
    """
    args = _parser(shell).parse_args(argv)
    output, weights = (
        None if path is None else output_file(option, path) for option, path in (("-o", args.output), ("--weights", args.weights))
    )
    if output is not None and output.suffix == ".safetensors":
        raise UserError(
            f"-o {args.output}: a smaller network is written as a program (.ts, .pt2 or .onnx); --weights writes the closed gates"
        )
    if weights is not None and weights.suffix != ".safetensors":
        raise UserError(f"--weights {args.weights}: weights are written as .safetensors")
    opened = open_run(shell, args)
    before = validated(opened)
    folded, _ = fold(opened.task.model.eval(), opened.example())
    try:
        closed = harden(opened.gates, args.threshold, args.quantile, args.budget, args.value)
    except ValueError as error:
        raise UserError(f"prune: {error}") from error
    after = validated(opened)
    small, report = shrink(opened.task.model.eval(), opened.example())
    times = speeds({"folded": folded, "pruned": small}, opened.example(args.batch), args.rounds)
    if weights is not None:
        write_weights(opened.task.model, weights)
        shell.say(f"learn on with the same recipe and: {learn_on(args.weights, opened.recipe.config)}")
    parity = None if output is None else exported(shell, opened, output)
    score = str(opened.recipe.config["checkpoints"]["monitor"])
    if args.json:
        print(json.dumps({**told(closed, report), "score": score, "before": before, "after": after, "ms": times, "parity": parity}))
        return 0
    print(cuts_table(report))
    for line in (*lines(closed, report, args.batch, times), f"validation: {score} {before[score]:.4f} before, {after[score]:.4f} after"):
        print(line)
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("hag prune", prune.__doc__)
    add_run_and_checkpoint(parser)
    rule = parser.add_mutually_exclusive_group(required=True)
    rule.add_argument("--threshold", type=value, metavar="S", help="close gates with values below S")
    rule.add_argument("--quantile", type=share, metavar="Q", help="close this share of each place's gates, the smallest")
    rule.add_argument("--budget", type=share, metavar="B", help="leave this share of all gates open, the largest")
    parser.add_argument("--value", choices=("keep", "binary"), default="keep", help="of open gates: as they are (the default), or 1")
    parser.add_argument("-o", dest="output", metavar="FILE", help="write the smaller network: FILE.ts, .pt2 or .onnx")
    parser.add_argument("--weights", metavar="FILE.safetensors", help="write closed gates and weights, to learn on from")
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="pictures at once, for the milliseconds (default: 1)")
    parser.add_argument("--rounds", type=positive, default=ROUNDS, metavar="N", help=f"interleaved rounds (default: {ROUNDS})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


def share(text: str) -> float:
    return _within(text, 1.0, "a share in 0..1")


def value(text: str) -> float:
    return _within(text, 2.0, "a value of gates, in 0..1 (0..2 where they have unit)")


def _within(text: str, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return number


def validated(opened: Opened) -> dict[str, float]:
    """The scores of the validation split with the gates as they are now."""
    data = opened.recipe.set_up("validate")
    opened.task.check_data(data)
    (values,) = run_trainer(opened.recipe.trainer, "validate", opened.task, datamodule=data, verbose=False)
    return values


def exported(shell: Shell, opened: Opened, output: Path) -> dict[str, Any]:
    from apps.base.export import export_program

    data = opened.recipe.datamodule
    data.setup("test")
    program = opened.task.program(opened.task.programs[0], data.examples(PARITY_ITEMS))
    return export_program(program, output, None, shell)["worst"]


def learn_on(weights: str, config: Any) -> str:
    """The words that start a training of what is left from these weights: closed gates stay as they are, and what trains gates goes."""
    routing = config["model"]["init_args"]["routing"]
    ours = RoutingOptions(mode="frozen_gates")
    words = [f"--init {weights}", f"--model.routing.mode={ours.mode}"]
    for name, plain in asdict(ours).items():
        if name not in ("mode", *FREE) and json.dumps(routing[name]) != json.dumps(plain):
            words.append(f"--model.routing.{name}={plain if isinstance(plain, str) else json.dumps(plain)}")
    if config["data"]["init_args"]["gates"]:
        words.append("--data.gates=0")
    return " ".join(words)


def told(closed: Hardened, report: PruneReport) -> dict[str, Any]:
    return {
        "open": {name: left for name, (_, left) in closed.rows.items()},
        "channels": {name: channels for name, (channels, _) in closed.rows.items()},
        "saved": closed.saved,
        "cuts": [cut._asdict() for cut in report.cuts],
        "parameters": [report.before.parameters, report.after.parameters],
        "macs": [report.before.macs, report.after.macs],
        "error": report.error,
    }


def cuts_table(report: PruneReport) -> str:
    if not report.cuts:
        return "nothing can be cut: no layer lost all readers of a channel"
    return columns([("layer", "of", "before", "after"), *((cut.layer, cut.what, str(cut.before), str(cut.after)) for cut in report.cuts)])


def lines(closed: Hardened, report: PruneReport, batch: int, times: dict[str, float]) -> list[str]:
    """What was closed, and what that saves."""
    before, after = report.before, report.after
    less = [100 * (1 - b / a) if a else 0.0 for a, b in zip(before, after, strict=True)]
    found = ["", f"{closed.closed} of {closed.channels} gates closed"]
    found += [f"{name}: all would have closed; the largest stays, because nothing goes round it" for name in closed.saved]
    found.append(
        f"parameters {before.parameters:,} -> {after.parameters:,} ({less[0]:.1f} % less), "
        f"multiply-adds {before.macs:,} -> {after.macs:,} ({less[1]:.1f} % less), off by at most {report.error:.1e}"
    )
    speed = faster(times["folded"], times["pruned"])
    return [*found, f"milliseconds of a batch of {batch}: {times['folded']:.2f} -> {times['pruned']:.2f}, {speed}"]
