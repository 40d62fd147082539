"""The trainer without its banners, tips and advertisements, which say nothing that the command does not; its errors still come."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException

from apps.base.errors import UserError

__all__ = ["quiet_lightning", "run_trainer"]

LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning")
WARNINGS = (
    r".*isinstance.treespec, LeafSpec.*",
    r".*does not have many workers.*",
    r".*litlogger.*",
    r".*module\(s\) in eval mode.*",  # a teacher is meant to be
    r".*GPU available but not used.*",
    r".*number of training batches .* is smaller than the logging interval.*",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def run_trainer(trainer: Any, verb: str, *args: Any, **options: Any) -> Any:
    """`trainer.fit`, `.validate` or `.test`. Lightning turns Ctrl-C into sys.exit(1): it is Ctrl-C again here."""
    try:
        with quiet_lightning():
            return getattr(trainer, verb)(*args, **options)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    except MisconfigurationException as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error
