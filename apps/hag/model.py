"""HAG: how many millimetres a polyp has, or which class a picture is of, from one or several networks whose channels carry gates.

The gates are not built here: `core_attention.gates.wrap` puts them on the sites of the trunks, and on those that `gate_sites` names.

Shapes: B batch, C channels of the picture and planes together, P planes, H W picture, D width of a stream, E width of the embedding,
K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from apps.hag.millimetres import Target, to_mm, to_target
from apps.hag.options import Head
from apps.hag.where import Where
from core_attention.gates import Site
from core_attention.gates.sites import named
from core_attention.trunks import ResNet, Trunk

__all__ = ["Hag", "HagOutput"]

SCALE = 4  # numbers that say how a crop was cut: ln width and height of the box, ln of the growth, share inside the field of view


class HagOutput(NamedTuple):
    mm: Tensor | None  # (B,) millimetres
    ordinal: Tensor | None  # (B,2) logits of > 5 mm and of >= 10 mm; the second is never above the first
    logits: Tensor | None  # (B,K)
    embedding: Tensor  # (B,E) before the head's activation, or the pooled vector of a head without a hidden layer
    y: Tensor | None = None  # (B,) what the millimetres are made of: the loss is on it
    where: Tensor | None = None  # (B,h,w) logits of the polyp in each cell, in training alone


class Stream(nn.Module):
    """One network and the channels that it reads. `embed` and `whole` do nothing: they are places for gates."""

    def __init__(self, trunk: Trunk, channels: Sequence[int]) -> None:
        super().__init__()
        self.runs = runs(channels)
        self.trunk = trunk
        self.embed = nn.Identity()
        self.whole = nn.Identity()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.whole(self.embed(self.trunk(self.own(x_BCHW))))

    def looked(self, x_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same of a residual network, and the maps of its stages."""
        trunk: Any = self.trunk
        maps = trunk.maps(self.own(x_BCHW))
        return self.whole(self.embed(trunk.pool(maps[-1]))), maps

    def own(self, x_BCHW: Tensor) -> Tensor:
        parts = [x_BCHW[:, first:behind] for first, behind in self.runs]
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def _residual(trunk: Trunk) -> ResNet:
    if not isinstance(trunk, ResNet):
        raise ValueError("loss.where: only a residual network, such as resnet18, has the maps of stages that could say where; leave it out")
    return trunk


def runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """Places as (first, behind the last) of what stands side by side.

    >>> runs([0, 1, 2, 5])
    [(0, 3), (5, 6)]
    """
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


class Hag(nn.Module):
    """
    >>> trunk = build_trunk("resnet18", width=0.25)
    >>> model = Hag({"rgb": (trunk, [0, 1, 2])}, Head("both"), target="log", begin=5.0)
    >>> model(torch.randn(2, 3, 96, 96)).mm.shape
    torch.Size([2])

    streams: by name, each a trunk and the places of its channels among those of the picture and the planes.
    target, begin: of a head with millimetres; it begins by answering `begin` mm to everything. classes: of a head that names classes.
    scaled: whether four numbers say how the picture was cut out of the frame. where: the stream, of a residual network, that says in
    training where the polyp is; nothing else reads that part.
    """

    def __init__(
        self,
        streams: Mapping[str, tuple[Trunk, Sequence[int]]],
        head: Head,
        target: Target | None = None,
        begin: float | None = None,
        classes: int = 0,
        scaled: bool = False,
        where: str | None = None,
    ) -> None:
        super().__init__()
        if head.regresses == (target is None) or head.regresses == (begin is None):
            raise ValueError(f"a head of kind {head.kind} {'needs' if head.regresses else 'has no use for'} a target and a beginning")
        if (head.kind == "classify") == (classes < 2):
            raise ValueError(f"a head of kind {head.kind} for {classes} classes")
        self.options = head
        self.target: Target | None = target
        self.parts = {"mm": int(head.regresses), "ordinal": 2 * int(head.orders), "logits": classes}
        self.streams = nn.ModuleDict({name: Stream(trunk, channels) for name, (trunk, channels) in streams.items()})
        out = sum(self.parts.values())
        widths = [trunk.dim for trunk, _ in streams.values()]
        # One linear map of the streams' vectors side by side, written as a sum of one each: a gate on a stream's channels then has
        # one linear map behind it, into which it folds.
        wide = head.hidden or out
        self.joins = nn.ModuleDict(
            {name: nn.Linear(width, wide, bias=i == 0) for i, (name, width) in enumerate(zip(streams, widths, strict=True))}
        )
        self.scale = nn.Linear(SCALE, wide, bias=False) if scaled else None
        self.act = nn.ReLU() if head.hidden else nn.Identity()
        self.out = nn.Linear(head.hidden, out) if head.hidden else nn.Identity()
        self.seen = where
        self.where = None if where is None else Where(_residual(streams[where][0]).widths)
        self._initialise(sum(widths), begin)

    def _initialise(self, width: int, begin: float | None) -> None:
        for part in self.joins.values():
            assert isinstance(part, nn.Linear)
            nn.init.trunc_normal_(part.weight, std=(3 * width) ** -0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        last = self.out if isinstance(self.out, nn.Linear) else next(iter(self.joins.values()))
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.bias)
        if begin is not None and self.target is not None:
            # ours: it begins as the constant answer, and learns what differs from it
            with torch.no_grad():
                last.bias[0] = to_target(torch.tensor(begin), self.target)
            for part in (self.out, *(() if self.options.hidden else self.joins.values())):
                if isinstance(part, nn.Linear):
                    with torch.no_grad():
                        part.weight[0] *= 0.1

    def forward(self, images_BCHW: Tensor, planes_BPHW: Tensor | None = None, scale_B4: Tensor | None = None) -> HagOutput:
        x_BCHW = images_BCHW if planes_BPHW is None else torch.cat([images_BCHW, planes_BPHW], 1)
        joined: list[Tensor] = []
        where_Bhw = None
        for name, stream in self.streams.items():
            if self.training and self.where is not None and name == self.seen:
                vector_BD, maps = cast(Stream, stream).looked(x_BCHW)
                where_Bhw = self.where(maps)
            else:
                vector_BD = stream(x_BCHW)
            joined.append(self.joins[name](vector_BD))
        if self.scale is not None:
            assert scale_B4 is not None
            joined.append(self.scale(scale_B4))
        embedding_BE = torch.stack(joined).sum(0) if len(joined) > 1 else joined[0]
        return self.answer(self.out(self.act(embedding_BE)), embedding_BE)._replace(where=where_Bhw)

    def gate_sites(self) -> dict[str, list[Site]]:
        """Each stream's pooled vector, each stream as a whole, the head's hidden layer; and of a trunk's last stage what reads it."""
        widths = {name: join.in_features for name, join in self.joins.items() if isinstance(join, nn.Linear)}
        sites = {
            "embed": [Site(f"streams.{name}.embed", -1, channels=width, consumers=(f"joins.{name}",)) for name, width in widths.items()],
            "stream": [
                Site(f"streams.{name}.whole", -1, channels=1, repeat=width, consumers=(f"joins.{name}",)) for name, width in widths.items()
            ],
        }
        sites["stage"] = [replace(site, consumers=site.consumers or self._reader(site.pattern)) for site in named(self, "stage")]
        if self.options.hidden:
            sites["head"] = [Site("act", -1, channels=self.options.hidden, consumers=("out",))]
        return sites

    def _reader(self, place: str) -> tuple[str, ...]:
        """Behind the last stage of a residual network are its pooling and the stream's linear map."""
        _, stream, trunk, stage, *_ = place.split(".")
        whole = self.streams[stream].trunk
        last = isinstance(whole, ResNet) and trunk == "trunk" and stage == f"layer{len(whole.widths)}"
        return (f"joins.{stream}",) if last else ()

    def answer(self, out_BK: Tensor, embedding_BE: Tensor) -> HagOutput:
        y_B1, ordinal_B2, logits_BK = out_BK.split(list(self.parts.values()), 1)
        y_B = y_B1[:, 0] if self.parts["mm"] else None
        ordinal = None
        if self.parts["ordinal"]:  # P(>= 10) is never above P(> 5)
            ordinal = torch.stack([ordinal_B2[:, 0], ordinal_B2[:, 0] - softplus(ordinal_B2[:, 1])], 1)
        mm_B = to_mm(y_B, self.target) if y_B is not None and self.target is not None else None
        return HagOutput(mm_B, ordinal, logits_BK if self.parts["logits"] else None, embedding_BE, y_B)
