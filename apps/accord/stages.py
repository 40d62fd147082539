"""Who learns when (ACCORD brief 3.4): a function of the share of the training that is done, so that a resume stands where it stood."""

from typing import NamedTuple

from torch import nn

from apps.accord.options import Stages

__all__ = ["Phase", "phase_of", "set_learning"]


class Phase(NamedTuple):
    name: str  # joint, adapters, improve
    backbone: bool  # it learns, and no adapter is used
    improve: bool  # from the best of its own answers


def phase_of(stages: Stages, progress: float) -> Phase:
    """progress: share of the training's steps that are done, 0 to 1."""
    improve = progress >= 1.0 - stages.improve
    if stages.mode == "shared" or (stages.mode == "staged" and progress < stages.joint):
        return Phase("improve" if improve else "joint", True, improve)
    return Phase("improve" if improve else "adapters", False, improve)


def set_learning(model: nn.Module, phase: Phase) -> None:
    """Blocks learn, or their adapters; readers, special actions and the last say of each kind always do (2.4.4)."""
    for name, parameter in model.named_parameters():
        if name.startswith("parts."):
            continue
        adapter = name.endswith((".A", ".B"))
        parameter.requires_grad_(adapter != phase.backbone)
