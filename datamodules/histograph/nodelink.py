"""NetworkX's node-link JSON: nodes and edges by their names, with attributes.

    {"directed": false, "graph": {"label": "ring"}, "nodes": [{"id": "a", "mass": 1.5}], "edges": [{"source": "a", "target": "b"}]}

Older NetworkX writes "links" for "edges". A file holds one graph, or a list of them.
"""

from typing import Any

from datamodules.errors import DataError
from datamodules.histograph.named import NamedGraph

__all__ = ["is_node_link", "named_of"]


def is_node_link(item: Any) -> bool:
    return isinstance(item, dict) and "nodes" in item


def named_of(item: dict[str, Any], place: str) -> NamedGraph:
    edges = item.get("edges", item.get("links"))
    if not isinstance(item["nodes"], list) or not isinstance(edges, list):
        raise DataError(f'{place}: node-link JSON has lists under "nodes" and "edges" (or "links")')
    facts = item.get("graph", {})
    if isinstance(facts, list) and all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in facts):
        facts = dict(facts)  # NetworkX 1 wrote pairs
    if not isinstance(facts, dict):
        raise DataError(f'{place}: "graph" holds the graph\'s own attributes, an object such as {{"label": "ring"}}')
    graph = NamedGraph(place, bool(item.get("directed", False)), dict(facts))
    for i, node in enumerate(edges_or_nodes(item["nodes"], place, ("id",))):
        graph.node(_name(node["id"], f"{place}: nodes[{i}]"), _plain(node, {"id"}), f"{place}: nodes[{i}]")
    for i, edge in enumerate(edges_or_nodes(edges, place, ("source", "target"))):
        where = f"{place}: edges[{i}]"
        ends = (_name(edge["source"], where), _name(edge["target"], where))
        graph.edge(*ends, _plain(edge, {"source", "target", "key"}), where)
    return graph


def edges_or_nodes(items: list[Any], place: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    for i, item in enumerate(items):
        if not isinstance(item, dict) or any(key not in item for key in keys):
            raise DataError(f"{place}: {'nodes' if keys == ('id',) else 'edges'}[{i}] is no object with {' and '.join(keys)}")
    return items


def _name(name: Any, place: str) -> Any:
    """Lists are how JSON writes NetworkX's tuples."""
    name = tuple(name) if isinstance(name, list) else name
    try:
        hash(name)
    except TypeError:
        raise DataError(f"{place}: {name!r} cannot be the name of a node") from None
    return name


def _plain(item: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    """Attributes; a list of numbers, such as x, becomes one attribute a number, named so that they sort as they stand."""
    found: dict[str, Any] = {}
    for key, value in item.items():
        if key in keys:
            continue
        if isinstance(value, list):
            found |= {f"{key}.{i:04d}": number for i, number in enumerate(value)}
        else:
            found[key] = value
    return found
