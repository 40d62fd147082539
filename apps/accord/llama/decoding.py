"""Texts decided by a language model and held to the rules by the automaton (brief, 2.4.7).

At a decision the model chooses among the tokens that spell an open one; the state after it is forced: computed here, fed to the model, so
that its cache sees what a model of ACCORD would have written itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from apps.accord.automata import Automaton
from apps.accord.llama.feeder import Feeder
from apps.accord.llama.scribes import Scribe, scribe
from apps.accord.llama.trie import Node, grow
from datamodules.accord.instances import Instance
from datamodules.accord.packs import pack

__all__ = ["Row", "free", "guided"]

Spell = Callable[[str], list[int]]


@dataclass
class Row:
    """One text under way. `pending`: tokens that the model has not seen; `node`: where in the tree of open decisions it is."""

    instance: Instance
    form: str
    pending: list[int]
    temperature: float
    generator: torch.Generator
    text: str = ""
    actions: list[int] = field(default_factory=list)
    logp: float = 0.0
    done: bool = False
    stuck: bool = False
    node: Node | None = None

    def choose(self, logits_V: Tensor, allowed: Sequence[int] | None = None) -> int:
        """Greedy at temperature 0. allowed: None, any token."""
        index = None if allowed is None else torch.tensor(list(allowed), device=logits_V.device)
        scores = (logits_V if index is None else logits_V[index]).cpu()
        heat = max(self.temperature, 1e-30) if self.temperature else 1.0  # the best is made 0 before: it stays the best near temperature 0
        logp = ((scores - scores.max()) / heat).log_softmax(-1)
        at = int(torch.multinomial(logp.exp(), 1, generator=self.generator)) if self.temperature else int(scores.argmax())
        self.logp += float(logp[at])
        return at if index is None else int(index[at])


class _Guided:
    """A row with its automaton and the writer of its text."""

    def __init__(self, row: Row, machine: Automaton, spell: Spell) -> None:
        self.row, self.machine, self.spell = row, machine, spell
        self.writer: Scribe = scribe(row.instance, row.form)
        self.batch = pack([row.instance])
        self.state = machine.reset(self.batch, 1)
        self.ends = frozenset(ids[0] for end in self.writer.ends if (ids := spell(end)))
        row.stuck = row.done = bool(self.state["stuck"][0, 0])
        if not row.done:
            self._say(self.writer.opening())
            self._on()

    def take(self, logits_V: Tensor) -> None:
        """One token of a decision."""
        node = self.row.node
        assert node is not None
        token = self.row.choose(logits_V, node.open)
        if token in node.children:
            self.row.pending.append(token)
            self.row.node = node = node.children[token]
            if node.action is None or node.children:
                return
        assert node.action is not None
        self._decide(node.action, forced=False)
        self._on()

    def _decide(self, action: int, forced: bool) -> None:
        piece = self.writer.spell(action)
        self.row.text += piece
        if forced:
            self.row.pending += self.spell(piece)
        self.row.actions.append(action)
        self._say(self.writer.follow(action))
        self.state = self.machine.step(self.batch, self.state, torch.tensor([[action]]))
        self.row.node = None

    def _say(self, text: str) -> None:
        self.row.text += text
        self.row.pending += self.spell(text) if text else []

    def _on(self) -> None:
        """Up to the next decision with a choice."""
        while not bool(self.machine.done(self.batch, self.state)[0, 0]):
            open_A = self.machine.mask(self.batch, self.state)[0, 0].nonzero()[:, 0].tolist()
            pieces: dict[str, int] = {}
            for action in open_A:
                pieces.setdefault(self.writer.spell(action), action)  # equal items are spelled alike: the first of them is meant
            if len(pieces) > 1:
                self.row.node = grow({action: self.spell(piece) for piece, action in pieces.items()}, self.ends)
                return
            self._decide(open_A[0], forced=True)
        self.row.text += self.writer.closing()
        self.row.done = True


def guided(model: object, rows: Sequence[Row], machine: Automaton, spell: Spell) -> None:
    """Every row becomes the text of a feasible plan, or is stuck (a fleet for which no plan was found at the start)."""
    under_way = {id(row): _Guided(row, machine, spell) for row in rows}

    def advance(row: Row, logits_V: Tensor) -> None:
        under_way[id(row)].take(logits_V)

    _run(model, rows, advance)


def free(model: object, rows: Sequence[Row], stops: frozenset[int], most: int, say: Callable[[list[int]], str]) -> None:
    """Unmasked: the model writes until a stop token, or `most` tokens."""
    said: dict[int, list[int]] = {id(row): [] for row in rows}

    def advance(row: Row, logits_V: Tensor) -> None:
        token = row.choose(logits_V)
        ids = said[id(row)]
        row.done = token in stops
        if not row.done:
            ids.append(token)
            row.pending.append(token)
            row.done = len(ids) >= most
        if row.done:
            row.text = say(ids)

    _run(model, rows, advance)


def _run(model: object, rows: Sequence[Row], advance: Callable[[Row, Tensor], None]) -> None:
    """All rows in step; those that are done leave the batch when they are half of it."""
    left = [row for row in rows if not row.done]
    if not left:
        return
    feeder = Feeder(model, len(left))
    while not all(row.done for row in left):
        if sum(row.done for row in left) * 2 > len(left):
            going = [k for k, row in enumerate(left) if not row.done]
            feeder.keep(going)
            left = [left[k] for k in going]
        pieces = [[] if row.done else row.pending for row in left]
        logits_BV = feeder.feed(pieces)
        for row, logits_V in zip(left, logits_BV, strict=True):
            if not row.done:
                row.pending = []
                advance(row, logits_V)
