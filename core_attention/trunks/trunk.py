"""What every trunk offers: pictures to features, features to one vector, and its parameters in order of depth."""

from torch import Tensor, nn

__all__ = ["Trunk"]


class Trunk(nn.Module):
    dim: int  # width of the vector

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """One vector (B, dim) a picture."""
        return self.pool(self.forward_features(x_BCHW))

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        """Tokens (B,N,dim) of a transformer, a map (B,dim,h,w) of a convolutional network."""
        raise NotImplementedError

    def pool(self, features: Tensor) -> Tensor:
        raise NotImplementedError

    def layer_groups(self) -> list[list[str]]:
        """Prefixes of parameter names from input to output, each parameter in one group: for freezing and layer-wise rates."""
        raise NotImplementedError
