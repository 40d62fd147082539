"""Why two faces are as alike as the program says: asked of the exported program alone, by leaving things out.

Shapes: R regions, S side of a face, H map, h columns of a half, C cells along a side.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from apps.base.predict.program_file import ProgramFile

__all__ = ["CELLS", "Explained", "explained", "mirrored"]

CELLS = 7  # of the occlusion map, along each side
AWAY = (2.0, 2.0, 3.0, 3.0)  # a box outside of the frame: its region is left out


class Explained(NamedTuple):
    """alike: the cosine of each region's own vectors. without: the score's change when a region is left out of both faces.

    asymmetry: of each face how much its halves differ, (H,W). covered: of each face the score's change when a cell of it is covered, (C,C).
    Each is None where the program cannot tell, or was not asked.
    """

    score: float
    alike: dict[str, float] | None
    without: dict[str, float] | None
    asymmetry: tuple[np.ndarray, np.ndarray] | None
    covered: tuple[np.ndarray, np.ndarray] | None


def explained(program: ProgramFile, faces: tuple[np.ndarray, np.ndarray], boxes_2R4: Tensor, occlusion: bool = False) -> Explained:
    """faces: uint8 (S,S,3), aligned. boxes: where the program reads the regions of each."""
    x_2CSS = torch.stack([program.prepare(face) for face in faces])
    names = program.metadata["regions"]
    boxed = bool(names) and "with_boxes" in program.metadata["methods"]
    outputs = _answer(program, x_2CSS, boxes_2R4 if boxed else None)
    a, b = outputs["embedding"]
    score = _cosine(a, b)
    alike = without = asymmetry = covered = None
    if "regions" in outputs:
        one, other = outputs["regions"]
        alike = {name: _cosine(one[at], other[at]) for at, name in enumerate(names)}
    if boxed:
        without = {}
        for at, name in enumerate(names):
            left = boxes_2R4.clone()
            left[:, at] = torch.tensor(AWAY)
            without[name] = _cosine(*_answer(program, x_2CSS, left)["embedding"]) - score
    if "differs" in outputs:
        one, other = outputs["differs"]
        asymmetry = mirrored(one.numpy()), mirrored(other.numpy())
    if occlusion:
        both = [_covered(program, x_2CSS[at], boxes_2R4[at] if boxed else None, (b, a)[at]) - score for at in (0, 1)]
        covered = both[0], both[1]
    return Explained(score, alike, without, asymmetry, covered)


def mirrored(half_Hh: np.ndarray) -> np.ndarray:
    """What a half says, laid over both: (H,W). A map is square, so of an odd one the middle column is in both halves."""
    columns = half_Hh.shape[0]
    right = half_Hh[:, ::-1]
    return np.concatenate([half_Hh, right[:, 2 * half_Hh.shape[1] - columns :]], 1)


def _covered(program: ProgramFile, x_CSS: Tensor, boxes_R4: Tensor | None, other_E: Tensor) -> np.ndarray:
    """(C,C): the score to the other face when a cell has the face's mean colour."""
    side = x_CSS.shape[-1]
    edges = [round(at * side / CELLS) for at in range(CELLS + 1)]
    views = x_CSS.repeat(CELLS**2, 1, 1, 1)
    for at in range(CELLS**2):
        row, column = divmod(at, CELLS)
        views[at, :, edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = x_CSS.mean((1, 2))[:, None, None]
    outputs = _answer(program, views, None if boxes_R4 is None else boxes_R4.expand(len(views), -1, -1))
    return np.array([_cosine(vector, other_E) for vector in outputs["embedding"]]).reshape(CELLS, CELLS)


def _answer(program: ProgramFile, x_BCSS: Tensor, boxes_BR4: Tensor | None) -> dict[str, Tensor]:
    outputs: dict[str, Any]
    if boxes_BR4 is None:
        outputs = program.forward(x_BCSS)
    else:
        outputs = program.call("with_boxes", x_BCSS, boxes_BR4.to(x_BCSS.device))
    return {name: value.double().cpu() for name, value in outputs.items()}


def _cosine(a_D: Tensor, b_D: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a_D, b_D, dim=0, eps=1e-12))
