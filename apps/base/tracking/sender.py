"""Sends runs to the tracking store without training ever waiting: a thread reads the run's log and replays it."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from apps.base.machine import sample
from apps.base.tracking.finding import find_runs
from apps.base.tracking.flusher import FLUSH_SECONDS
from apps.base.tracking.lock import held
from apps.base.tracking.log import CLOCKED
from apps.base.tracking.replay import Replay, pending, store_of
from apps.base.tracking.run import Run
from apps.base.tracking.store import AwayError, RefusedError, Store, prepare_environment

__all__ = ["DRAIN_SECONDS", "SAMPLE_SECONDS", "Sender", "send_pending"]

DRAIN_SECONDS = 20.0  # how long the end of a run may wait for the store
SAMPLE_SECONDS = 10.0  # between two looks at processor, memory and disk
LONGEST_WAIT = 60.0  # between two tries of a store that is away


class Sender:
    """`start()` after the run is made, `stop()` when everything is logged; on the first process of a distributed run only.

    `say` gets the one line about what could not be sent.
    """

    def __init__(self, run: Run, store: Store | None = None, say: Callable[[str], None] | None = None):
        prepare_environment()
        self.run = run
        self._store = store
        self._say = say or (lambda text: print(f"discern: {text}", file=sys.stderr, flush=True))
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._trouble = ""
        self._wait = 0.0
        self._busy = False
        self._refused = 0
        self._reason = ""

    def start(self) -> "Sender":
        if _first_process():
            self._thread = threading.Thread(target=self._work, name="discern-sender", daemon=True)
            self._thread.start()
        return self

    def stop(self, drain_seconds: float = DRAIN_SECONDS) -> int:
        """Send what is left, for at most so long; the number of events still unsent."""
        if self._thread is None:
            return 0
        self._deadline = time.monotonic() + drain_seconds
        self._stop.set()
        self._thread.join(drain_seconds)
        self.run.flush()
        left = Replay(self.run, self._store or store_of(self.run)).unsent
        if left:
            reason = f" ({self._trouble})" if self._trouble else ""
            self._say(f"{left} events of run {self.run.name} are not in the tracking store yet{reason}; `discern runs send` sends them")
        if self._refused:
            self._say(
                f"the tracking store refused {self._refused} pieces of run {self.run.name} ({self._reason}); {self.run.log_path} has them"
            )
        return left

    # -- the thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        store = self._store or store_of(self.run)
        next_try = next_sample = time.monotonic()
        others = False
        while True:
            stopping = self._stop.is_set()
            if time.monotonic() >= next_sample:
                self._measure()
                next_sample = time.monotonic() + SAMPLE_SECONDS
            if stopping:
                self.run.flush()
            if stopping or time.monotonic() >= next_try:
                done = self._send(store)
                next_try = time.monotonic() + self._wait
                if stopping and (done or time.monotonic() >= self._deadline or not self._busy):
                    return
                if done and not others and not stopping:  # once: what earlier runs could not send
                    others = True
                    send_pending(self.run.home, self._stop.is_set, [run for run in find_runs(self.run.home) if run.id != self.run.id])
            if stopping:
                time.sleep(0.05)  # another process sends this run just now
            else:
                self._stop.wait(FLUSH_SECONDS)

    def _send(self, store: Store) -> bool:
        """Everything that is in the log, unless the store is away."""
        self._busy = False
        try:
            with held(self.run.folder / "sending.lock") as mine:
                if not mine:
                    self._busy = True
                    self._trouble = "another process is sending it"
                    return False
                replay = Replay(self.run, store)
                try:
                    while time.monotonic() < self._deadline and replay.step():
                        pass
                finally:
                    self._refused += replay.refused
                    self._reason = replay.reason or self._reason
                self._trouble, self._wait = "", 0.0
                return True
        except Exception as error:  # the thread outlives whatever a store does
            self._trouble = str(error) or type(error).__name__
            self._wait = min(max(2 * self._wait, FLUSH_SECONDS), LONGEST_WAIT)
            return False

    def _measure(self) -> None:
        seconds = int((time.time() * 1000 - self.run.created) / 1000)
        self.run.metric({f"{CLOCKED}{key}": value for key, value in sample(self.run.folder).items()}, step=seconds)


def send_pending(home: Path, stop: Callable[[], bool] = lambda: False, only: "list[Run] | None" = None) -> dict[str, str]:
    """Send what runs here still hold back; {run name: trouble} for those that could not. Runs that another process sends are left to it."""
    trouble: dict[str, str] = {}
    stores: dict[str, Store] = {}
    away: dict[str, str] = {}
    for run in only if only is not None else find_runs(home):
        if stop():
            break
        run.settle()
        if not pending(run):
            continue
        if run.store in away:  # one look at a store that is away is enough
            trouble[run.name] = away[run.store]
            continue
        try:
            with held(run.folder / "sending.lock") as mine:
                if not mine:
                    continue
                replay = Replay(run, stores.setdefault(run.store, store_of(run)))
                while not stop() and replay.step():
                    pass
                if replay.refused:
                    trouble[run.name] = f"the store refused {replay.refused} pieces of it for good ({replay.reason})"
        except AwayError as error:
            trouble[run.name] = away[run.store] = str(error)
        except (RefusedError, OSError) as error:  # the disk may be full here
            trouble[run.name] = str(error)
    return trouble


def _first_process() -> bool:
    """Launchers number the processes; without a launcher there is one."""
    return all(int(os.environ.get(name, "0")) == 0 for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID") if name in os.environ)
