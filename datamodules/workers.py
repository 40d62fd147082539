"""Processes that load data: how they are started, and what they leave to their parent."""

import multiprocessing
import signal
import sys
from typing import Any

import cv2

__all__ = ["start_worker", "worker_context"]


def worker_context(preload: tuple[str, ...] = ()) -> Any:
    """Never a plain fork: the parent has threads (torch's, the tracker's), and a lock that one of them holds stays locked in the child.

    On Linux workers are forked from a server that has imported `preload` and nothing else; it is started by the first that asks.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torch.utils.data", *preload])
    return context


def start_worker(_: int) -> None:
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the trainer finishes its step and needs its workers for that
    cv2.setNumThreads(0)  # a process a worker is parallel enough
