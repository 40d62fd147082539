"""Results as JSON with everything that a reader needs to judge them: device, versions, threads, date, commit."""

import json
from pathlib import Path
from typing import Any

from apps.base.machine import measured_on

__all__ = ["write"]


def write(path: Path, subject: str, rows: list[dict[str, Any]]) -> None:
    about = {"subject": subject, **measured_on(("torch", "pytorch-lightning", "mlflow")), "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about, indent=1) + "\n")
