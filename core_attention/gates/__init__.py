"""Hard-attention gates (HAG): put on any model, trained apart from the weights, looked at, folded away.

>>> gates = wrap(model, "branch", unit=True)
"""

from core_attention.gates.fold import FoldReport, fold
from core_attention.gates.gate import HARDNESS, INITS, Gate
from core_attention.gates.gate_set import GateSet, Link
from core_attention.gates.gated import End, Gated, GatedCall
from core_attention.gates.harden import Hardened, harden
from core_attention.gates.names import gated_state, plain_names, plain_state
from core_attention.gates.penalty import penalty
from core_attention.gates.report import GateHistory, GateRow, effective_importance, gate_report
from core_attention.gates.routing import GATE_DATA, MODES, PARITY, Routing, Step
from core_attention.gates.shrink import PruneReport, shrink
from core_attention.gates.sites import SITES, Site
from core_attention.gates.wrap import unwrap, wrap

__all__ = [
    "GATE_DATA", "HARDNESS", "INITS", "MODES", "PARITY", "SITES",
    "End", "FoldReport", "Gate", "GateHistory", "GateRow", "GateSet", "Gated", "GatedCall", "Hardened", "Link", "PruneReport", "Routing",
    "Site", "Step", "effective_importance", "fold", "gate_report", "gated_state", "harden", "penalty", "plain_names", "plain_state",
    "shrink", "unwrap", "wrap",
]  # fmt: skip
