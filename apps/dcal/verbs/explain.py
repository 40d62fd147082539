"""`discern dcal explain FILE IMG -o OUT.png`: where did the model look?"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.base.options import add_device, add_run, add_trust
from apps.base.places import output_file
from apps.base.predict.answer import plain
from apps.base.shell import Parser, Shell
from apps.dcal.draw_looks import Look, looks_figure, times_even
from apps.dcal.verbs.asking import open_file
from datamodules.whole import write_bytes

__all__ = ["explain"]


def explain(shell: Shell, argv: list[str]) -> int:
    """Draw the attention rollout over a picture, with the patches outlined that the global-local branch chose.

    FILE is an exported program, or a checkpoint (best, last or a .ckpt file): of a checkpoint also the rollout after every layer is drawn,
    and with --beside how much of its attention the picture gives to another one in the pair branch.
    """
    args = _parser(shell).parse_args(argv)
    output = output_file("-o", args.output)
    if args.file in ("best", "last") or Path(args.file).suffix == ".ckpt":
        if args.trust or args.device != "cpu":
            raise UserError(f"{'--trust' if args.trust else '--device'} goes with an exported file; a checkpoint is explained on the CPU")
        from apps.dcal.verbs.layers import explain_checkpoint  # brings Lightning

        answer = explain_checkpoint(shell, args.file, args.run, args.image, args.beside, output)
    else:
        for option in ("run", "beside"):
            if getattr(args, option) is not None:
                raise UserError(f"--{option} goes with a checkpoint (best, last or a .ckpt file), not with an exported file")
        answer = _explain_file(args, output)
    print(json.dumps({"input": args.image, "picture": args.output, **answer}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("dcal explain", explain.__doc__)
    parser.add_argument("file", metavar="FILE", help="an exported program, or a checkpoint: best, last or a .ckpt file")
    parser.add_argument("image", metavar="IMG")
    parser.add_argument("-o", dest="output", metavar="OUT.png", required=True, help="where to draw")
    add_run(parser)
    parser.add_argument("--beside", metavar="IMG", help="of a checkpoint with a pair branch: the distractor")
    add_device(parser)
    add_trust(parser)
    return parser


def _explain_file(args: Any, output: Path) -> dict[str, Any]:
    file = open_file(args.file, device=args.device, trust=args.trust, batch=1)
    file.need("rollout", "its branches are sa alone; export it with model.branches=both, or explain its checkpoint")
    (asked,) = file.ask([args.image], keep=True)
    if asked.error is not None:
        raise UserError(f"{args.image}: {asked.error}")
    assert asked.picture is not None
    selected = asked.outputs.get("selected")
    answer: dict[str, Any] = {} if selected is None else {"selected": selected.tolist()}
    caption = args.image
    if "probs" in asked.outputs:
        best = int(asked.outputs["probs"].argmax())
        label = file.program.metadata["labels"][best]
        answer |= {"label": label, "probability": plain(asked.outputs["probs"][best])}
        caption = f"{label} {answer['probability']:.1%}"
    write_bytes(output, looks_figure([Look(file.seen(asked.picture), asked.outputs["rollout"], selected)], [caption]))
    return answer | {"rollout_peak": _peak(asked.outputs["rollout"])}


def _peak(rollout: np.ndarray) -> dict[str, Any]:
    """The patch that contributed most, and how many times an even share that is."""
    best = int(rollout.argmax())
    return {"patch": best, "times_even": plain(times_even(rollout).flat[best])}
