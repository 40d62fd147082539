"""What the encoder looks at, layer by layer: two maps, what is left of them, and how much of it is background (2.2).

Shapes: B batch, T characters, N M tokens, H heads.
"""

import torch
from torch import Tensor

from apps.otsnet.losses import in_boxes
from apps.otsnet.observe import Observer
from core_attention.maps import Recording, entropy, record, shares, signed_maps
from core_attention.mixers.signed import Signed

__all__ = ["background_mass", "layer_statistics"]


def background_mass(map_BNM: Tensor, boxes_BT4: Tensor, cells: tuple[int, int]) -> Tensor:
    """Share of the attention on tokens outside every character's box, of pictures whose boxes are known: NaN where none is."""
    inside_BM = in_boxes(boxes_BT4, cells).any(1)
    known_B = inside_BM.any(1)
    on_BM = shares(map_BNM[known_B]).mean(1)
    return (on_BM * ~inside_BM[known_B]).sum(1).mean()


def layer_statistics(observer: Observer, images_BCHW: Tensor, boxes_BT4: Tensor | None = None) -> dict[str, Tensor]:
    """Numbers to log, `layer.name` each: lambda, entropies and the share of negative weights of differential layers, the entropy of
    plain ones, and of all the background mass where boxes are given.
    """
    with torch.no_grad(), record(observer) as recording:
        observer(images_BCHW)
        return _of(recording, boxes_BT4, observer.cells_of(images_BCHW))


def _of(recording: Recording, boxes_BT4: Tensor | None, cells: tuple[int, int]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for call in recording.calls:
        name = call.name.removeprefix("blocks.")
        if isinstance(call.mixer, Signed):
            maps = signed_maps(call)
            found |= {f"{name}.{key}": value for key, value in maps.statistics().items()}
            map_BHNM = maps.difference
        else:
            map_BHNM = call.map("full")
            found[f"{name}.entropy"] = entropy(map_BHNM).nats.mean()
        if boxes_BT4 is not None:
            found[f"{name}.background"] = background_mass(map_BHNM.mean(1), boxes_BT4, cells)
    return found
