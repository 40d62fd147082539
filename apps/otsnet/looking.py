"""What the encoder looks at, layer by layer: two maps, what is left of them, and how much of it is background (2.2).

Shapes: B batch, T characters, N M tokens, H heads.
"""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from apps.otsnet.losses import in_boxes
from apps.otsnet.observe import Observer
from core_attention.maps import Recording, entropy, record, shares, signed_maps
from core_attention.mixers.signed import Signed

__all__ = ["LayerStatistics", "background_mass", "layer_statistics"]

MOST = 32  # pictures that are looked at: maps of all heads and layers are large


def background_mass(map_BNM: Tensor, boxes_BT4: Tensor, cells: tuple[int, int], seen_BN: Tensor | None = None) -> Tensor:
    """Share of the attention on tokens outside every character's box, of pictures whose boxes are known: NaN where none is.

    seen: tokens that are of the picture and look; None: all.
    """
    inside_BM = in_boxes(boxes_BT4, cells).any(1)
    known_B = inside_BM.any(1)
    looks_BN = known_B.new_ones(map_BNM.shape[:2]) if seen_BN is None else seen_BN
    looks_BN = looks_BN[known_B] / looks_BN[known_B].sum(1, keepdim=True)
    on_BM = (shares(map_BNM[known_B]) * looks_BN.unsqueeze(2)).sum(1)
    return (on_BM * ~inside_BM[known_B]).sum(1).mean()


def layer_statistics(observer: Observer, images_BCHW: Tensor, boxes_BT4: Tensor | None = None) -> dict[str, Tensor]:
    """Numbers to log, `layer.name` each: lambda, entropies and the share of negative weights of differential layers, the entropy of
    plain ones, and of all the background mass where boxes are given.
    """
    with torch.no_grad(), record(observer) as recording:
        observer(images_BCHW)
        return _of(recording, boxes_BT4, observer.cells_of(images_BCHW), observer.seen(images_BCHW))


class LayerStatistics(Metric):
    """`layer_statistics` of the first pictures that each process is shown, as a mean over the processes."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.names: tuple[str, ...] = ()
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, observer: Observer, images_BCHW: Tensor, boxes_BT4: Tensor) -> None:
        """boxes: NaN where they are not known"""
        if len(self.rows):  # type: ignore[arg-type]
            return
        found = layer_statistics(observer, images_BCHW[:MOST], boxes_BT4[:MOST])
        self.names = tuple(found)
        if found:  # an encoder of another kind has no maps
            self.rows.append(torch.stack([value.detach().float() for value in found.values()])[None])  # type: ignore[union-attr,operator]

    def compute(self) -> dict[str, float]:
        """Background only where the boxes of a picture were known."""
        if not len(self.rows):  # type: ignore[arg-type]
            return {}
        mean_S = torch.as_tensor(dim_zero_cat(self.rows)).nanmean(0).tolist()  # type: ignore[arg-type]
        return {name: value for name, value in zip(self.names, mean_S, strict=True) if value == value}


def _of(recording: Recording, boxes_BT4: Tensor | None, cells: tuple[int, int], seen_BN: Tensor | None) -> dict[str, Tensor]:
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
            found[f"{name}.background"] = background_mass(map_BHNM.mean(1), boxes_BT4, cells, seen_BN)
    return found
