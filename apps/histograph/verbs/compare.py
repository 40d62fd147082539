"""`discern histograph compare RUN RUN...`: readouts, backbones, options on the same folds and seeds."""

from typing import Any

from apps.base.crossval.compare import compare as side_by_side
from apps.base.shell import Shell
from apps.base.tracking.run import Run
from apps.histograph.bounds import alarms
from apps.histograph.card import CARD

__all__ = ["compare"]


def compare(shell: Shell, argv: list[str]) -> int:
    return side_by_side(shell, argv, CARD, _title, _notes)


def _title(config: dict[str, Any]) -> str:
    """
    >>> _title({"model": {"init_args": {"readout": {"name": "mean"}, "backbone": {"name": "gin", "layers": 4}}}})
    'mean on gin 4'
    """
    model = config["model"]["init_args"]
    return f"{model['readout']['name']} on {model['backbone']['name']} {model['backbone']['layers']}"


def _notes(run: Run, metric: str, mean: float) -> list[str]:
    return alarms(str(run.config()["data"]["init_args"].get("path", "")), metric, mean)
