"""All that AHAN is trained on, by name and weighed: L = arc L_arc + contrastive L_con + triplet L_tri + aux (section 3)."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn

from apps.ahan.arcface import ArcFace
from apps.ahan.model import AhanOutput
from apps.ahan.options import Losses
from apps.ahan.pairs_losses import contrastive, twin_triplet

__all__ = ["Objective"]


class Objective(nn.Module):
    """Holds the centres of the people, which leave with no exported model.

    embedding: its width; widths: of the streams, by name; people: how many the training has; branch_weight: of the second pass.
    """

    def __init__(
        self,
        losses: Losses,
        embedding: int,
        widths: Mapping[str, int],
        people: int,
        branch_weight: float = 0.0,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.losses, self.branch_weight = losses, branch_weight
        if branch_weight and not losses.arc:
            raise ValueError("loss.arc=0: the second pass of tapwca.mode=branch is trained on ArcFace; set it, or use mode=replace")
        self.arc = ArcFace(embedding, people, losses.s, losses.m, generator) if losses.arc else None
        aux = widths if losses.aux else {}
        self.aux = nn.ModuleDict({f"aux_{name}": ArcFace(width, people, losses.s, losses.m, generator) for name, width in aux.items()})

    def forward(
        self,
        output: AhanOutput,
        person_B: Tensor,
        family_B: Tensor,
        progress: float = 1.0,
        generator: Generator | None = None,
        id_B: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Each part with its weight in it; their sum is the loss. progress: the share of training that is over. id: which image it is."""
        losses, parts = self.losses, {}
        known_B = person_B >= 0
        m = self.margin(progress)

        def angle(head: nn.Module, vectors_BD: Tensor) -> Tensor:
            return head(vectors_BD[known_B], person_B[known_B], m) if bool(known_B.any()) else vectors_BD.sum() * 0.0

        if self.arc is not None:
            parts["arc"] = losses.arc * angle(self.arc, output.embedding)
            if output.branch is not None and self.branch_weight:
                parts["branch"] = losses.arc * self.branch_weight * angle(self.arc, output.branch)
        if losses.contrastive:
            parts["contrastive"] = losses.contrastive * contrastive(output.embedding, person_B, losses.tau, id_B)
        if losses.triplet:
            triplet = twin_triplet(output.embedding, person_B, family_B, losses.triplet_margin, losses.triplet_negative, generator, id_B)
            parts["triplet"] = losses.triplet * triplet
        for name, vectors in (("global", output.global_), ("hca", output.regions), ("faam", output.asymmetry)):
            if f"aux_{name}" in self.aux and vectors is not None:
                parts[f"aux_{name}"] = losses.aux * angle(self.aux[f"aux_{name}"], vectors)
        return parts

    def margin(self, progress: float) -> float:
        """m, which grows from 0 over the warm-up."""
        warmup = self.losses.warmup
        return self.losses.m * (min(1.0, progress / warmup) if warmup else 1.0)
