"""Encoders: tiles to feature vectors. Each says its name, its width, the hash of its weights and the transform that it expects.

`stats` needs no weights: 48 numbers of colour and texture. Every other one is made from a file of weights; without it there is none,
for features of random weights look like features.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from apps.base import trust
from apps.base.errors import UserError
from apps.base.export.bare import open_torchscript
from apps.base.shell import nearest
from apps.mil.slides.tile_stats import STATS_DIM, STATS_VERSION, tile_stats
from core_attention.trunks import TRUNKS, ResNet, Trunk, build_trunk, load
from datamodules.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess

__all__ = ["Encoder", "Transform", "build_encoder", "read_transform"]

MAX_BYTES = 16 << 30
AT_ONCE = 8  # tiles, on a CPU: activations this small stay in memory that is already mapped; 32 at once take 1.4 times as long
PROGRAMS, WEIGHTS = (".ts", ".torchscript", ".onnx"), (".safetensors", ".pth", ".pt", ".bin")
TOLD = ("resnet50", "vit_tiny", "vit_small", "vit_base")  # by name; their weights come from a file


@dataclass(frozen=True)
class Transform:
    """What is done to a tile before it is encoded: resized (bilinear, antialiased), scaled to 0..1, normalised."""

    size: int | None = None  # None: as it is cut
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


@dataclass
class Encoder:
    name: str
    dim: int
    sha256: str  # of the weights' file
    transform: Transform | None  # None: raw tiles
    encode: Callable[[np.ndarray], np.ndarray]  # uint8 (N,H,W,3) -> float32 (N,dim)
    bf16: bool = False

    @property
    def expects(self) -> str:
        """The transform, and bf16 where it is taken, as text: with it and the hash it is the same encoder."""
        transform = asdict(self.transform) if self.transform else None
        return json.dumps([transform, "bf16"] if self.bf16 else transform)

    def about(self) -> dict[str, Any]:
        """What every file of features records."""
        return {
            "encoder": self.name, "encoder_sha256": self.sha256, "dim": self.dim,
            "transform": asdict(self.transform) if self.transform else None, **({"bf16": True} if self.bf16 else {}),
        }  # fmt: skip


def build_encoder(
    name: str,
    px: int,
    weights: str | Path | None = None,
    transform: Transform | None = None,
    trusted: bool = False,
    device: str = "cpu",
    bf16: bool = False,
) -> Encoder:
    """`name`: stats; resnet50 (stage 3, 1024 numbers) or a vit with `weights`; or the path of a TorchScript, ONNX or safetensors file.

    `px` is the side of the tiles. bf16: multiply in bfloat16, which pays on recent CPUs and on GPUs.
    A program from elsewhere runs only when it is trusted, see apps.base.trust.
    """
    if device != "cpu" and (name == "stats" or name.lower().endswith(".onnx")):
        raise UserError(f"the encoder {name} runs on the CPU only; leave --device out")
    if bf16 and (name == "stats" or name.lower().endswith(".onnx")):
        raise UserError(f"the encoder {name} computes in its own precision; leave --bf16 out")
    if name == "stats":
        if weights is not None or transform is not None:
            raise UserError("the encoder stats has neither weights nor transform; leave --weights and --transform out")
        return Encoder("stats", STATS_DIM, hashlib.sha256(f"stats {STATS_VERSION}".encode()).hexdigest(), None, tile_stats)
    path = Path(name)
    if name in TOLD:
        if weights is None:
            raise UserError(f"the encoder {name} has no weights of its own; give --weights FILE (safetensors or a checkpoint)")
        return _of_weights(Path(weights), name, px, transform, device, bf16)
    if path.suffix.lower() not in (*PROGRAMS, *WEIGHTS):
        known = ["stats", *TOLD]
        raise UserError(f"no encoder {name!r}{nearest(name, known)}; there are {', '.join(known)}, and files of weights or programs")
    if weights is not None:
        raise UserError(f"{name} brings its own weights; leave --weights out")
    transform = transform or read_transform(path.with_suffix(".transform.json"), missing=Transform())
    data = _bytes(path)
    if path.suffix.lower() == ".onnx":
        return _finished(path.stem, data, transform, px, _onnx(path, data, trusted))
    if path.suffix.lower() in PROGRAMS or _is_torchscript(data):
        trust.require(path, hashlib.sha256(data).hexdigest(), trusted)
        try:
            module, _ = open_torchscript(io.BytesIO(data), device)
        except RuntimeError as error:
            raise UserError(f"{path}: no TorchScript that can be loaded ({str(error).strip().splitlines()[-1]}); export it again") from None
        return _finished(path.stem, data, transform, px, _torch(module, device, bf16), device, bf16)
    return _of_weights(path, None, px, transform, device, bf16)


def read_transform(path: Path, missing: Transform | None = None) -> Transform:
    """A JSON with size, mean, std; interpolation and dtype may be there and must be bilinear and float32."""
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no transform ({error}); it is JSON with size, mean and std") from None
    fixed = {"interpolation": "bilinear", "dtype": "float32"}
    for key, value in found.items():
        if key not in ("size", "mean", "std", *fixed):
            raise UserError(f"{path}: no setting {key!r}{nearest(key, ['size', 'mean', 'std'])}; there are size, mean, std")
        if key in fixed and value != fixed[key]:
            raise UserError(f"{path}: {key} is {fixed[key]} here, not {value!r}; export the encoder for it")
    try:
        mean, std = (tuple(map(float, found.get(key, default))) for key, default in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)))
    except (TypeError, ValueError):
        mean = std = ()
    if len(mean) != 3 or len(std) != 3 or not min(std) > 0:
        raise UserError(f"{path}: mean and std are three numbers each, std above 0; correct them")
    size = found.get("size")
    if size is not None and (not isinstance(size, int) or size < 1):
        raise UserError(f"{path}: size is a number of pixels, not {size!r}; correct it")
    return Transform(size, mean, std)


# -- weights for our own trunks ----------------------------------------------------------------------------------------


class Stage3(nn.Module):
    """ResNet-50 up to its third stage, averaged: the 1024 numbers that slide classification has used since CLAM."""

    def __init__(self, trunk: ResNet) -> None:
        super().__init__()
        self.trunk = trunk
        del self.trunk.layer4

    def forward(self, x_BCHW: Tensor) -> Tensor:
        trunk = self.trunk
        x_BCHW = trunk.get_submodule("maxpool")(torch.relu(trunk.bn1(trunk.conv1(x_BCHW))))
        for stage in ("layer1", "layer2", "layer3"):
            x_BCHW = trunk.get_submodule(stage)(x_BCHW)
        return x_BCHW.mean((2, 3))


def _of_weights(path: Path, name: str | None, px: int, transform: Transform | None, device: str, bf16: bool) -> Encoder:
    data = _bytes(path)
    transform = transform or read_transform(path.with_suffix(".transform.json"), missing=Transform())
    state = _state(path, data)
    name = name or _guessed(path, state)
    trunk: Trunk = build_trunk(name, seed=0, **({"image": transform.size or px} if name.startswith("vit") else {}))
    try:
        load(trunk, state)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    module: nn.Module = (Stage3(trunk) if isinstance(trunk, ResNet) else trunk).eval().to(device)
    side = transform.size or px
    program = torch.jit.trace_module(module, {"forward": torch.zeros(1, 3, side, side, device=device)})
    return _finished(name, data, transform, px, _torch(program, device, bf16), device, bf16)


def _state(path: Path, data: bytes) -> Mapping[str, Tensor]:
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load as parse

            return parse(data)
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors and torch's unpickler raise many kinds
        raise UserError(
            f"{path}: no weights that can be read safely ({' '.join(str(error).split())[:80]}); save the state_dict as safetensors"
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise UserError(f"{path}: holds no table of tensors; save the state_dict alone")
    return found


def _guessed(path: Path, state: Mapping[str, Tensor]) -> str:
    """Which of our trunks these weights are of, by the names and the width."""
    if "layer3.5.conv3.weight" in state:
        return "resnet50"
    patches = state.get("patch_embed.proj.weight")
    if patches is not None:
        for name in TOLD:
            if name.startswith("vit") and TRUNKS[name][1]["width"] == patches.shape[0]:
                return name
    raise UserError(f"{path}: weights of no trunk that is here ({', '.join(TOLD)}); export the encoder as TorchScript or ONNX")


# -- programs ----------------------------------------------------------------------------------------------------------


def _torch(module: nn.Module, device: str, bf16: bool) -> Callable[[Tensor], Any]:
    # Frozen, normalisation becomes part of the convolutions.
    program = torch.jit.freeze(module.eval().to(memory_format=torch.channels_last))  # type: ignore[call-overload]

    def call(x_BCHW: Tensor) -> Any:
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            return program(x_BCHW.to(device, memory_format=torch.channels_last))

    return call


def _onnx(path: Path, data: bytes, trusted: bool) -> Callable[[Tensor], Any]:
    try:
        import onnxruntime
    except ImportError:
        raise UserError("an ONNX encoder needs onnxruntime; run: pip install 'discern[onnx]'") from None
    trust.require(path, hashlib.sha256(data).hexdigest(), trusted)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common class
        raise UserError(f"{path}: no ONNX file that can be loaded ({' '.join(str(error).split())[:100]}); export it again") from None
    (entry, *others) = session.get_inputs()
    if others:
        raise UserError(f"{path}: takes {len(others) + 1} inputs; export an encoder that takes pictures alone")
    return lambda x_BCHW: torch.from_numpy(session.run(None, {entry.name: x_BCHW.numpy()})[0])


def _finished(
    name: str, data: bytes, transform: Transform, px: int, call: Callable[[Tensor], Any], device: str = "cpu", bf16: bool = False
) -> Encoder:
    """Tried once on a blank tile, so that what does not fit is said before the slides are opened."""
    prepare = Preprocess(transform.size or px, fit="squash", mean=transform.mean, std=transform.std)

    def encode(tiles_NHWC: np.ndarray) -> np.ndarray:
        step = AT_ONCE if device == "cpu" else len(tiles_NHWC)
        return np.concatenate([some(tiles_NHWC[i : i + step]) for i in range(0, len(tiles_NHWC), step)])

    @torch.inference_mode()
    def some(tiles_NHWC: np.ndarray) -> np.ndarray:
        x_BCHW = torch.stack([prepare(torch.from_numpy(tile)) for tile in tiles_NHWC])
        out = call(x_BCHW)
        if not isinstance(out, Tensor) or out.shape[0] != len(tiles_NHWC) or out.flatten(1).shape[1] != out.shape[1]:
            shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise UserError(f"encoder {name}: answers {shape} to {len(tiles_NHWC)} tiles; export one that answers a vector each")
        return out.flatten(1).float().cpu().numpy()

    try:
        dim = encode(np.full((2, px, px, 3), 255, np.uint8)).shape[1]
    except (RuntimeError, ValueError) as error:
        why = str(error).strip().splitlines()
        raise UserError(
            f"encoder {name}: does not take tiles of {transform.size or px} px ({why[-1] if why else error}); change --px or --transform"
        ) from None
    return Encoder(name, dim, hashlib.sha256(data).hexdigest(), transform, encode, bf16)


def _is_torchscript(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _bytes(path: Path) -> bytes:
    """Read once: what is hashed is what is loaded."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: more than {MAX_BYTES >> 30} GiB; give the weights alone")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
