"""The same facts from JSON, tables and brackets: rows with a number for each role, and lists by role."""

from typing import Any

from apps.accord.front.blocks import Blocks, Table, role
from apps.accord.front.draft import Draft
from apps.accord.front.numbers import Number
from apps.accord.front.tuples import groups, headers, leaves

__all__ = ["by_role", "json_value", "rows_of", "tuples_of"]

Row = dict[str, Number | str]


def json_value(blocks: Blocks, name: str) -> Any:
    """The value of the first key that stands for `name`."""
    for made in blocks.objects:
        for key, value in made.items():
            if role(key) == name:
                return value
    return None


def by_role(made: dict[str, Any]) -> Row:
    return {role(key): value for key, value in made.items() if role(key) and isinstance(value, Number | str)}


def rows_of(blocks: Blocks, needed: set[str]) -> list[Row]:
    """Rows of JSON or of tables that have all roles of `needed`; lists by role (values: [...]) count as rows."""
    for made in blocks.objects:
        for value in made.values():
            if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                rows = [by_role(one) for one in value]
                if all(needed <= set(row) for row in rows):
                    return rows
        lists = {
            role(key): value
            for key, value in made.items()
            if isinstance(value, list) and value and all(isinstance(one, Number) for one in value)
        }
        if needed <= set(lists):
            if len({len(lists[name]) for name in needed}) > 1:
                return []
            return [dict(zip(sorted(needed), row, strict=True)) for row in zip(*(lists[name] for name in sorted(needed)), strict=True)]
    for table in blocks.tables:
        if needed <= set(table.roles):
            return [_row(table, cells) for cells in table.rows]
    return []


def _row(table: Table, cells: list[Number | str]) -> Row:
    row: Row = {}
    for name, cell in zip(table.roles, cells, strict=True):
        if name and name not in row:
            row[name] = cell
    return row


def tuples_of(draft: Draft, needed: set[str]) -> tuple[list[Row], int]:
    """Rows from brackets whose places the text names, and how many brackets of numbers there are at all."""
    found = [
        group for group in leaves(groups(draft.marked)) if len(group.marks) >= max(2, len(needed)) or (len(needed) == 1 and group.marks)
    ]
    if not found:
        return [], 0
    width = max((len(group.marks) for group in found), key=[len(group.marks) for group in found].count)
    same = [group for group in found if len(group.marks) == width]
    for names in headers(draft.marked):
        roles = [name for name in names if name in needed or name not in ("name",)]
        for using in (names, roles):
            if len(using) == width and needed <= set(using):
                return [{name: draft.numbers[k] for name, k in zip(using, group.marks, strict=True)} for group in same], len(same)
    return [], len(same)
