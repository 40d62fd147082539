"""Checkpoints on disk: written whole, read without running anybody's code, found by `best`, `last` or a path."""

import errno
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO

from apps.base.callbacks.checkpoints import LAST, RANKING
from apps.base.errors import UserError
from datamodules.whole import write_whole

__all__ = ["SCHEMA", "WholeFiles", "evaluation_weights", "locate", "read_about", "read_checkpoint", "read_weights"]

SCHEMA = 1  # of configs and checkpoints; a file with a larger one is refused, a smaller one is migrated where it is read

OURS = ("schema", "app", "recipe", "facts", "shadow")  # what a checkpoint has under our name
LIGHTNING = ("state_dict", "global_step")


class WholeFiles(CheckpointIO):
    """Lightning's way to the disk: temporary file, fsync, rename; loaded with weights_only.

    A full disk is noted in `full`, not raised: with several processes the others wait for the one that writes.
    """

    def __init__(self) -> None:
        self.full = False

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self.full = False
        try:
            with write_whole(path) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch's own writer has no errno
            if not _is_full(error, Path(path).parent):
                raise
            self.full = True

    def load_checkpoint(
        self, path: Any, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(Path(path))  # to the CPU whatever Lightning asks: a checkpoint of a GPU goes on without one

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def _is_full(error: Exception, folder: Path) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "PytorchStreamWriter" in str(error) and shutil.disk_usage(folder).free < 1 << 20


def read_checkpoint(path: Path, app: str | None = None) -> dict[str, Any]:
    """A checkpoint of ours, where `app` is named of that application, or a UserError that says why it cannot be read."""
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: refused, because it carries objects that could run code when loaded; ask its author for a .safetensors file"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise UserError(f"{path}: not a readable checkpoint (cut short, or of another kind); use an older one or train again") from error
    if not isinstance(checkpoint, dict) or "discern" not in checkpoint:
        raise UserError(f"{path}: not a checkpoint of discern; foreign weights go in with --init")
    _check(checkpoint, path)
    if app not in (None, checkpoint["discern"]["app"]):
        raise UserError(f"{path}: a checkpoint of {checkpoint['discern']['app']}, not of {app}")
    return checkpoint


def _check(checkpoint: dict[str, Any], path: Path) -> None:
    """That a file with our name in it has what we write."""
    ours = checkpoint["discern"]
    schema = ours.get("schema") if isinstance(ours, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise UserError(f"{path}: written by a newer discern (schema {schema}, this one reads up to {SCHEMA}); upgrade discern")
    absent = [key for key in OURS if schema is None or key not in ours] + [key for key in LIGHTNING if key not in checkpoint]
    if absent:
        raise UserError(f"{path}: a checkpoint without {', '.join(absent)}; use an older one or train again")


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Named weights from a checkpoint of ours, a .safetensors file, or a plain state dict."""
    if not path.is_file():
        raise UserError(f"--init {path}: no such file")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"--init {path}: not a readable safetensors file ({error})") from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"--init {path}: refused, because it could run code when loaded; convert it to .safetensors") from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(f"--init {path}: not a readable file of weights") from error
    if isinstance(loaded, dict) and "discern" in loaded:
        _check(loaded, path)
        return evaluation_weights(loaded)
    if isinstance(loaded, dict):
        loaded = loaded.get("state_dict", loaded.get("model", loaded))
    if not isinstance(loaded, dict):
        raise UserError(f"--init {path}: holds a {type(loaded).__name__}, no weights by name; save the model's state_dict()")
    return {name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}


def read_about(path: Path) -> dict[str, Any]:
    """What a file that `read_weights` reads says of its weights: the facts of a checkpoint of ours, the metadata of exported weights under
    the names that facts have; of another file nothing.
    """
    if path.suffix == ".safetensors":
        from apps.base.export.weights import read

        about = read(str(path))[1]
        return {**about, "preprocess": about["preprocessing"]} if "preprocessing" in about else about
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    return loaded["discern"]["facts"] if isinstance(loaded, dict) and "discern" in loaded else {}


def evaluation_weights(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The averaged weights where there are any, else the trained ones, named as in the pure model."""
    shadow = checkpoint["discern"]["shadow"]
    if shadow is not None:
        return shadow
    return {name.removeprefix("model."): value for name, value in checkpoint["state_dict"].items() if name.startswith("model.")}


def locate(folder: Path, which: str) -> Path:
    """`best` or `last` in a run's checkpoint folder."""
    if which == "last":
        path = folder / LAST
        if not path.is_file():
            raise UserError(f"{folder.parent}: the run saved no checkpoint; start it again with 'fit'")
        return path
    ranking = folder / RANKING
    if not ranking.is_file():
        raise UserError(f"{folder.parent}: the run ranked no best checkpoint yet; take --ckpt last, or let it finish an epoch")
    return folder / json.loads(ranking.read_text())["ranking"][0]["file"]
