"""The batch-wide reading of the paper's equations, and the lock before it.

Read literally, the paper averages the scores over the nodes of the whole batch and lets every node attend to the nodes of all graphs. The
answer for one graph then depends on its neighbours in the batch. It is here for comparison only, and cannot be had by accident.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from apps.histograph.errors import MixingError

__all__ = ["allow_batch_mixing", "require_mixing_allowed"]

_reason: ContextVar[str | None] = ContextVar("reason", default=None)


@contextmanager
def allow_batch_mixing(reason: str) -> Iterator[None]:
    """Within the block, readouts with mix_batch=True can be built and called.

    >>> with allow_batch_mixing("to show what the leak does"):
    ...     readout = HistoReadout(32, 6, mix_batch=True)
    """
    if not reason.strip():
        raise MixingError("allow_batch_mixing: say why graphs of a batch may be mixed")
    token = _reason.set(reason)
    try:
        yield
    finally:
        _reason.reset(token)


def require_mixing_allowed() -> None:
    if _reason.get() is None:
        raise MixingError(
            "mix_batch=True makes the answer for a graph depend on the other graphs of its batch; leave it out, "
            "or build and call the readout within allow_batch_mixing(reason)"
        )
