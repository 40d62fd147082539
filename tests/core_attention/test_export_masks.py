"""A masked mixer in an exported file answers a batch of one as any other."""

import torch
import torch.fx.experimental._config as sizes
from torch import Tensor, nn

from core_attention.registry import build_mixer


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mixer = build_mixer("differential", 16, 2, depth=0)

    def forward(self, x_BND: Tensor, seen_BN: Tensor) -> Tensor:
        return self.mixer(x_BND, mask=seen_BN)


def test_a_free_batch_keeps_no_guard_that_it_is_not_one() -> None:
    torch.manual_seed(0)
    masked = Masked().eval()
    free = {0: torch.export.Dim.DYNAMIC}
    seen = torch.arange(5) < 3
    with sizes.patch(backed_size_oblivious=True), torch.no_grad():  # pyright: ignore[reportAttributeAccessIssue] - as files are exported
        program = torch.export.export(masked, (torch.randn(4, 5, 16), seen.expand(4, 5).clone()), dynamic_shapes=(free, free)).module()
    for count in (1, 3):
        x = torch.randn(count, 5, 16)
        torch.testing.assert_close(program(x, seen.expand(count, 5).clone()), masked(x, seen.expand(count, 5)))
