"""A problem from plain words (brief, 2.4.6): numbers, pairs, lists and tables are taken, nothing is made up."""

from collections.abc import Callable

from apps.accord.front.accord_input import accord_input
from apps.accord.front.blocks import Blocks, find_blocks
from apps.accord.front.draft import Draft
from apps.accord.front.guess import guess_kind
from apps.accord.front.items import binpack, knapsack
from apps.accord.front.limits import beyond
from apps.accord.front.places import cvrp, tsp
from apps.accord.front.report import ParseReport
from apps.accord.front.shops import flow_shop, job_shop
from apps.accord.front.unread import unread
from datamodules.accord.errors import InfeasibleError, InvalidInstanceError
from datamodules.accord.instances import KINDS, Instance
from datamodules.errors import DataError

__all__ = ["read_text"]

LONGEST = 4_000_000  # characters; longer problems belong into files
_READERS: dict[str, Callable[[Draft, Blocks], Instance | None]] = {
    "tsp": tsp,
    "cvrp": cvrp,
    "knapsack": knapsack,
    "binpack": binpack,
    "pfsp": flow_shop,
    "jssp": job_shop,
}


def read_text(text: str, kind: str | None = None) -> ParseReport:
    """What the text says; `kind` beats what its words say. Wrong numbers raise the errors of datamodules.accord.

    >>> report = read_text("A knapsack holds 10. Items (value, weight): (6, 4), (5, 3), (9, 7).")
    >>> report.kind, report.instance.capacity, report.missing
    ('knapsack', 10, [])
    """
    if kind is not None and kind not in KINDS:
        raise InvalidInstanceError(f"kind {kind!r} is not known; there are {', '.join(KINDS)}")
    if not text.strip():
        return ParseReport(kind, missing=["a problem: the text is empty"])
    if len(text) > LONGEST:
        return ParseReport(kind, missing=[f"a text of at most {LONGEST:,} characters: write it to a file of a known format"])
    kind = kind or guess_kind(text)
    refused = beyond(text, kind)
    if kind is None:
        return ParseReport(None, missing=["the kind of problem: name it (--kind)"], refused=refused)
    blocks = find_blocks(text)
    draft = Draft(text, blocks.places)
    try:
        instance = accord_input(draft, kind) or _READERS[kind](draft, blocks)
    except DataError as error:
        draft.mixed_units()
        if not refused and not draft.missing and isinstance(error, InfeasibleError):
            refused = unread(draft, blocks, kind, None)  # proven only if nothing was left out
        if not refused and not draft.missing:
            raise
        instance = None  # with what is not modelled, or with one unit for all, it may well be a problem
    draft.mixed_units()
    if instance is not None and not draft.missing and not refused:
        refused = unread(draft, blocks, kind, instance)
    if draft.missing or refused:
        instance = None
    return ParseReport(kind, instance, draft.missing, draft.ignored(), draft.spans(), refused)
