"""Instances and solutions to files. A file is written whole or not at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules.accord.errors import ParseError, UnsupportedError
from datamodules.accord.formats.format import Format, Written
from datamodules.accord.formats.ours import solution_text
from datamodules.accord.formats.table import BY_KIND, FORMATS
from datamodules.accord.instances import Instance
from datamodules.accord.solution import Plan, Solution
from datamodules.errors import DataError
from datamodules.whole import write_whole

__all__ = ["format_for", "to_text", "write", "write_text"]

Answer = tuple[Instance, Solution | Plan]


def _is_answer(obj: Any) -> bool:
    return isinstance(obj, tuple) and len(obj) == 2 and isinstance(obj[0], Instance)


def format_for(obj: Instance | Sequence[Instance | Answer] | Answer, path: str | Path | None, name: str | None = None) -> Format:
    """By name, else by the ending of the path, else ours."""
    first = obj if isinstance(obj, Instance) else obj[0]
    answer = _is_answer(obj) or _is_answer(first)
    kind = (first[0] if isinstance(first, tuple) else first).kind
    count = 1 if isinstance(obj, Instance) or _is_answer(obj) else len(obj)
    known = [one for one in FORMATS.values() if kind in one.kinds and (one.write_solution if answer else one.write)]
    if name is not None:
        if name not in FORMATS:
            raise ParseError(f"format {name!r} is not known; there are {', '.join(FORMATS)}")
        if FORMATS[name] not in known:
            what = f"{'solutions' if answer else 'instances'} of kind {kind}"
            raise UnsupportedError(f"format {name} holds no {what}; {', '.join(one.name for one in known)} do")
        return FORMATS[name]
    ending = "" if path is None else Path(path).suffix.lower()
    if ending == ".txt" and not answer:
        return FORMATS[BY_KIND[kind][count > 1]]
    fit = [one for one in known if ending in one.suffixes]
    if ending and not fit:
        raise ParseError(f"{path}: no format for {ending}; name one: {', '.join(one.name for one in known)}")
    return next((one for one in fit if one.many or count == 1), fit[0]) if fit else FORMATS["ours"]


def to_text(obj: Instance | Sequence[Instance | Answer] | Answer, format: str | None = None) -> Written:
    """What `write` writes: a text, or the texts of several files by the ends of their names.

    >>> to_text(instance, "tsplib").splitlines()[1]
    'TYPE : TSP'
    """
    return _text(obj, format_for(obj, None, format))


def _text(obj: Any, made: Format) -> Written:
    if _is_answer(obj):
        return _answer_text(obj[0], obj[1], made)
    if not isinstance(obj, Instance) and _is_answer(obj[0]):
        if len(obj) > 1 and not made.many:
            raise UnsupportedError(f"format {made.name} holds one solution, not {len(obj)}; ours holds many")
        return "".join(_answer_text(one[0], one[1], made) for one in obj)
    instances = [obj] if isinstance(obj, Instance) else list(obj)
    assert made.write is not None
    if len(instances) > 1 and not made.many:
        raise UnsupportedError(
            f"format {made.name} holds one instance a file, not {len(instances)}; give FILE#1, or a format that holds many"
        )
    if other := next((one for one in instances if one.kind not in made.kinds), None):
        raise UnsupportedError(f"format {made.name} holds {' and '.join(made.kinds)}, not the {other.kind} {other.name}")
    return made.write(instances)


def _answer_text(instance: Instance, solution: Solution | Plan, made: Format) -> str:
    if made.name == "ours":
        return solution_text(instance, solution)
    plan = solution.plan if isinstance(solution, Solution) else solution
    if plan is None:
        status = solution.status if isinstance(solution, Solution) else "unknown"
        raise DataError(f"{instance.name or instance.kind}: no plan to write ({status}); format ours holds the status alone")
    assert made.write_solution is not None
    return made.write_solution(instance, plan)


def write(obj: Instance | Sequence[Instance | Answer] | Answer, path: str | Path, format: str | None = None) -> list[Path]:
    """An instance, several, an (instance, solution or plan), or several of those; the files that were written.

    format: a name of FORMATS; left out, the ending of the path says it
    """
    if not isinstance(obj, Instance) and len(obj) == 0:
        raise DataError(f"{path}: nothing to write")
    return write_text(_text(obj, format_for(obj, path, format)), path)


def write_text(written: Written, path: str | Path) -> list[Path]:
    path = Path(path)
    if not path.parent.is_dir():
        raise DataError(f"{path.parent}: no such folder; make it first")
    stem = path.name
    for ending in written if isinstance(written, dict) else ():
        stem = stem.removesuffix(ending)
    texts = {path.with_name(f"{stem}{end}"): text for end, text in written.items()} if isinstance(written, dict) else {path: written}
    for place, text in texts.items():
        with write_whole(place) as file:
            file.write(text.encode("utf-8"))
    return list(texts)
