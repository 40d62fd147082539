"""How new parameters begin: as in timm's vision transformers, drawn from a generator of one's own or from torch's."""

from torch import Generator, nn

from core_attention.contract import Mixer

__all__ = ["initialise"]


def initialise(module: nn.Module, generator: Generator | None = None, std: float | None = 0.02) -> None:
    """Linear: truncated normal, zero bias; std=None takes 1 / sqrt(3 fan-in), as torch does by default.

    Convolution: fan-out normal, zero bias. Norms stay at 1 and 0. A mixer's own beginning (`own_init`) comes last.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=std or (3 * part.in_features) ** -0.5, generator=generator)
        elif isinstance(part, nn.Conv2d):
            fan_out = part.out_channels // part.groups * part.weight[0, 0].numel()  # of one group: a depthwise one has few outputs
            nn.init.normal_(part.weight, std=2**0.5 / fan_out**0.5, generator=generator)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, Mixer):
            part.own_init()
