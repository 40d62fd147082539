"""What was read in a text: the problem, the place of every number in it, and what was left over or is not there."""

from dataclasses import dataclass, field

from datamodules.accord.instances import Instance

__all__ = ["ParseReport", "Span"]


@dataclass(frozen=True)
class Span:
    """text[start:end] was read as `value`; `meaning` is what for: capacity, weight of item 2, distance A to B."""

    start: int
    end: int
    meaning: str
    value: str


@dataclass(frozen=True)
class ParseReport:
    """`instance` is there only if nothing is missing and nothing asked for goes beyond the six kinds."""

    kind: str | None
    instance: Instance | None = None
    missing: list[str] = field(default_factory=list)  # what the text does not say, or says in two ways
    ignored: list[str] = field(default_factory=list)  # numbers that were not used, and units
    spans: list[Span] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # constraints that are not modelled, each with what to use instead

    @property
    def why(self) -> str:
        """One line for a person; empty where there is an instance."""
        if self.refused:
            return "; ".join(self.refused)
        return f"the text does not give: {'; '.join(self.missing)}" if self.missing else ""
