"""Run ids sort by time; names are for people."""

import contextlib
import json
import secrets
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["new_id", "new_name", "when"]


def _words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


_ADJECTIVES = _words(
    "amber agile bold brisk calm clear crisp deft eager early even fair fine fleet gentle glad golden grand green hardy keen kind light",
    "lively lucid mellow mild neat noble pale plain prime proud quick quiet rapid ready royal sharp silent silver sleek solid spry stark",
    "steady still stout subtle sunny sure swift tidy tall true vivid warm wide wise young",
)
_NOUNS = _words(
    "aspen badger beech birch bison brook cedar cliff comet coral crane creek delta dune eagle egret elm ember falcon fern finch fjord",
    "fox glade grove gull harbor hare hawk hazel heron hill ibis island jay juniper kite lake larch lark linden lynx maple marten meadow",
    "moss oak orca otter owl pine plover poplar raven reef river robin rowan seal spruce stone swan tern thrush tide valley willow wren",
)


def new_id() -> str:
    """UTC to the millisecond, then four random digits: `20261121-094312417-3fa9`."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}{now.microsecond // 1000:03d}-{secrets.token_hex(2)}"


def when(run_id: str) -> datetime:
    """The moment that an id carries."""
    return datetime.strptime(run_id[:18] + "000", "%Y%m%d-%H%M%S%f").replace(tzinfo=UTC)


def new_name(home: Path) -> str:
    """Two words that no run there has; a number follows when the words run out."""
    taken = set()
    for path in (home / "mlruns" / "runs").glob("*/*/run.json"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # no run, then, and no name of one
            taken.add(json.loads(path.read_text("utf-8"))["name"])
    for _ in range(50):
        name = f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}"
        if name not in taken:
            return name
    return f"{name}-{secrets.token_hex(2)}"
