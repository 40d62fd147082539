"""From a network and an automaton to plans: greedy, sampled, from many starts, on eight symmetries, or by a beam."""

from apps.accord.decoding.beam import beam
from apps.accord.decoding.loop import decode
from apps.accord.decoding.rollouts import Rollouts

__all__ = ["Rollouts", "beam", "decode"]
