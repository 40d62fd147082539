"""Problems told in words: what is said becomes an instance, what is not said is asked for, what is not modelled is refused by name."""

from apps.accord.front.read import read_text
from apps.accord.front.report import ParseReport, Span

__all__ = ["ParseReport", "Span", "read_text"]
