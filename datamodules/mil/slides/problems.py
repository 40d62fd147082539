"""What can be wrong with one slide. Each is one line; a batch records it as the slide's state and goes on."""

from importlib import import_module
from types import ModuleType

from datamodules.errors import DataError

__all__ = ["NoResolutionError", "NoTissueError", "SlideError", "SlideUnreadableError", "need"]


class SlideError(DataError):
    """Something about one slide; the others are not concerned."""


class SlideUnreadableError(SlideError):
    """No slide, a damaged one, or a kind that cannot be read."""


class NoResolutionError(SlideError):
    """Nothing says how many micrometres a pixel is."""


class NoTissueError(SlideError):
    """Nothing on the slide looks like tissue."""


def need(module: str) -> ModuleType:
    """An optional module, or one line that says how to install it."""
    try:
        return import_module(module)
    except ImportError:
        raise DataError(f"slides need {module.split('.')[0]}, which is not installed; run: pip install 'discern[slides]'") from None
