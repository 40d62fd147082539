"""Small models with every kind of place a gate may sit at."""

import torch
from torch import nn

from core_attention.gates import Site
from core_attention.trunks import ResNet, Vit


def vit(**options):
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    return Vit(image=16, patch=8, width=24, depth=2, heads=3, init_std=None, generator=generator, **options)


class Sizer(nn.Module):
    """A network with a head that says where its own places are."""

    def __init__(self, **options):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = ResNet(width=0.125, **options)
        self.head = nn.Sequential(nn.Linear(self.trunk.dim, 6), nn.ReLU(), nn.Linear(6, 2))
        for part in self.modules():  # a block that begins as its shortcut would hide what lies inside
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.uniform_(part.running_mean, -0.5, 0.5)
                nn.init.uniform_(part.running_var, 0.5, 1.5)

    def forward(self, x_BCHW):
        return self.head(self.trunk(x_BCHW))

    def gate_sites(self):
        return {
            "embed": [Site("head.0", side="input", consumers=("head.0",))],
            "head": [Site("head.2", side="input", consumers=("head.2",))],
        }


# model, its sites, a picture's side
CASES = {
    "vit": (vit, ["branch", "hidden", "heads", "input"], 16),
    "vit, layer scale": (lambda: vit(layer_scale=0.5), ["branch"], 16),
    "vit, macaron": (lambda: vit(block="macaron"), ["branch", "hidden", "heads"], 16),
    "vit, hybrid": (lambda: Vit(image=32, patch=8, width=24, depth=2, heads=3, stem="resnet18_half"), ["stage", "branch", "input"], 32),
    "resnet": (Sizer, ["stage", "embed", "head", "input"], 32),
    "any tree": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)), ["0", Site("3", side="input")], 8),
}


def pictures(side, count=2):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))
