"""Where independent pieces of work are done: in this process, in several of this machine, or on a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from apps.base.engine.processes import on_processes
from apps.base.engine.ray import check_address, on_ray
from apps.base.errors import UserError
from apps.base.shell import Parser, positive

__all__ = ["Engine", "add_engine", "each", "engine_of"]

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Engine:
    name: str = "local"  # or "ray"
    jobs: int = 1  # pieces at once
    address: str | None = None  # of a running Ray cluster; None starts one here
    threads: int = 1  # of a piece, which a cluster sets aside for it
    preload: tuple[str, ...] = ()  # modules that worker processes import once for all


def each(engine: Engine, work: Callable[[Item], Result], items: Sequence[Item], lost: Callable[[Item, str], Result]) -> Iterator[Result]:
    """work(item) of every item, in the order of their ends. `work` can be pickled, and what it is given must not matter to others.

    lost: the result of an item that a cluster lost, with the reason.
    """
    if engine.name == "ray":
        return on_ray(work, items, engine.jobs, engine.threads, engine.address, lost)
    if engine.jobs == 1 or len(items) == 1:
        return map(work, items)
    return on_processes(work, items, min(engine.jobs, len(items)), engine.preload)


def add_engine(parser: Parser, what: str, jobs: int | None = 1) -> None:
    """--jobs, --engine and --ray-address; `what` is done so many times at once."""
    default = "the cores" if jobs is None else jobs
    parser.add_argument("--jobs", type=positive, metavar="N", help=f"{what} at once (default: {default})")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="where: processes here, or a Ray cluster")
    parser.add_argument(
        "--ray-address", metavar="HOST:PORT", help="of a running Ray cluster that sees the same folders; default: one is started here"
    )


def engine_of(name: str, jobs: int | None, address: str | None, default: int, threads: int, preload: tuple[str, ...] = ()) -> Engine:
    """What these options ask for."""
    if address and name != "ray":
        raise UserError("--ray-address belongs to --engine ray")
    if address and jobs:
        raise UserError("--jobs is of this machine; a cluster at --ray-address has its own")
    if address:
        check_address(address)
    return Engine(name, jobs or default, address, threads, preload)
