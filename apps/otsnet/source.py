"""The reader that a verb is given: an exported program, a file of weights, a checkpoint, or the starter that comes along."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from apps.base.errors import UserError
from apps.base.predict.program_file import ProgramFile, take_own
from apps.base.shell import Shell
from apps.otsnet.card import CARD
from datamodules.otsnet.charset import Charset

__all__ = ["STARTER", "Source", "is_program", "open_source", "starter_file"]

STARTER = Path(__file__).with_name("starter")


@dataclass
class Source:
    program: Any  # ProgramFile or Eager
    reader: Any = None  # the model, where it is at hand: not of an exported program

    @property
    def about(self) -> dict[str, Any]:
        return self.program.metadata

    @property
    def charset(self) -> Charset:
        return Charset(self.about["charset"])

    @property
    def by_columns(self) -> bool:
        return self.about["table"] == "columns"

    @property
    def judges(self) -> bool:
        """Whether a verifier can be asked about a claim; a program's answers to its own words alone."""
        verifier = getattr(self.reader, "verifier", None)
        return verifier is not None and verifier.judges


def starter_file() -> Path:
    """The file of weights that is shipped with the package."""
    found = sorted(STARTER.glob("*.safetensors"))
    if not found:
        raise UserError(
            "no starter model came with this installation: train a reader with `discern otsnet fit --config small --data.path=WORDS` "
            "and name it: --model best"
        )
    return found[0]


def is_program(model: str | None) -> bool:
    """Whether it brings code, not weights alone."""
    return model is not None and model not in ("best", "last") and Path(model).suffix not in (".ckpt", ".safetensors")


def open_source(
    shell: Shell, model: str | None, *, run: str | None = None, trust: bool = False, device: str = "cpu", iterations: int | None = None
) -> Source:
    """model: best, last, a .ckpt, a .safetensors, an exported program; None: the starter."""
    checkpoint = model in ("best", "last") or Path(model or "").suffix == ".ckpt"
    if run is not None and model not in ("best", "last"):
        raise UserError("--run goes with --model best or last")
    weights = not checkpoint and not is_program(model)
    if trust and not is_program(model):
        raise UserError("--trust goes with an exported program; weights and checkpoints run no code of their own")
    if weights or checkpoint:
        return _eager(
            _restored(shell, str(model), run) if checkpoint else _of_weights(Path(model) if model else starter_file()), device, iterations
        )
    if iterations is not None:
        raise UserError(f"--iterations: {model} refines as it was exported; name a checkpoint or a .safetensors file")
    assert model is not None
    program = ProgramFile(take_own(CARD, model, trust), device)
    if "table" not in program.metadata:
        raise UserError(f"{model} was exported before files told their tables; export it again")
    return Source(program)


def _restored(shell: Shell, checkpoint: str, run: str | None) -> Any:
    from apps.base.beginning import begin_at  # brings Lightning

    _, task, _ = begin_at(shell, CARD, "export", checkpoint, run).restore()
    return task.program("read", [])


def _of_weights(path: Path) -> Any:
    from safetensors import SafetensorError

    from apps.base.export.weights import read
    from apps.otsnet.program import ReadWords

    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        weights, about = read(str(path))
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None
    if about.get("app") != CARD.name or "model" not in about:
        raise UserError(
            f"{path}: does not say what reader its weights are of; `discern otsnet export -o FILE.safetensors` writes one that does"
        )
    try:
        return ReadWords.of_file(weights, about)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: its weights and what it says of them do not go together ({why}); export it again") from None


def _eager(program: Any, device: str, iterations: int | None) -> Source:
    import torch

    from apps.base.predict.eager import Eager
    from apps.otsnet.model import Otsnet

    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch sees no CUDA device here; use --device cpu, or install torch's CUDA build and a driver")
    reader = program.reader()
    if iterations is not None:
        if not isinstance(reader, Otsnet) or reader.verifier is None:
            raise UserError("--iterations: this reader has no verifier that could refine; leave it out")
        reader.verify = replace(reader.verify, iterations=iterations)
        program.words.refine = True
    return Source(Eager(program, device), reader)
