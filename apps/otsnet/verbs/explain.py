"""`discern otsnet explain FILE IMG -o OUT.png`: where was each character read, how sure, and what did refinement do?"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.base.options import add_device, add_run, add_trust
from apps.base.places import output_file
from apps.base.predict.answer import plain
from apps.base.predict.program_file import ProgramFile, take_own
from apps.base.shell import Parser, Shell
from apps.otsnet.card import CARD
from apps.otsnet.draw_slots import Look, slots_figure
from apps.otsnet.looks import look_of
from datamodules.pictures import read_picture
from datamodules.whole import write_bytes

__all__ = ["explain"]


def explain(shell: Shell, argv: list[str]) -> int:
    """Draw a word with a box for every character, coloured by how sure the reader is, and where each slot looked.

    FILE is an exported program, or a checkpoint (best, last or a .ckpt file): of a checkpoint also every round of refinement is told, and
    with --layers what each layer of the encoder looked at; of differential layers both maps and what is left of the first.
    """
    args = _parser(shell).parse_args(argv)
    output = output_file("-o", args.output)
    picture = read_picture(args.image)
    if args.file in ("best", "last") or Path(args.file).suffix == ".ckpt":
        if args.trust or args.device != "cpu":
            raise UserError(f"{'--trust' if args.trust else '--device'} goes with an exported file; a checkpoint is explained on the CPU")
        layers = None if args.layers is None else output_file("--layers", args.layers)
        from apps.otsnet.verbs.layers import look_of_checkpoint  # brings Lightning

        look, codes = look_of_checkpoint(shell, args.file, args.run, picture, layers)
    else:
        for option in ("run", "layers"):
            if getattr(args, option) is not None:
                raise UserError(f"--{option} goes with a checkpoint (best, last or a .ckpt file), not with an exported file")
        look, codes = _look_of_file(args, picture)
    write_bytes(output, slots_figure(look))
    print(json.dumps({"input": args.image, "picture": args.output, **_told(look, codes)}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("otsnet explain", explain.__doc__)
    parser.add_argument("file", metavar="FILE", help="an exported program, or a checkpoint: best, last or a .ckpt file")
    parser.add_argument("image", metavar="IMG", help="a picture of a word")
    parser.add_argument("-o", dest="output", metavar="OUT.png", required=True, help="where to draw")
    parser.add_argument("--layers", metavar="OUT.png", help="of a checkpoint: where to draw what each layer looked at")
    add_run(parser)
    add_device(parser)
    add_trust(parser)
    return parser


def _look_of_file(args: Any, picture: np.ndarray) -> tuple[Look, list[list[int]]]:
    taken = take_own(CARD, args.file, args.trust)
    program = ProgramFile(taken, args.device)
    outputs = program.forward(program.prepare(picture)[None])
    answer = {name: value[0].cpu().numpy() for name, value in outputs.items()}
    return look_of(picture, answer, program.metadata["labels"], tuple(program.metadata["cells"])), codes_of(answer)


def codes_of(answer: dict[str, np.ndarray]) -> list[list[int]]:
    return answer["codes"].tolist() if "codes" in answer else []


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
