"""One file a model of a bag. `build_host` makes the one that is asked for."""

from torch import nn

from apps.mil.hosts.ds_mil import DsMil
from apps.mil.hosts.output import BagOutput
from apps.mil.hosts.pooled import Pooled
from apps.mil.hosts.trans_mil import TransMil
from apps.mil.options import Host

__all__ = ["BagOutput", "build_host"]


def build_host(options: Host, outputs: int) -> nn.Module:
    """Embedded instances (T,D) of ragged bags to a BagOutput of so many values a bag."""
    if options.name == "ds_mil":
        return DsMil(options.dim, outputs)
    if options.name == "trans_mil":
        return TransMil(options.dim, outputs, options.heads, options.landmarks)
    return Pooled(options, outputs)
