"""Reads ahead in threads, within bounds of count and memory, and gives the items in the order of their paths."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any

from apps.base.card import find_cards
from apps.base.errors import UserError

__all__ = ["Item", "drawer_of", "expander_of", "read_ahead", "reader_of", "says"]

MEMORY = 512 << 20  # decoded and waiting
Item = tuple[Any, Any, str | None]  # (name, what was read, error)


def reader_of(metadata: dict[str, Any]) -> Callable[[Any], Any]:
    """What reads one input of this file: its application's own reader, or the one for pictures."""
    card = find_cards().get(metadata["app"])
    if metadata["input"] == "image" and "prepare" not in metadata.get("methods", ["prepare"]):
        raise UserError(f"this file takes more than a picture; a verb of `discern {metadata['app']}` gives it what it needs")
    target = card.reader if card else None
    if target is None and metadata["input"] != "image":
        raise UserError(f"this file takes {metadata['input']}, and no application {metadata['app']!r} is installed here that reads it")
    read = _named(target or "datamodules.pictures:read_picture")
    return partial(read, metadata=metadata) if card and card.reader_asks else read


def expander_of(metadata: dict[str, Any]) -> Callable[[str], list[str] | None] | None:
    """What tells the inputs that a word stands for, where it need not be a path."""
    card = find_cards().get(metadata["app"])
    return _named(card.expander) if card and card.expander else None


def drawer_of(metadata: dict[str, Any]) -> Callable[..., bytes] | None:
    """What draws an input with its answer, where it is no picture."""
    card = find_cards().get(metadata["app"])
    return _named(card.drawer) if card and card.drawer else None


def _named(target: str) -> Callable[..., Any]:
    module, _, function = target.partition(":")
    return getattr(import_module(module), function)


def read_ahead(
    paths: Iterable[Any], read: Callable[[Any], Any], ahead: int, threads: int | None = None, bursts: bool = False
) -> Generator[Item]:
    """Yield (path, item, None) or (path, None, why it cannot be read). Closing the iterator ends the threads.

    bursts: read the next `ahead` only when the last are taken. A program on the CPU has all cores for itself then, and so have the readers;
    side by side they slow each other down by more than the reading costs.
    """
    source = iter(paths)
    waiting: deque[tuple[Any, Future[Any]]] = deque()
    pool = ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1), thread_name_prefix="read")
    try:
        ended = False
        while True:
            filling = not waiting
            while not ended and (not bursts or filling) and len(waiting) < ahead and (not waiting or _held(waiting) < MEMORY):
                try:
                    path = next(source)
                except StopIteration:
                    ended = True
                else:
                    waiting.append((path, pool.submit(read, path)))
            if not waiting:
                return
            path, future = waiting.popleft()
            try:
                item, error = future.result(), None
            except Exception as problem:
                item, error = None, says(problem, path)
            del future  # or its picture would stay until the next one is done
            yield path, item, error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def says(problem: Exception, path: Any) -> str:
    """Why an input cannot be read, in one line without its path, which stands beside it. A bug in our code is not an input's fault."""
    if isinstance(problem, (AttributeError, NameError, TypeError, ImportError, AssertionError)):
        raise problem
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()] or [type(problem).__name__]
    return lines[-1].removeprefix("builtins.RuntimeError: ").removeprefix(f"{path}: ")  # so TorchScript names what a program raises


def _held(waiting: deque[tuple[Any, Future[Any]]]) -> int:
    return sum(_size(future.result()) for _, future in waiting if future.done() and not future.cancelled() and not future.exception())


def _size(item: Any) -> int:
    return sum(map(_size, item)) if isinstance(item, tuple) else getattr(item, "nbytes", 0)
