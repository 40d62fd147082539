"""The token sequences that spell the open decisions, as a tree: at each node, which tokens may come next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apps.base.errors import UserError

__all__ = ["Node", "grow"]


@dataclass
class Node:
    """`action`: the decision spelled up to here. `ends`: tokens that end it where longer ones begin alike (1 and 12)."""

    children: dict[int, "Node"] = field(default_factory=dict)
    action: int | None = None
    ends: frozenset[int] = frozenset()

    @property
    def open(self) -> list[int]:
        """Tokens among which is chosen, in a fixed order."""
        return sorted({*self.children, *(self.ends if self.action is not None and self.children else ())})


def grow(spelled: Mapping[int, Sequence[int]], ends: frozenset[int]) -> Node:
    """spelled: tokens by decision; of decisions that are spelled alike the caller gives one."""
    root = Node()
    for action, ids in spelled.items():
        node = root
        for token in ids:
            node = node.children.setdefault(token, Node())
        if node is root or node.action is not None:
            raise UserError("the tokenizer spells two decisions alike, or one not at all; it must tell digits, brackets and letters apart")
        node.action, node.ends = action, ends
    _settled(root)
    return root


def _settled(root: Node) -> None:
    """Where a decision is the beginning of another, a token that ends it must not go on with the other."""
    todo = [root]
    while todo:
        node = todo.pop()
        if node.action is not None and node.children and (not node.ends or node.ends & set(node.children)):
            raise UserError("the tokenizer merges the end of a decision with the next one; use one that splits digits from commas")
        todo += node.children.values()
