"""A bag model: instances are embedded one by one, a host makes one answer of the bag.

Shapes: T instances of all bags, S bags, F features, D width.
"""

import torch
from torch import Tensor, nn

from apps.mil.hosts import BagOutput, build_host
from apps.mil.options import Host
from apps.mil.stream import stream, streams
from core_attention.pools import AbMil
from core_attention.segments import Segments

__all__ = ["BagModel", "reset"]

EVEN = 0.05


class BagModel(nn.Module):
    """
    >>> model = BagModel(1024, 2, Host(name="ab_mil"))
    >>> model(torch.randn(300, 1024), Segments.from_lengths([100, 200])).logits.shape
    torch.Size([2, 2])
    """

    def __init__(self, features: int, outputs: int, host: Host) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Linear(features, host.dim), nn.ReLU() if host.embed_act == "relu" else nn.GELU(), nn.Dropout(host.dropout)
        )
        self.host = build_host(host, outputs)
        reset(self)

    def forward(self, x_TF: Tensor, segments: Segments, detail: bool = False) -> BagOutput:
        """detail: attention and what instances say, too."""
        if streams(self.host, x_TF):
            return stream(self.embed, self.host, x_TF, segments, detail)  # type: ignore[arg-type]
        return self.host(self.embed(x_TF), segments, detail)


def reset(model: nn.Module, seed: int | None = None) -> None:
    """Draw the weights anew: linear layers Xavier-normal without bias, norms 1 and 0, convolutions as the library does.
    The last layer of attention scores is a twentieth of that.

    With a seed, from a random stream of its own: the common one stays where it was.
    """
    if seed is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            reset(model)
        return
    for part in model.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_normal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.LayerNorm | nn.Conv1d | nn.Conv2d):
            part.reset_parameters()
        elif hasattr(part, "cls_token"):
            nn.init.normal_(part.cls_token)  # type: ignore[arg-type]
    for part in model.modules():
        if isinstance(part, AbMil):
            # ours: attention begins nearly equal. Otherwise it is drawn with the weights which instances it hardly looks at, and from
            # those no gradient ever comes: two seeds then learn two different things.
            with torch.no_grad():
                part.w.weight.mul_(EVEN)
