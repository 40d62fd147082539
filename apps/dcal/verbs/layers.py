"""`explain` of a checkpoint: the rollout after every layer, and the attention that another picture gets in the pair branch."""

from pathlib import Path
from typing import Any

import torch

from apps.base.beginning import begin_at
from apps.base.errors import UserError
from apps.base.shell import Shell
from apps.dcal.card import CARD
from apps.dcal.draw_looks import layers_figure
from apps.dcal.model import Dcal, transformer
from apps.dcal.stream import rollout_row, self_attention
from datamodules.pictures import read_picture
from datamodules.preprocess import Preprocess
from datamodules.whole import write_bytes

__all__ = ["explain_checkpoint"]


def explain_checkpoint(shell: Shell, which: str, run: str | None, image: str, beside: str | None, output: Path) -> dict[str, Any]:
    _, task, _ = begin_at(shell, CARD, "export", which, run).restore()
    model: Dcal = task.model
    try:
        trunk = transformer(model.trunk)
    except ValueError as error:
        raise UserError(f"explain {which}: no rollout, because {error}") from error
    preprocess = Preprocess(**task.facts["preprocess"])
    pictures = [torch.from_numpy(read_picture(path)) for path in (image, beside) if path is not None]
    x_BCHW = torch.stack([preprocess(picture) for picture in pictures])
    if beside is not None and not model.pair_blocks:
        raise UserError("--beside: this checkpoint was trained without a pair branch (pwca.blocks=0); leave it out")
    partner, others = None, None
    if beside is not None:
        partner, others = (None, x_BCHW.flip(0)) if model.pwca.needs_others else (torch.tensor([1, 0]), None)
    with torch.inference_mode():
        passed = self_attention(list(trunk.blocks), trunk.embed(x_BCHW), "maps", beside is not None)  # type: ignore[arg-type]
        rows = [rollout_row(passed.layers[:depth])[0, trunk.prefix :] for depth in range(1, len(trunk.blocks) + 1)]
        looked = model.read(passed, partner, others)
    selected = looked.selected
    answer: dict[str, Any] = {} if selected is None else {"selected": selected[0].tolist()}
    if looked.leakage is not None:
        answer["leakage"] = [round(share, 4) for share in looked.leakage.tolist()]  # of both pictures, each beside the other
    seen = preprocess.crop(pictures[0]) if preprocess.fit == "crop" else pictures[0]
    rollouts = torch.stack(rows).unflatten(1, trunk.grid).numpy()
    write_bytes(output, layers_figure(seen.numpy(), rollouts, None if selected is None else selected[0].numpy()))
    return answer
