"""Tiny ONNX files that answer one planted face, in the form of each architecture, for pictures of 64 x 64.

How sure they are follows the first channel of what they are given: a picture in the wrong order of colours, or not normalised as the
architecture's pictures are, has no face.
"""

from pathlib import Path

import numpy as np

SIZE = 64
BOX = np.array([14.0, 10.0, 46.0, 50.0])  # x0, y0, x1, y1
POINTS = np.array([[22.0, 24.0], [38.0, 25.0], [30.0, 32.0], [24.0, 40.0], [37.0, 41.0]])


def scrfd(path: Path, points: bool = True) -> Path:
    """Two anchors a place; the face at stride 16, and a poorer copy of it that is to be left out."""
    outputs = {}
    for stride in (8, 16, 32):
        count = (SIZE // stride) ** 2 * 2
        score, box, place = np.zeros((count, 1)), np.zeros((count, 4)), np.zeros((count, 10))
        if stride == 16:
            for row, column, anchor, sure in ((1, 2, 0, 0.8), (2, 2, 1, 0.7)):
                at, centre = (row * 4 + column) * 2 + anchor, np.array([column, row]) * 16.0
                score[at] = sure
                box[at] = np.concatenate([centre - BOX[:2], BOX[2:] - centre]) / 16
                place[at] = ((POINTS - centre) / 16).ravel()
        outputs |= {f"score_{stride}": score, f"bbox_{stride}": box} | ({f"kps_{stride}": place} if points else {})
    return _write(path, outputs, ("score",), scale=128 / 127.5)


def retinaface(path: Path, logits: bool = False) -> Path:
    """The face at the anchor of 32 pixels of place (3, 3), stride 8."""
    count = sum((SIZE // stride) ** 2 * 2 for stride in (8, 16, 32))
    at, prior = (3 * 8 + 3) * 2 + 1, np.array([28.0, 28.0])
    box, classes, place = np.zeros((1, count, 4)), np.zeros((1, count, 2)), np.zeros((1, count, 10))
    centre, side = (BOX[:2] + BOX[2:]) / 2, BOX[2:] - BOX[:2]
    box[0, at] = np.concatenate([(centre - prior) / 32 / 0.1, np.log(side / 32) / 0.2])
    place[0, at] = ((POINTS - prior) / 32 / 0.1).ravel()
    classes[0, :, 0] = 1
    classes[0, at] = (0.1, 0.9)
    if logits:
        classes = np.where(classes > 0.5, 5.0, -5.0)
    return _write(path, {"loc": box, "conf": classes, "landms": place}, (), scale=1.0)


def yunet(path: Path) -> Path:
    """The face at place (2, 2), stride 16; a box is a place's own corner, moved, and sides as powers of e."""
    outputs = {}
    for stride in (8, 16, 32):
        count = (SIZE // stride) ** 2
        maps = {
            "cls": np.zeros((1, count, 1)),
            "obj": np.zeros((1, count, 1)),
            "bbox": np.zeros((1, count, 4)),
            "kps": np.zeros((1, count, 10)),
        }
        if stride == 16:
            at, corner = 2 * 4 + 2, np.array([32.0, 32.0])
            centre, side = (BOX[:2] + BOX[2:]) / 2, BOX[2:] - BOX[:2]
            maps["cls"][0, at] = maps["obj"][0, at] = 0.9
            maps["bbox"][0, at] = np.concatenate([(centre - corner) / 16, np.log(side / 16)])
            maps["kps"][0, at] = ((POINTS - corner) / 16).ravel()
        outputs |= {f"{name}_{stride}": value for name, value in maps.items()}
    return _write(path, outputs, ("cls", "obj"), scale=1 / 255)


def _write(path: Path, outputs: dict[str, np.ndarray], by_colour: tuple[str, ...], scale: float) -> Path:
    """by_colour: outputs of these names are multiplied by the mean of the picture's first channel times `scale`."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, held = [helper.make_node("GlobalAveragePool", ["input"], ["means"])], []
    for name, value in outputs.items():
        coloured = bool(by_colour) and name.startswith(by_colour)
        weight = np.zeros((value.size, 3, 1, 1), np.float32)
        weight[:, 0, 0, 0] = value.ravel() * scale * coloured
        for part, array in (("w", weight), ("b", value.ravel().astype(np.float32) * (not coloured)), ("shape", np.array(value.shape))):
            held.append(numpy_helper.from_array(array, f"{name}_{part}"))
        nodes.append(helper.make_node("Conv", ["means", f"{name}_w", f"{name}_b"], [f"{name}_flat"], kernel_shape=[1, 1]))
        nodes.append(helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [name]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(value.shape)) for name, value in outputs.items()],
        held,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), str(path))
    return path
