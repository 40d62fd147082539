"""What a caller asks of the solver, checked once: an option that would be ignored is an error."""

from dataclasses import dataclass

from apps.base.errors import UserError
from apps.base.shell import nearest
from datamodules.accord.references import METHODS

__all__ = ["PLACED", "STARTED", "WHOLE", "Asked", "known_methods"]

WHOLE = ("portfolio", "model", "heuristic", "exact")  # every kind has these; the others are methods of a kind by name

STARTED = frozenset({"tsp", "cvrp", "pfsp"})  # kinds whose first decision is free to choose: ACCORD brief 2.4.3
PLACED = frozenset({"tsp", "cvrp"})  # kinds with coordinates


@dataclass(frozen=True)
class Asked:
    method: str = "portfolio"
    samples: int = 1  # the greedy answer, and as many drawn ones where there are more than one
    augment: int = 1  # 8: every symmetry of the square
    starts: int = 1  # first decisions that are tried
    beam: int = 0  # decisions kept side by side; 0: no beam
    temperature: float = 1.0
    masked: bool = True
    time_limit: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("samples", 1), ("augment", 1), ("starts", 1), ("beam", 0)):
            if getattr(self, name) < low:
                raise UserError(f"{name}={getattr(self, name)}; it is {low} or more")
        if self.augment not in (1, 8):
            raise UserError(f"augment={self.augment}; a square has 8 symmetries: 1 or 8")
        if not 0 <= self.seed < 1 << 63:
            raise UserError(f"seed={self.seed}; it is at least 0 and below 2**63")
        if not self.temperature > 0:
            raise UserError(f"temperature={self.temperature}; it is above 0")
        if self.time_limit is not None and not self.time_limit > 0:
            raise UserError(f"time_limit={self.time_limit}; it is above 0 seconds")
        if self.beam and (self.samples > 1 or self.starts > 1 or self.augment > 1):
            raise UserError("a beam goes without samples, starts and augment")
        if self.temperature != 1.0 and self.samples == 1 and self.method == "model":
            raise UserError("temperature acts on samples; ask for more than one")
        if self.method not in ("portfolio", "model") and (given := self.of_network()):
            raise UserError(f"{given[0]} is the network's, and the method {self.method!r} asks no network; use model or portfolio")
        if not self.masked and self.method != "model":
            raise UserError("unmasked decoding (masked=False) goes with method 'model' alone: nothing else can break a rule")

    def of_network(self) -> list[str]:
        """What was asked for that a network alone can do."""
        return [name for name, plain in _OF_MODEL if getattr(self, name) != plain]

    def of_kind(self, kind: str) -> None:
        """Whether this kind has the method, and a use for the options."""
        if self.starts > 1 and kind not in STARTED:
            raise UserError(f"starts={self.starts}: a {kind} has no first decision to choose; use samples")
        if self.augment > 1 and kind not in PLACED:
            raise UserError(f"augment={self.augment}: a {kind} has no plane to turn; use samples")
        if self.method not in known_methods(kind):
            names = known_methods(kind)
            raise UserError(f"no method {self.method!r} for {kind}{nearest(self.method, names)}; there are {', '.join(names)}")


_OF_MODEL = (("samples", 1), ("augment", 1), ("starts", 1), ("beam", 0), ("temperature", 1.0), ("masked", True))


def known_methods(kind: str) -> list[str]:
    return [*WHOLE, *(name for name in METHODS[kind] if name not in WHOLE)]
