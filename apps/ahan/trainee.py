"""What an optimiser moves: the network, and the centres of the training's people, which no exported file has.

Shapes: B batch, C channels, H W picture, R regions.
"""

from torch import Generator, Tensor, nn

from apps.ahan.model import Ahan, AhanOutput
from apps.ahan.objective import Objective

__all__ = ["Trainee"]


class Trainee(nn.Module):
    def __init__(self, net: Ahan, objective: Objective) -> None:
        super().__init__()
        self.net, self.objective = net, objective

    def forward(
        self,
        images_BCHW: Tensor,
        boxes_BR4: Tensor | None = None,
        partner_B: Tensor | None = None,
        generator: Generator | None = None,
    ) -> AhanOutput:
        """partner, generator: of a training step in which images may see their twins' keys."""
        if partner_B is None:
            return self.net(images_BCHW, boxes_BR4)
        return self.net.forward_train(images_BCHW, partner_B, boxes_BR4, generator=generator)
