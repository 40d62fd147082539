"""An input with its answer drawn: the picture, the first map laid over it, and the answer in words below."""

import re
from pathlib import Path
from typing import Any

__all__ = ["draw", "write_drawn", "write_picture"]

LONG, LINE, TOP = 640, 22, 5


def draw(image: Any, answer: dict[str, Any], maps: list[str]) -> Any:
    """uint8 H,W,3 RGB in and out."""
    import cv2
    import numpy as np

    scale = LONG / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    panels = [image]
    if maps:
        heat = np.asarray(answer[maps[0]], dtype=np.float32)
        # from nothing to the most, or to twice the mean where nothing stands out: an even map must not look sharp
        heat = heat / max(float(heat.max()), 2 * float(heat.mean()), 1e-12)
        heat = cv2.resize(heat, size, interpolation=cv2.INTER_CUBIC).clip(0, 1)
        colour = cv2.cvtColor(cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
        panels.append(cv2.addWeighted(image, 0.5, colour, 0.5, 0))
    picture = np.concatenate(panels, axis=1)
    lines = words(answer)
    strip = np.full((LINE * len(lines) + 8, max(picture.shape[1], 320), 3), 255, dtype=np.uint8)
    for i, line in enumerate(lines):
        cv2.putText(strip, line, (8, LINE * (i + 1)), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (30, 30, 30), 1, cv2.LINE_AA)
    picture = cv2.copyMakeBorder(picture, 0, 0, 0, strip.shape[1] - picture.shape[1], cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return np.concatenate([picture, strip])


def words(answer: dict[str, Any]) -> list[str]:
    """The answer's labels and single numbers, a line each. OpenCV's letters are ASCII."""
    lines = []
    for name, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{entry['probability']:6.1%}  {entry['label']}" for entry in value[:TOP]]
        elif not isinstance(value, list):
            lines.append(f"{name}: {value}")
    return [line.encode("ascii", "replace").decode() for line in lines] or ["(no label)"]


def write_picture(folder: Path, number: int, name: str, picture: Any) -> Path:
    """A picture as JPEG."""
    import cv2

    encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    return _write(folder, f"{number:06d}_{Path(name).stem}.jpg", encoded.tobytes())


def write_drawn(folder: Path, number: int, name: str, png: bytes) -> Path:
    """A drawing as PNG. A name need not be a path: what a file's name cannot hold is left out of it."""
    stem = re.sub(r"[^\w.-]+", "_", Path(name).stem if Path(name).exists() else name).strip("_")[:60]
    return _write(folder, f"{number:06d}_{stem}.png", png)


def _write(folder: Path, name: str, data: bytes) -> Path:
    """Numbered, because inputs of different folders may share their names."""
    from datamodules.whole import write_bytes

    path = folder / name
    write_bytes(path, data)
    return path
