"""`discern histograph explain`: which layers and which nodes an answer rests on, as pictures and tables."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.base.options import add_run, add_trust
from apps.base.places import output_folder
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell, positive
from apps.histograph.card import CARD
from apps.histograph.draw import class_layer_figure, depth_figure, graph_layer_figure, layer_figure
from apps.histograph.draw_graph import answer_picture
from apps.histograph.verbs.asking import Asked, Source, ask, from_checkpoint, from_file
from datamodules.whole import write_bytes, write_whole

__all__ = ["explain"]


def explain(shell: Shell, argv: list[str]) -> int:
    """Write to a folder: each graph with its nodes coloured by weight and its layer weights; the weights of all graphs and of each class;
    explain.csv (a row a graph) and nodes.csv (a row a node). Of a checkpoint also depth.png and depth.csv: what becomes of the states
    with depth. Of a checkpoint of nodes or links these are all, with layers.png, and of the graph that it was trained on.

    INPUT is a graph (.json, .graphml), a SMILES, a table of SMILES, or a set as 'discern data check' takes it; of a checkpoint it may be
    left out, and graphs of its own test split are taken.
    """
    args = _parser(shell).parse_args(argv)
    if (args.model is None) == (args.ckpt is None):
        raise UserError("explain needs either --model FILE (an exported program) or --ckpt best|last|PATH")
    if args.run is not None and args.ckpt not in ("best", "last"):
        raise UserError("--run goes with --ckpt best or last")
    if args.trust and args.model is None:
        raise UserError("--trust goes with --model: a checkpoint runs no code of its own")
    if args.model is not None and not args.inputs:
        raise UserError("an exported program brings no graphs: give INPUT")
    folder = output_folder("-o", args.output)
    if args.model is not None:
        source = from_file(args.model, args.trust)
    else:
        from apps.base.beginning import begin_at  # brings Lightning

        recipe, task, _ = begin_at(shell, CARD, "export", args.ckpt, args.run).restore()
        if task.level != "graph":
            return _network(folder, recipe, task, args.inputs, args.limit)
        source = from_checkpoint(recipe, task)
    asked = list(ask(source, args.inputs, args.limit))
    answered = [one for one in asked if one.error is None]
    for one in asked:
        if one.error is not None:
            shell.complain(f"{one.name}: {one.error}")
    if not answered:
        raise UserError(f"no graph could be explained: {asked[0].error if asked else 'there are none'}")
    written = _pictures(folder, source, answered)
    _tables(folder, answered, source.first)
    print(json.dumps({"folder": str(folder), "graphs": len(answered), "failed": len(asked) - len(answered), "pictures": written}))
    return 1 if len(answered) < len(asked) else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("histograph explain", explain.__doc__)
    parser.add_argument("inputs", metavar="INPUT", nargs="*")
    parser.add_argument("--model", metavar="FILE", help="an exported program, .ts or .pt2")
    parser.add_argument("--ckpt", metavar="best|last|PATH", help="a checkpoint")
    add_run(parser)
    parser.add_argument("-o", dest="output", metavar="DIR", required=True, help="where to write")
    parser.add_argument("--limit", type=positive, default=16, metavar="N", help="graphs taken of a set, spread over it; default: 16")
    add_trust(parser)
    return parser


def _pictures(folder: Path, source: Source, answered: list[Asked]) -> list[str]:
    weight_GL = np.stack([one.layers for one in answered])
    pictures = {"graphs.png": graph_layer_figure(weight_GL, [one.name for one in answered], source.first)}
    by_class: dict[str, list[np.ndarray]] = {}
    for one in answered:
        if one.group is not None:
            by_class.setdefault(one.group, []).append(one.layers)
    if by_class:
        means = {f"{name} ({len(rows)})": np.mean(rows, 0) for name, rows in sorted(by_class.items())}
        pictures["classes.png"] = class_layer_figure(means, source.first)
    if source.model is not None:
        from apps.histograph.depth import states_of

        states = states_of(source.model, [one.item for one in answered])
        pictures["depth.png"] = _depth(folder, states, weight_GL, source.first)
    for number, one in enumerate(answered, start=1):
        pictures[f"{number:06d}.png"] = answer_picture(one.name, one.item, one.answer, source.program.metadata)
    for name, png in pictures.items():
        write_bytes(folder / name, png)
    return list(pictures)


def _depth(folder: Path, states: Any, weight_RL: np.ndarray, first: int) -> bytes:
    """The picture; the same as numbers in depth.csv."""
    from apps.histograph.depth import depth_of

    energy, cosine = (curve.numpy() for curve in depth_of(states))
    mean, deviation = weight_RL.mean(0), weight_RL.std(0)
    with write_whole(folder / "depth.csv", "w") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["layer", "energy", "cosine", "weight", "deviation"])
        for i, values in enumerate(zip(energy, cosine, mean, deviation, strict=True)):
            rows.writerow([first + i, *(plain(value) for value in values)])
    return depth_figure(energy, cosine, mean, first)


def _network(folder: Path, recipe: Any, task: Any, inputs: list[str], limit: int) -> int:
    """Of a model of nodes or links: the layers over the graph that it was trained on."""
    from apps.histograph.depth import layer_weights_of, states_of

    if inputs:
        raise UserError(f"explain of {task.level}s is about the graph that was trained on: it takes no INPUT")
    data = recipe.set_up("test")
    items = data.seen(limit)
    states = states_of(task.model, items)
    weight_RL = layer_weights_of(task.model, states).numpy()
    first = task.backbone.first_state
    pictures = {
        "depth.png": _depth(folder, states, weight_RL, first),
        "layers.png": layer_figure(
            weight_RL.mean(0).tolist(), weight_RL.std(0).tolist(), first, "nodes" if task.layers_by_node else "graphs"
        ),
    }
    for name, png in pictures.items():
        write_bytes(folder / name, png)
    print(json.dumps({"folder": str(folder), "graphs": len(items), "failed": 0, "pictures": list(pictures)}))
    return 0


def _tables(folder: Path, answered: list[Asked], first: int) -> None:
    with write_whole(folder / "explain.csv", "w") as file:
        rows = csv.writer(file, lineterminator="\n")
        layers = len(answered[0].layers)
        rows.writerow(["number", "input", "label", "answer", *(f"layer {first + i}" for i in range(layers))])
        for number, one in enumerate(answered, start=1):
            rows.writerow([number, one.name, one.label or "", one.words, *(plain(value) for value in one.layers)])
    with write_whole(folder / "nodes.csv", "w") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["number", "input", "node", "weight"])
        for number, one in enumerate(answered, start=1):
            rows.writerows([number, one.name, node, plain(weight)] for node, weight in enumerate(one.answer["node_weights"]))
