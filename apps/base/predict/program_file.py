"""An exported file, opened: its metadata, prepare and forward, whatever the format.

The file is read once: what was hashed is what is loaded, even if the path changes meanwhile.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from apps.base import trust
from apps.base.card import Card
from apps.base.errors import FailureError, UserError
from apps.base.export import KEYS
from apps.base.export.bare import META, open_pt2, open_torchscript
from apps.base.export.bare_onnx import open_onnx, properties

__all__ = ["ProgramBytes", "ProgramFile", "take", "take_own"]

CHUNK = 1 << 22


class ProgramBytes:
    """The bytes of a program file, read once and hashed; needs no torch, so that it can be done while torch is imported."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.file = _private_copy()
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as source:
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    self.file.write(chunk)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; `discern APP export` writes one") from None
        except OSError as error:
            raise UserError(f"{path}: {error.strerror or error}") from error
        self.file.flush()
        self.digest = digest.hexdigest()
        self.format, self.root = _sniff(self.path, self.file)

    def metadata(self) -> dict[str, Any]:
        """Read without running anything in the file."""
        import json

        text = self._text()
        if text is None:
            raise UserError(f"{self.path} carries no discern metadata: it was not written by `discern APP export`")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise UserError(f"{self.path}: its metadata is broken ({error}); export it again") from error
        if not isinstance(found, dict) or found.get("schema") != 1:
            raise UserError(
                f"{self.path}: metadata of schema {found.get('schema') if isinstance(found, dict) else '?'}, not 1; update discern"
            )
        if missing := [key for key in KEYS if key not in found]:
            raise UserError(f"{self.path}: its metadata lacks {', '.join(missing)}; export it again")
        return found

    def _text(self) -> str | bytes | None:
        if self.format == "onnx":
            return (properties(self.file) or {}).get(META)
        self.file.seek(0)
        with zipfile.ZipFile(self.file) as archive:
            try:
                return archive.read(f"{self.root}/extra/{META}")
            except KeyError:
                return None

    def handle(self) -> "str | IO[bytes]":
        """What torch loads from: by name where there is one, because reading through Python costs four times as much."""
        self.file.seek(0)
        return self.file if isinstance(self.file, io.BytesIO) else f"/proc/self/fd/{self.file.fileno()}"


def take(path: str | os.PathLike[str], trusting: bool) -> ProgramBytes:
    """Read a program file, and stop unless it may run."""
    program = ProgramBytes(path)
    trust.require(path, program.digest, trusting)
    return program


def take_own(card: Card, path: str | os.PathLike[str], trusting: bool, *programs: str, remedy: str = "") -> ProgramBytes:
    """The same for a verb of one application: a file of it, and of one of these of its programs where they are named."""
    program = ProgramBytes(path)
    about = program.metadata()
    if about["app"] != card.name or about["program"] not in (programs or card.programs):
        wanted = " or ".join(programs or card.programs)
        raise UserError(
            f"{path} is a file of {about['app']} ({about['program']}), and {card.name}'s {wanted} is needed; "
            + (remedy or f"`discern {card.name} export` writes one")
        )
    trust.require(path, program.digest, trusting)  # last: who gave the wrong file need not trust it to be told so
    return program


class ProgramFile:
    """The opened program. `prepare` takes one raw item, `forward` a batch."""

    def __init__(self, program: ProgramBytes, device: str = "cpu") -> None:
        import torch

        self.metadata = program.metadata()
        self.device = torch.device(device)
        if self.device.type == "cuda" and program.format == "onnx":
            raise UserError(f"--device cuda: {program.path} is answered by onnxruntime on the CPU here; use --device cpu, or export .ts")
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise UserError("--device cuda: torch sees no CUDA device here; use --device cpu, or install torch's CUDA build and a driver")
        try:
            methods = _opened_onnx(program) if program.format == "onnx" else self._open(program)
        except (RuntimeError, ValueError, KeyError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            opener = "onnxruntime" if program.format == "onnx" else f"torch {torch.__version__}"
            raise FailureError(f"{program.path}: {opener} cannot open it: {lines[-1].strip()[:300]}") from error
        program.file.close()
        self._methods = methods
        self._forward = methods["forward"]
        self._prepare = methods.get("prepare")

    def _open(self, program: ProgramBytes) -> dict[str, Callable[..., Any]]:
        if program.format == "pt2":
            program.file.seek(0)
            return open_pt2(program.file, str(self.device))[0]
        module, _ = open_torchscript(program.handle(), str(self.device))
        if self.device.type != "cpu":
            _move_constants(module, str(self.device))
        return {name: getattr(module, name) for name in self.metadata["methods"]}

    def prepare(self, item: Any) -> Any:
        """One raw item (an array, a tensor, or a tuple of them) to x."""
        import torch

        parts = item if isinstance(item, tuple) else (item,)
        tensors = tuple(torch.as_tensor(part).to(self.device) for part in parts)
        if self.metadata.get("square") and tensors[0].shape[0] != tensors[0].shape[1]:  # an ONNX graph could not refuse it
            high, wide = tensors[0].shape[:2]
            raise RuntimeError(f"{wide} x {high} pixels: this program takes square pictures; cut out the part that counts first")
        if self._prepare is None:
            return tensors if isinstance(item, tuple) else tensors[0]
        with _as_it_stands():
            return self._prepare(*tensors)

    def forward(self, *batch: Any) -> dict[str, Any]:
        """A stack of x; ragged programs take the parts one after the other, and where each begins."""
        with _as_it_stands():
            return self._forward(*batch)

    def call(self, method: str, *args: Any) -> Any:
        """A further method of the file, by its metadata's `methods`."""
        with _as_it_stands():
            return self._methods[method](*args)


def _opened_onnx(program: ProgramBytes) -> dict[str, Callable[..., Any]]:
    """The methods of an ONNX file as functions of tensors, with as many threads as torch would take."""
    import torch

    try:
        methods = open_onnx(program.file, torch.get_num_threads())
    except ImportError:
        raise UserError(f"{program.path}: ONNX files need onnxruntime; run: pip install 'discern[onnx]'") from None

    def tensors(name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            answers = methods[name](*(torch.as_tensor(arg).numpy() for arg in args))
            found = {key: torch.from_numpy(value) for key, value in answers.items()}
            return found[name] if found.keys() == {name} else found  # a lone answer has its method's name

        return call

    return {name: tensors(name) for name in methods}


@contextmanager
def _as_it_stands() -> Iterator[None]:
    """Run the graph as it was written. The profiling executor would compile it anew for each batch size, and its first calls cost
    two to four times as much; afterwards it was not faster. torch.jit.freeze was slower on transformers.
    """
    import torch

    with torch.inference_mode(), torch.jit.optimized_execution(False):  # pyright: ignore[reportPrivateImportUsage]
        yield


def _move_constants(module: Any, device: str) -> None:
    """A trace keeps the device it was made on as a constant, which map_location does not reach."""
    for part in module.modules():
        for method in part._c._method_names():
            for node in part._c._get_method(method).graph.findAllNodes("prim::Constant"):
                if str(node.output().type()) == "Device" and node.hasAttribute("value"):
                    node.s_("value", device)


def _private_copy() -> IO[bytes]:
    """Memory that no path leads to; a nameless file where the system has it, because torch reads those fastest."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("discern"), "w+b")
    return io.BytesIO()


def _sniff(path: Path, file: IO[bytes]) -> tuple[str, str]:
    """(format, folder inside the archive), by content: TorchScript and pt2 are zip archives with one root."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        names = []
    root = names[0].partition("/")[0] if names else ""
    if f"{root}/constants.pkl" in names:
        return "torchscript", root
    if f"{root}/archive_format" in names:
        return "pt2", root
    if not names and properties(file) is not None:
        return "onnx", ""
    if path.suffix == ".safetensors":
        raise UserError(f"{path} holds weights only, no program to run; export .ts, .pt2 or .onnx, or start a training from it with --init")
    raise UserError(f"{path} is no exported program (a .ts, .pt2 or .onnx file that `discern APP export` writes)")
