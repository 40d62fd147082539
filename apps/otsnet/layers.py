"""What each layer of the encoder looked at, from one pass over a picture.

Shapes: B batch, C H W picture, H heads, N M tokens, R S rows and columns of tokens.
"""

import numpy as np
import torch
from torch import Tensor

from apps.otsnet.draw_layers import Layer
from apps.otsnet.looks import over_picture
from apps.otsnet.observe import Observer
from core_attention.maps import record, signed_maps
from core_attention.mixers.signed import Signed

__all__ = ["looked"]


def looked(observer: Observer, x_BCHW: Tensor) -> list[Layer]:
    """How much every place was looked at by all others, of one picture: layer by layer."""
    cells, wide_B, found = observer.cells_of(x_BCHW), observer.shown(x_BCHW), []
    wide = 1.0 if wide_B is None else float(wide_B)
    with torch.no_grad(), record(observer) as recording:
        observer(x_BCHW)
        for place, call in enumerate(recording.calls, 1):
            name = f"layer {place}"
            if isinstance(call.mixer, Signed):
                maps = signed_maps(call)
                told = maps.statistics()
                note = f"λ {float(told['lambda']):.2f}, below 0: {float(told['negative']):.0%} of the weights"
                each = {"M1": maps.first, "M2": maps.second, "M1 - λ M2": maps.difference}
                found.append(Layer(name, {title: _on(map_BHNM, cells, wide) for title, map_BHNM in each.items()}, note))
            else:
                found.append(Layer(name, {"attention": _on(call.map("full"), cells, wide)}))
    return found


def _on(map_BHNM: Tensor, cells: tuple[int, int], wide: float) -> np.ndarray:
    return over_picture(map_BHNM[0].mean((0, 1)).unflatten(0, cells).cpu().numpy(), wide)
