"""A detector by its name, or by an ONNX file of the user's. Nothing is fetched."""

from collections.abc import Callable
from pathlib import Path

from apps.ahan.faces.already import Already
from apps.ahan.faces.face import Detector, DetectorUnavailableError
from apps.ahan.faces.haar import Haar
from apps.ahan.faces.haar import missing as missing_haar
from apps.ahan.faces.lbp import Lbp
from apps.ahan.faces.network import Network
from apps.ahan.faces.yunet import Yunet, is_yunet
from apps.base.errors import UserError
from apps.base.onnx_session import read_model
from apps.base.shell import nearest

__all__ = ["BACKENDS", "get_detector"]

BACKENDS = ("auto", "none", "haar", "lbp")  # those with a name; others are files
PIN = "opencv-python-headless>=4.14,<5"


def get_detector(name: str = "auto", trusting: bool = False, say: Callable[[str], None] | None = None) -> Detector:
    """
    >>> get_detector("none").name
    'none'

    name: one of BACKENDS, or an ONNX file: YuNet, SCRFD or RetinaFace, told apart by what it answers. trusting: run a file from
    elsewhere. say: is told when auto has to make do with less.
    """
    if name == "auto":
        return _auto(say or (lambda text: None))
    made = {"none": Already, "haar": Haar, "lbp": Lbp}.get(name)
    if made is not None:
        return made()
    if not Path(name).suffix and not Path(name).exists():
        raise UserError(f"no detector {name!r}{nearest(name, BACKENDS)}; there are {', '.join(BACKENDS)}, or name an ONNX file")
    data = read_model(name, trusting, "detector")
    return Yunet(name, data) if is_yunet(data) else Network(name, data)


def _auto(say: Callable[[str], None]) -> Detector:
    why = missing_haar()
    if not why:
        return Haar()
    try:
        detector = Lbp()
    except DetectorUnavailableError:
        raise DetectorUnavailableError(
            f"no detector of faces: {why}; pip install '{PIN}', or scikit-image for lbp, or name an ONNX file with --detector"
        ) from None
    say(f"{why}: faces are found by lbp instead, which tells no eyes, so that every alignment is coarse; pip install '{PIN}' mends it")
    return detector
