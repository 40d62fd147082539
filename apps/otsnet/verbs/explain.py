"""`discern otsnet explain IMG -o OUT.png`: where was each character read, how sure, and what did refinement do?"""

import json
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.base.options import add_device, add_run, add_trust
from apps.base.places import output_file
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell
from apps.otsnet.draw_layers import layers_figure
from apps.otsnet.draw_slots import Look, slots_figure
from apps.otsnet.looks import letters_of, look_of
from apps.otsnet.source import Source, open_source
from datamodules.pictures import read_picture
from datamodules.whole import write_bytes

__all__ = ["explain"]


def explain(shell: Shell, argv: list[str]) -> int:
    """Draw a word with a box for every character, coloured by how sure the reader is, and where each slot looked.

    Of weights and checkpoints every round of refinement is told as well, and with --layers it is drawn what each layer of the encoder
    looked at; of differential layers both maps and what is left of the first. An exported program tells the first word and the last.
    """
    args = _parser(shell).parse_args(argv)
    output = output_file("-o", args.output)
    layers = None if args.layers is None else output_file("--layers", args.layers)
    picture = read_picture(args.image)
    source = open_source(shell, args.model, run=args.run, trust=args.trust, device=args.device)
    if "cells" not in source.about:
        raise UserError(f"{args.model} was exported before files told the rows and columns of their attention; export it again")
    if layers is not None and source.reader is None:
        raise UserError("--layers looks into a model; name a checkpoint or a .safetensors file, not an exported program")
    x_BCHW = source.program.prepare(picture)[None]
    answer = {name: value[0].cpu().numpy() for name, value in source.program.forward(x_BCHW).items()}
    characters = source.about["labels"]
    look = look_of(picture, answer, characters, tuple(source.about["cells"]), _rounds(source, x_BCHW, characters))
    write_bytes(output, slots_figure(look))
    if layers is not None:
        from apps.otsnet.layers import looked

        write_bytes(layers, layers_figure(picture, looked(source.reader.observer, x_BCHW.clone())))
    codes = answer["codes"].tolist() if "codes" in answer else []
    print(json.dumps({"input": args.image, "picture": args.output, **_told(look, codes)}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("otsnet explain", explain.__doc__)
    parser.add_argument("image", metavar="IMG", help="a picture of a word")
    parser.add_argument("-o", dest="output", metavar="OUT.png", required=True, help="where to draw")
    parser.add_argument("--model", metavar="FILE|best|last", help="an exported program, weights or a checkpoint; default: the starter")
    parser.add_argument("--layers", metavar="OUT.png", help="of weights or a checkpoint: where to draw what each layer looked at")
    add_run(parser)
    add_device(parser)
    add_trust(parser)
    return parser


def _rounds(source: Source, x_BCHW: Any, characters: list[str]) -> list[str]:
    """The word before and after each round; none where only the first and the last are known."""
    import torch

    from apps.otsnet.readers import refines

    if source.reader is None or not refines(source.reader) or not source.about["refine"]:
        return []
    with torch.inference_mode():
        return [letters_of(word_BL[0].cpu().numpy(), characters) for word_BL in source.reader.steps(x_BCHW)[1]]


def _told(look: Look, codes: list[list[int]]) -> dict[str, Any]:
    high, wide = look.picture.shape[:2]
    characters = []
    for place, slot in enumerate(look.slots[: len(look.text)]):
        assert slot.box is not None  # only the end has none
        row = {"character": slot.character, "probability": plain(slot.probability)}
        row["box"] = [plain(value) for value in slot.box * np.array([wide, high, wide, high])]
        if slot.verified is not None:
            row["verified"] = plain(slot.verified)
        characters.append(row | ({"codes": codes[place]} if codes else {}))
    return {"text": look.text, "confidence": plain(look.confidence), "rounds": look.rounds, "characters": characters}
