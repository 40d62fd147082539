"""What every trunk offers: pictures to features, features to one vector, and its parameters in order of depth."""

from typing import ClassVar

from torch import Tensor, nn

from kernels.dispatch import is_tracing

__all__ = ["Pair", "Trunk", "check_picture", "grid_of", "pair"]

Pair = int | tuple[int, int]


class Trunk(nn.Module):
    fixed_size: ClassVar[bool] = False  # True: built for pictures of one size, with an option and an attribute `image`
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


def pair(size: Pair) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def grid_of(image: tuple[int, int], patch: tuple[int, int]) -> tuple[int, int]:
    """Patches down and across."""
    if image[0] % patch[0] or image[1] % patch[1]:
        raise ValueError(f"a picture of {image[0]}x{image[1]} does not divide into patches of {patch[0]}x{patch[1]}")
    return image[0] // patch[0], image[1] // patch[1]


def check_picture(x_BCHW: Tensor, image: tuple[int, int]) -> None:
    """Refuse pictures of another size than the trunk was built for."""
    if not is_tracing() and tuple(x_BCHW.shape[2:]) != image:
        got = "x".join(str(int(side)) for side in x_BCHW.shape[2:])
        raise ValueError(f"this trunk takes pictures of {image[0]}x{image[1]}, not {got}")
