"""Several tables as one, for trees of sets and for lists that share a folder."""

from pathlib import Path

from datamodules.otsnet.stores import JoinedStore
from datamodules.otsnet.table import Table

__all__ = ["join"]


def join(layout: str, source: Path, tables: dict[str, Table]) -> Table:
    """Every file under the name of its table. Problems name their files themselves; notes are told by table."""
    store = JoinedStore({name: table.store for name, table in tables.items()})
    records = [record._replace(file=f"{name}:{record.file}") for name, table in tables.items() for record in table.records]
    problems = [problem for table in tables.values() for problem in table.problems]
    notes = [f"{name}: {note}" for name, table in tables.items() for note in table.notes]
    return Table(layout, str(source), store, records, problems, notes, all(table.labelled for table in tables.values()))
