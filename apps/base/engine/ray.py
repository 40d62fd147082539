"""A Ray cluster, or one that is started here for the occasion. It must see the same folders."""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from apps.base.errors import UserError

__all__ = ["check_address", "on_ray"]

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 5.0  # seconds for a cluster's head to take a connection


def check_address(address: str) -> None:
    """Said before anything is begun: Ray asks a dead address for minutes, and then ends the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"--ray-address {address}: write it as HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except OSError as error:
        raise UserError(
            f"--ray-address {address}: no cluster answers ({error.strerror or error}); start one with: ray start --head"
        ) from error


def on_ray(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int,
    threads: int,
    address: str | None,
    lost: Callable[[Item, str], Result],
) -> Iterator[Result]:
    try:
        import ray
        from ray.exceptions import RayError, RayTaskError
    except ImportError:
        raise UserError("--engine ray needs ray; run: pip install 'discern[ray]'") from None
    began = not ray.is_initialized()
    if began:
        # workers of a cluster started here find this code where it lies; on a cluster of its own it is installed
        root = str(Path(__file__).resolve().parents[3])
        here = {} if address else {"num_cpus": jobs * threads, "runtime_env": {"env_vars": {"PYTHONPATH": root}}}
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.WARNING,
                **here,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(f"--ray-address {address}: no cluster answers ({' '.join(str(error).split())[:100]})") from None
    try:

        def piece(item: Item) -> Result:  # Ray takes plain functions only
            return work(item)

        task = ray.remote(num_cpus=threads, max_retries=2)(piece)
        waiting = {task.remote(item): item for item in items}
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            item = waiting.pop(ready)
            try:
                yield ray.get(ready)
            except RayTaskError as error:
                raise error.as_instanceof_cause() from None  # a UserError stays one
            except RayError as error:
                yield lost(item, f"lost on the cluster: {type(error).__name__}")
    finally:
        if began:
            ray.shutdown()
