"""Our own files: a JSON object for each instance or solution, JSON Lines for many. They hold every field exactly."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.format import Declared, Format, Options
from datamodules.accord.formats.located import located
from datamodules.accord.formats.records import from_record, plan_record, solution_of, to_record
from datamodules.accord.formats.source import Source, text_source
from datamodules.accord.instances import KINDS, Instance
from datamodules.accord.solution import Plan, Solution
from datamodules.errors import DataError

__all__ = ["OURS", "plan_text", "read_solutions"]

_KIND = re.compile(rf'"kind"\s*:\s*"({"|".join(KINDS)})"')

Record = dict[str, Any]


def _looks(text: str) -> bool:
    start = text.lstrip()[:2000]
    return start.startswith("{") or (start.startswith("[") and start[1:].lstrip().startswith("{"))


def _matches(source: Source) -> bool:
    return _looks(source.text) and _KIND.search(source.text) is not None and '"plan"' not in source.head


def _records(source: Source) -> list[tuple[Record, str]]:
    """(object, its place) of one object, a list of objects, or an object a line."""
    lines = source.filled
    if len(lines) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for _, line in lines):
        return [(_object(line, f"{source.where}, line {number}", None), f"{source.where}, line {number}") for number, line in lines]
    whole = _object(source.text, source.where, source.where)
    if isinstance(whole, list):
        return [(one, f"{source.where}, object {index}") for index, one in enumerate(whole, 1)]
    return [(whole, source.where)]


def _object(text: str, where: str, of_many_lines: str | None) -> Any:
    def no_twice(pairs: list[tuple[str, Any]]) -> Record:
        made: Record = {}
        for key, value in pairs:
            if key in made:
                raise ParseError(f"{where}: the key {key!r} is there twice")
            made[key] = value
        return made

    def no_constant(word: str) -> Any:
        raise InvalidInstanceError(f"{where}: {word}; give finite numbers")

    def number(word: str) -> Decimal:
        value = Decimal(word)
        if value and abs(value.adjusted()) > 300:  # floats end there, and integers would fill the memory
            raise InvalidInstanceError(f"{where}: {word[:30]} is out of range")
        return value

    try:
        return json.loads(text, parse_float=number, parse_constant=no_constant, object_pairs_hook=no_twice)
    except json.JSONDecodeError as error:
        place = where if of_many_lines is None else f"{where}, line {error.lineno}"
        raise ParseError(f"{place}: no JSON ({error.msg}, column {error.colno})") from None
    except RecursionError:
        raise ParseError(f"{where}: nested too deeply") from None
    except DataError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise ParseError(f"{where}: {error}") from None


def _read(source: Source, options: Options) -> list[Instance]:
    found = []
    for record, place in _records(source):
        if not isinstance(record, dict):
            raise ParseError(f"{place}: {str(record)[:30]!r} where an object with a kind is expected")
        record = {"name": source.stem} | record
        with located(place):
            found.append(from_record(record, place))
    return found


def _write(instances: Sequence[Instance]) -> str:
    return "".join(f"{json.dumps(to_record(one), allow_nan=False)}\n" for one in instances)


def _is_solution(text: str) -> bool:
    return _looks(text) and '"plan"' in text


def read_solutions(text: str, instances: Sequence[Instance], where: str = "the solution") -> list[Solution]:
    """Of each instance its solution: by the instance's name, or in their order where the names do not tell."""
    records = _records(text_source(text, where))
    for record, place in records:
        if not isinstance(record, dict) or "plan" not in record:
            raise ParseError(f"{place}: no 'plan'")
    names = [record.get("instance") for record, _ in records]
    if (
        len(set(names)) == len(names)
        and {one.name for one in instances} <= set(names)
        and len({one.name for one in instances}) == len(instances)
    ):
        records = [records[names.index(one.name)] for one in instances]
    elif len(records) != len(instances):
        raise ParseError(f"{where}: {len(records)} solutions of {len(instances)} instances, and their names do not tell whose they are")
    return [solution_of(record, one, place) for (record, place), one in zip(records, instances, strict=True)]


def _read_solution(text: str, instance: Instance) -> Declared:
    (solution,) = read_solutions(text, [instance])
    if solution.plan is None:
        raise ParseError(f"the solution: status {solution.status}, and no plan ({solution.reason or 'no reason given'})")
    return solution.plan, solution.objective


def plan_text(instance: Instance, solution: Solution | Plan) -> str:
    return f"{json.dumps(plan_record(instance, solution), allow_nan=False)}\n"


OURS = Format(
    "ours",
    'ours (a JSON object with "kind" for each instance, one a line)',
    tuple(KINDS),
    (".jsonl", ".json"),
    _matches,
    _read,
    _write,
    many=True,
    names=True,
    is_solution=_is_solution,
    read_solution=_read_solution,
    write_solution=plan_text,
)
