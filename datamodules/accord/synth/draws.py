"""Random numbers by counter: instance i of a seed is the same however many are asked for, on every machine and with every numpy.

Philox's raw stream is fixed; what numpy makes of it may change with its version, so that is done here, with exact operations only.
"""

import numpy as np

__all__ = ["VERSION", "Draws"]

VERSION = 1  # of the sets: another number makes other ones


class Draws:
    """Numbers of one instance: key (seed, index), and a lane of its own for every kind."""

    def __init__(self, seed: int, index: int, lane: int = 0) -> None:
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"seed {seed}: it must be at least 0 and below 2**64")
        self._philox = np.random.Philox(key=np.array([seed, index], np.uint64), counter=np.array([0, 0, VERSION, lane], np.uint64))

    def raw(self, count: int) -> np.ndarray:
        """uint64."""
        return np.asarray(self._philox.random_raw(count), np.uint64)

    def uniform(self, *shape: int) -> np.ndarray:
        """In [0, 1), multiples of 2**-53."""
        return ((self.raw(int(np.prod(shape))) >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        """int64 in low..high, both included; each as likely as the next up to 2**-40."""
        return (low + np.floor(self.uniform(*shape) * (high - low + 1))).astype(np.int64)

    def integer(self, low: int, high: int) -> int:
        return int(self.integers(low, high, 1)[0])

    def permutation(self, count: int) -> np.ndarray:
        return np.argsort(self.raw(count), kind="stable")

    def bell(self, *shape: int) -> np.ndarray:
        """Near normal, mean 0, deviation 1: twelve uniform numbers less 6 (no logarithm, whose last bit differs by machine)."""
        return self.uniform(*shape, 12).sum(-1) - 6.0
