"""Items `id,value,weight` of a knapsack and `id,size` of a packing, as tables."""

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.csv_table import Table, text_of
from datamodules.accord.formats.format import Options
from datamodules.accord.formats.numbers import fits, number, plain, scaled
from datamodules.accord.formats.refused import refuse_columns
from datamodules.accord.instances import BinPacking, Instance, Knapsack

__all__ = ["items_kind", "read_items", "write_items"]

_COLUMNS = {"knapsack": ("value", "weight"), "binpack": ("size",)}


def items_kind(table: Table) -> str | None:
    if {"value", "weight"} <= set(table.header):
        return "knapsack"
    return "binpack" if "size" in table.header and "value" not in table.header else None


def read_items(table: Table, kind: str, options: Options) -> Instance:
    known = (*_COLUMNS[kind], "capacity")
    extra = [table.written[at] for at, name in enumerate(table.header) if name not in known and at != table.ids]
    refuse_columns(table.where, extra)
    if extra:
        raise ParseError(
            f"{table.where}: column {extra[0]!r} is not understood (id, {', '.join(known)} are); remove it if it is no constraint"
        )
    labels = tuple(table.labels(table.ids))
    what = "several knapsacks" if kind == "knapsack" else "bins of different capacity"
    capacity = table.capacity(options.capacity, f"{what} are not modelled")
    name, proven = table.key("name") or "", table.key("proven") == "true"
    best = [number(table.keys["best"][0], table.where, "best")] if "best" in table.keys else []
    lines = [line for line, _ in table.rows]
    (*sizes, held), scale = scaled([*table.numbers(_COLUMNS[kind][-1]), capacity], table.where, "sizes", table.whole_key("scale"))
    if kind == "binpack":
        fits(table.where, sizes, lines, held, "item", "a bin")
        bins = None if not best else int(best[0])
        return BinPacking(sizes, held, name, bins, proven, scale, labels=labels)  # type: ignore[arg-type]
    all_values, value_scale = scaled([*table.numbers("value"), *best], table.where, "values", table.whole_key("value_scale"))
    values = all_values[: len(sizes)]
    known_best = all_values[-1] if best else None
    return Knapsack(values, sizes, held, name, known_best, proven, scale, value_scale, labels=labels)  # type: ignore[arg-type]


def write_items(one: Knapsack | BinPacking) -> str:
    keys: list[tuple[str, object]] = [("kind", one.kind), ("name", " ".join(one.name.split()) or None)]
    keys += [("capacity", plain(one.capacity, one.scale)), ("scale", one.scale)]
    weights = [plain(weight, one.scale) for weight in one.weights.tolist()]
    ids = [one.label(item) for item in range(one.size)]
    if isinstance(one, BinPacking):
        keys += [("best", one.best), ("proven", None if one.best is None else one.proven)]
        return text_of(keys, ["id", "size"], list(zip(ids, weights, strict=True)))
    keys.append(("value_scale", one.value_scale))
    if one.best is not None:
        keys += [("best", plain(one.best, one.value_scale)), ("proven", one.proven)]
    values = [plain(value, one.value_scale) for value in one.values.tolist()]
    return text_of(keys, ["id", "value", "weight"], list(zip(ids, values, weights, strict=True)))
