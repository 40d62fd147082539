"""`explain` of a checkpoint: every round of refinement, and what each layer of the encoder looked at.

Shapes: B batch, C H W picture, H heads, N M tokens, R S rows and columns of tokens.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from apps.base.beginning import begin_at
from apps.base.shell import Shell
from apps.otsnet.card import CARD
from apps.otsnet.draw_layers import Layer, layers_figure
from apps.otsnet.draw_slots import Look
from apps.otsnet.looks import letters_of, look_of
from apps.otsnet.model import Otsnet
from apps.otsnet.observe import Observer
from apps.otsnet.program import ReadWords
from core_attention.maps import record, signed_maps
from core_attention.mixers.signed import Signed
from datamodules.whole import write_bytes

__all__ = ["look_of_checkpoint", "looked"]


def look_of_checkpoint(shell: Shell, which: str, run: str | None, picture: np.ndarray, layers: Path | None) -> tuple[Look, list[list[int]]]:
    """(what is drawn, the codes of every slot)."""
    _, task, _ = begin_at(shell, CARD, "export", which, run).restore()
    program: ReadWords = task.program("read", [])  # pyright: ignore[reportAssignmentType]
    about = program.metadata()
    with torch.inference_mode():
        x_BCHW = program.prepare(torch.from_numpy(picture))[None]
        answer = {name: value[0].numpy() for name, value in program(x_BCHW).items()}
        rounds = []
        if isinstance(task.model, Otsnet) and task.model.verifier is not None:
            rounds = [letters_of(word_BL[0].numpy(), about["labels"]) for word_BL in task.model.steps(x_BCHW)[1]]
    if layers is not None:
        write_bytes(layers, layers_figure(picture, looked(task.model.observer, x_BCHW.clone())))
    codes = answer["codes"].tolist() if "codes" in answer else []
    return look_of(picture, answer, about["labels"], tuple(about["cells"]), rounds), codes


def looked(observer: Observer, x_BCHW: Tensor) -> list[Layer]:
    """How much every place was looked at by all others, of one picture: layer by layer."""
    cells, found = observer.cells_of(x_BCHW), []
    with torch.no_grad(), record(observer) as recording:
        observer(x_BCHW)
        for place, call in enumerate(recording.calls, 1):
            name = f"layer {place}"
            if isinstance(call.mixer, Signed):
                maps = signed_maps(call)
                told = maps.statistics()
                note = f"λ {float(told['lambda']):.2f}, below 0: {float(told['negative']):.0%} of the weights"
                each = {"M1": maps.first, "M2": maps.second, "M1 - λ M2": maps.difference}
                found.append(Layer(name, {title: _on(map_BHNM, cells) for title, map_BHNM in each.items()}, note))
            else:
                found.append(Layer(name, {"attention": _on(call.map("full"), cells)}))
    return found


def _on(map_BHNM: Tensor, cells: tuple[int, int]) -> np.ndarray:
    return map_BHNM[0].mean((0, 1)).unflatten(0, cells).numpy()
