"""What jsonargparse says about a recipe, in one line: what, where, the remedy."""

import dataclasses
import difflib
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

__all__ = ["explain", "known_keys"]


def explain(text: str, keys: Sequence[str], flags: Sequence[str] = ()) -> str:
    """One line out of jsonargparse's report; `keys`, and the verb's own `flags`, are what a wrong one is compared with."""
    text = " ".join(text.split())
    text = re.sub(r"Group '([\w.]+)' does not accept option '([\w.]+)'", r"Option '\1.\2' is not accepted", text)
    if denied := re.search(r"Importing '([^']+)' is not allowed", text):
        name = denied.group(1)
        return f"the recipe names {name}, which it may not; if you trust it, add --allow {name.split('.')[0]}"
    if unknown := re.search(
        r"unrecognized arguments: (?:--)?([\w.-]+)|[Kk]ey '?\"?([\w.]+)'?\"? is not expected|Option '([\w.]+)' is not accepted", text
    ):
        key = next(group for group in unknown.groups() if group)
        branch = re.search(r"Parser key \"(\w+)\".*?given class_path '[\w.]*?(\w+)'", text)
        if branch and f"{branch.group(1)}.{key}" in keys:
            return f"{branch.group(2)} has no {branch.group(1)}.{key}, another class has it: name a recipe of that class with --config"
        return f"no such key: {key}{_nearest_key(key, keys, flags)} (see --help, --print_config)"
    place = [part for part in re.findall(r'Parser key "([\w.]+)"', text) if part]
    where = f"{'.'.join(place)}: " if place else ""
    return where + _cause(text)


def known_keys(parser: Any, classes: dict[str, type], packages: Sequence[str]) -> list[str]:
    """All keys that a recipe may have: the parser's own, and the arguments of the application's classes.

    `classes` are the bases by their key: {"model": BaseTask, "data": BaseData}.
    """
    keys = [action.dest for action in parser._actions]
    for module in (sys.modules.get(package) for package in packages):
        for _, kind in inspect.getmembers(module, inspect.isclass) if module else ():
            for key, base in classes.items():
                if issubclass(kind, base):
                    keys += _arguments(kind.__init__, f"{key}.")
    return keys


def _arguments(function: Any, prefix: str = "") -> Iterator[str]:
    hints = get_type_hints(function)
    for name in inspect.signature(function).parameters:
        if name == "self":
            continue
        yield prefix + name
        if dataclasses.is_dataclass(hints.get(name)):
            yield from (f"{prefix}{name}.{field.name}" for field in dataclasses.fields(hints[name]))


def _nearest_key(key: str, keys: Sequence[str], flags: Sequence[str]) -> str:
    """jsonargparse leaves out `model.` and `data.`; the key may also stand in a wrong branch or in none: only its last part is right."""
    key = key.replace("-", "_")
    whole = {_short(name): name for name in reversed(keys)}
    if "." not in key:
        whole |= {flag.removeprefix("--").replace("-", "_"): flag for flag in flags}
    ends = {_last(name): name for name in reversed(keys)}
    last = _last(key)
    begun = [end for end in ends if end.startswith(f"{last}_")]
    found = (
        whole.get(_short(key))
        or ends.get(last)
        or (ends[begun[-1]] if begun else None)  # seed: seed_everything
        or next((whole[near] for near in difflib.get_close_matches(_short(key), whole, n=1)), None)
        or next((ends[near] for near in difflib.get_close_matches(last, ends, n=1)), None)
    )
    return f"; did you mean {found!r}?" if found else ""


def _short(name: str) -> str:
    return re.sub(r"^(model|data)\.(init_args\.)?", "", name)


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _cause(text: str) -> str:
    """Of "does not validate against any of ..., Errors: - a - b Given value ..." the problems that are not mere alternatives."""
    given = re.findall(r"Given value: (\S+)", text)
    parts = re.sub(r"Given value type:.*?(?= - |$)", "", text).split("Errors: ", 1)[-1].split(" - ")
    parts = [re.sub(r"Problem with given class_path '[^']+': |Parser key \"[\w.]+\": |^- ", "", part).strip(" .") for part in parts]
    problems = [part for part in parts if part and "NoneType" not in part]
    cause = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", "; ".join(dict.fromkeys(problems)))
    cause = re.sub(r"\ba (?=[aeio])", "an ", cause)
    return f"{cause} (given: {given[0]})" if given and "NestedArg" not in given[0] and "Namespace" not in given[0] else cause
