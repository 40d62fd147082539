"""One record of ACCORD-90k's JSON: instruction, input, both texts of a solution, and the numbers of its kind (section 2.1 of the brief).

    record = write_record(instance, plan)
    read_record(record).instance, read_record(record).accord.plan

For tsp and cvrp the record holds coordinates as `input` and distances as `paired_distances`; the prompt joins them. ours: `demands`, which
the released records lack; without it every customer counts 1, as the release's own check has it, and the instance says so in its notes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from datamodules.accord.errors import ParseError
from datamodules.accord.formats import accord_text, list_text
from datamodules.accord.formats.input_text import coordinates_text, distances_text, input_of, instruction_of, read_instance
from datamodules.accord.formats.numbers import plain
from datamodules.accord.formats.text_lines import Read
from datamodules.accord.formats.text_plans import writable
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["Record", "kind_of_record", "prompt", "read_record", "read_records", "write_record"]

# The released scripts' prompt, whose lines but the first carry four spaces; what is filled in does not.
_PROMPT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "    ### Instruction:\n    {}\n\n    ### Input:\n    {}\n\n    ### Response:\n    "
)


@dataclass(frozen=True)
class Record:
    """accord, lists: the two solutions; None where the record has no such text."""

    instance: Instance
    accord: Read | None = None
    lists: Read | None = None
    path: str = ""


def write_record(instance: Instance, plan: Plan | None = None, path: str = "") -> dict[str, Any]:
    """Without a plan both outputs are empty and the objective is absent."""
    record: dict[str, Any] = {
        "instruction": instruction_of(instance),
        "input": coordinates_text(instance) if isinstance(instance, TSP | CVRP) else input_of(instance),
        "output_accord": "" if plan is None else accord_text.write_solution(instance, plan).rstrip("\n"),
        "output_list_of_lists": "" if plan is None else list_text.write_solution(instance, plan).rstrip("\n"),
    }
    value = None if plan is None else writable(instance, plan)
    return {**record, **_numbers(instance, value), "path": path or instance.name}


def read_record(record: Mapping[str, Any], kind: str | None = None, lenient: bool = False) -> Record:
    """kind: None tells it by the record's fields."""
    kind = kind or kind_of_record(record)
    if kind not in KINDS:
        raise ParseError(f"the record: kind {kind!r} is not known; there are {', '.join(KINDS)}")
    texts = {}
    for key in ("instruction", "input", "output_accord", "output_list_of_lists"):
        text = record.get(key, "")
        if not isinstance(text, str):
            raise ParseError(f"the record: {key} is {type(text).__name__}; it must be a text")
        texts[key] = text
    instance = _instance(record, texts, kind)
    accord = accord_text.read_solution(texts["output_accord"], instance, lenient) if texts["output_accord"].strip() else None
    lists = list_text.read_solution(texts["output_list_of_lists"], instance, lenient) if texts["output_list_of_lists"].strip() else None
    return Record(instance, accord, lists, str(record.get("path", "")))


def read_records(text: str, lenient: bool = False) -> list[Record]:
    """A file of them: a JSON list, or one object a line."""
    try:
        stripped = text.strip()
        records = json.loads(stripped) if stripped.startswith("[") else [json.loads(line) for line in stripped.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise ParseError(f"the records, line {error.lineno}: {error.msg}; a JSON list, or one JSON object a line, is needed") from None
    for at, record in enumerate(records):
        if not isinstance(record, dict):
            raise ParseError(f"record {at}: {type(record).__name__}; an object with instruction and input is needed")
    return [read_record(record, lenient=lenient) for record in records]


def prompt(instance: Instance) -> str:
    """What the released models are asked, up to the response."""
    return _PROMPT.format(instruction_of(instance), input_of(instance))


def kind_of_record(record: Mapping[str, Any]) -> str:
    """By the fields that only one kind has. Routes of one vehicle, or of none named, are a tsp; a shop whose jobs begin at 1 is a pfsp."""
    if "bin_capacity" in record:
        return "binpack"
    if "capacities" in record:
        return "knapsack"
    if "paired_distances" in record:
        return "tsp" if record.get("num_vehicles") in (None, 1) and "demands" not in record else "cvrp"
    if "num_jobs" in record:
        return "pfsp" if str(record.get("input", "")).lstrip().startswith("J1:") else "jssp"
    raise ParseError("the record: no bin_capacity, capacities, paired_distances or num_jobs tells its kind; name the kind")


def _numbers(instance: Instance, value: int | None) -> dict[str, Any]:
    """The fields of the kind. The objective is a real value, as everything in a record."""
    if isinstance(instance, Knapsack):
        out = {"num_items": instance.size, "capacities": [_real(instance.capacity, instance.scale)]}
        return out if value is None else out | {"value": _real(value, instance.value_scale)}
    if isinstance(instance, BinPacking):
        out = {"num_items": instance.size, "bin_capacity": _real(instance.capacity, instance.scale)}
        return out if value is None else out | {"num_bins_sol": value}
    if isinstance(instance, FlowShop | JobShop):
        machines = instance.times.shape[1] if isinstance(instance, FlowShop) else instance.machines
        rows = instance.times.tolist() if isinstance(instance, FlowShop) else [[n for pair in job for n in pair] for job in instance.jobs]
        out = {"num_jobs": instance.size, "num_machines": machines, "matrix": rows}
        return out if value is None else out | {"makespan": _real(value, instance.scale)}
    out = {"num_cities": len(instance.distances), "paired_distances": distances_text(instance)}
    if isinstance(instance, TSP):
        return out | {"num_vehicles": 1}
    return out | {"num_vehicles": instance.fleet, "capacity": instance.capacity, "demands": instance.demands.tolist()}


def _real(value: int, scale: int) -> int | float:
    return value if scale == 1 else float(plain(value, scale))


def _instance(record: Mapping[str, Any], texts: Mapping[str, str], kind: str) -> Instance:
    capacity = _number(record, {"knapsack": "capacities", "binpack": "bin_capacity", "cvrp": "capacity"}.get(kind, ""))
    if kind not in ("tsp", "cvrp"):
        return read_instance(f"{texts['instruction']}\n{texts['input']}", kind, capacity)
    lines = [texts["instruction"], f"distances : {record.get('paired_distances', '')}"]
    if texts["input"].strip():
        lines.append(f"coordinates: {texts['input'].strip()}")
    if kind == "tsp":
        return read_instance("\n".join(lines), kind)
    count = _number(record, "num_cities")
    demands = record.get("demands")
    if demands is None and count is None:
        raise ParseError("the record has neither demands nor num_cities")
    units = [0, *[1] * (int(count or 1) - 1)] if demands is None else demands
    if not isinstance(units, list) or not all(isinstance(q, int) for q in units):
        raise ParseError("the record: demands must be a list of whole numbers, that of the depot first")
    lines.append(f"demands : {', '.join(f'({i})={q}' for i, q in enumerate(units) if i)}")
    fleet = _number(record, "num_vehicles")
    instance = read_instance("\n".join(lines), kind, capacity, None if fleet is None else int(fleet))
    if demands is None:
        return replace(instance, notes=("the record has no demands: every customer counts 1",))  # type: ignore[return-value]
    return instance


def _number(record: Mapping[str, Any], key: str) -> int | float | None:
    """The first one of a list counts (the released knapsack records hold a list of capacities)."""
    value = record.get(key)
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParseError(f"the record: {key} is {value!r}; it must be a number")
    return value
