"""A run is sent to the store while a block works; what goes wrong in the block marks the run."""

from collections.abc import Iterator
from contextlib import contextmanager

from apps.base.shell import Shell
from apps.base.tracking.run import Run
from apps.base.tracking.sender import Sender

__all__ = ["tracked"]


@contextmanager
def tracked(shell: Shell, run: Run) -> Iterator[None]:
    sender = Sender(run, say=shell.say)
    sender.start()
    try:
        yield
    except SystemExit:  # an exit code that was chosen; whoever chose it may have marked the run, Lightning after Ctrl-C has not
        if run.mine and run.state == "running":
            run.status("interrupted")
        raise
    except BaseException as error:
        if run.mine:  # a failed test or export says nothing about the training
            run.status("failed" if isinstance(error, Exception) else "interrupted")  # signals are no Exceptions
        raise
    finally:
        sender.stop()
