"""Reading back the numbers that `calibrate` of an application wrote: one line for each thing that can be wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from apps.base.errors import UserError

__all__ = ["read_calibration"]

Made = TypeVar("Made")


def read_calibration(path: Path, app: str, schema: str, make: Callable[[dict[str, Any]], Made]) -> Made:
    """What `make` makes of the file. Whether it belongs to the model that asks is for the caller to see."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such calibration; `discern {app} calibrate` makes one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a readable calibration ({error}); calibrate anew") from None
    if not isinstance(found, dict) or found.get("schema") != schema:
        raise UserError(f"{path}: not a calibration of this version ({schema}); calibrate anew")
    try:
        return make(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: its numbers do not hang together ({error}); calibrate anew") from None
