"""Texts of items taken and of bins: [[5, 3] -> value:0+5=5, weight:0+3=3<=10], Bin 1: (0, 6) -> 6, ..., and their lists."""

from collections.abc import Sequence

from apps.accord.llama.scribes.scribe import Scribe
from datamodules.accord.formats.numbers import plain
from datamodules.accord.instances import BinPacking, Knapsack
from datamodules.accord.packs import pack

__all__ = ["BinLists", "BinStates", "SackLists", "SackStates"]


class _Sack(Scribe):
    """Decision 0 is END, i + 1 item i. Items of value and no weight are taken before the first decision."""

    instance: Knapsack

    def __init__(self, instance: Knapsack) -> None:
        super().__init__(instance)
        self.taken: list[int] = []
        self.ended = False

    def free(self) -> list[int]:
        return [i for i in range(self.instance.size) if self.instance.weights[i] == 0 and self.instance.values[i] > 0]

    def value(self, number: int) -> str:
        return plain(number, self.instance.value_scale)

    def weight(self, number: int) -> str:
        return plain(number, self.instance.scale)

    def pair(self, item: int) -> tuple[str, str]:
        return self.value(int(self.instance.values[item])), self.weight(int(self.instance.weights[item]))

    def sums(self) -> tuple[int, int]:
        return sum(int(self.instance.values[i]) for i in self.taken), sum(int(self.instance.weights[i]) for i in self.taken)


class SackStates(_Sack):
    def opening(self) -> str:
        return "Solution:" + "".join(self.spell(i + 1) + self.follow(i + 1) for i in self.free())

    def spell(self, action: int) -> str:
        if action == 0:
            return "\n\nTotal Value:"
        v, w = self.pair(action - 1)
        return f"{',' if self.taken else ''}\n[[{v}, {w}] ->"

    def follow(self, action: int) -> str:
        if action == 0:
            self.ended = True
            return ""
        value, load = self.sums()
        v, w = self.pair(action - 1)
        self.taken.append(action - 1)
        total, full = self.sums()
        return (
            f" value:{self.value(value)}+{v}={self.value(total)},"
            f" weight:{self.weight(load)}+{w}={self.weight(full)}<={self.weight(self.instance.capacity)}]"
        )

    def closing(self) -> str:
        value, load = self.sums()
        head = "" if self.ended else self.spell(0)
        return f"{head} {self.value(value)}\nTotal Weight: {self.weight(load)}<={self.weight(self.instance.capacity)}\n"


class SackLists(_Sack):
    def opening(self) -> str:
        return "Solution: [" + "".join(self.spell(i + 1) + self.follow(i + 1) for i in self.free())

    def spell(self, action: int) -> str:
        return f"{', ' if self.taken else ''}({', '.join(self.pair(action - 1))})" if action else "]"

    def follow(self, action: int) -> str:
        if action:
            self.taken.append(action - 1)
        else:
            self.ended = True
        return ""

    def closing(self) -> str:
        value, load = self.sums()
        values, weights = ("+".join(self.pair(item)[k] for item in self.taken) for k in (0, 1))
        equals = "=" if self.taken else ""
        head = "" if self.ended else "]"
        limit = self.weight(self.instance.capacity)
        return f"{head}\nValue: {values}{equals}{self.value(value)}\nWeight: {weights}{equals}{self.weight(load)}<={limit}\n"


class _Bins(Scribe):
    """Decision 0 is CLOSE, i + 1 item i of the pack's order. Items of size 0 are laid into the first bin before the first decision."""

    instance: BinPacking

    def __init__(self, instance: BinPacking) -> None:
        super().__init__(instance)
        self.ids: list[int] = pack([instance])["ids"][0].tolist()
        self.bins: list[list[int]] = [[]]

    def empty(self) -> Sequence[int]:
        return [item for item in range(self.instance.size) if self.instance.weights[item] == 0]

    def size(self, number: int) -> str:
        return plain(number, self.instance.scale)

    def put(self, item: int) -> str:
        """The load of the open bin with it."""
        self.bins[-1].append(item)
        return self.size(sum(int(self.instance.weights[one]) for one in self.bins[-1]))


class BinStates(_Bins):
    def opening(self) -> str:
        if not self.instance.size:
            return ""
        return "Bin 1:" + "".join(f"{self._entry(item)} {self.put(item)}" for item in self.empty())

    def _entry(self, item: int) -> str:
        return f"{',' if self.bins[-1] else ''} ({item}, {self.size(int(self.instance.weights[item]))}) ->"

    def spell(self, action: int) -> str:
        return self._entry(self.ids[action - 1]) if action else " <="

    def follow(self, action: int) -> str:
        if action:
            return f" {self.put(self.ids[action - 1])}"
        self.bins.append([])
        return f" {self.size(self.instance.capacity)}\nBin {len(self.bins)}:"

    def closing(self) -> str:
        if not self.instance.size:
            return "Total bins required: 0\n"
        return f" <= {self.size(self.instance.capacity)}\nTotal bins required: {len(self.bins)}\n"


class BinLists(_Bins):
    ends = (",", "]")

    def opening(self) -> str:
        if not self.instance.size:
            return "["
        return "[[" + "".join(self._entry(item) + self.put(item)[:0] for item in self.empty())

    def _entry(self, item: int) -> str:
        return f"{', ' if self.bins[-1] else ''}{item}"

    def spell(self, action: int) -> str:
        return self._entry(self.ids[action - 1]) if action else "]"

    def follow(self, action: int) -> str:
        if action:
            self.put(self.ids[action - 1])
            return ""
        self.bins.append([])
        return ", ["

    def closing(self) -> str:
        return "]]\n" if self.instance.size else "]\n"
