"""Maps in numbers: recorded, rolled out, measured. Drawing them is somebody else's business.

>>> with record(model) as recording:
...     model(pictures)
>>> rollout(recording).row
"""

from core_attention.maps.bias import position_bias
from core_attention.maps.distance import attention_distance, offset_profile
from core_attention.maps.entropy import Entropy, entropy, entropy_without_map
from core_attention.maps.importance import Importance, head_gates, head_importance, leave_one_out
from core_attention.maps.rank import effective_rank, stable_rank
from core_attention.maps.recorder import Call, Recording, record
from core_attention.maps.rollout import Rollout, carry, rollout
from core_attention.maps.rows import shares
from core_attention.maps.signed import SignedMaps, signed_maps
from core_attention.maps.sinks import SecondarySink, primary_sinks, secondary_sinks, sink_scores
from core_attention.maps.tree import dependency_tree, parents

__all__ = [
    "Call", "Entropy", "Importance", "Recording", "Rollout", "SecondarySink", "SignedMaps", "attention_distance", "carry",
    "dependency_tree", "effective_rank", "entropy", "entropy_without_map", "head_gates", "head_importance", "leave_one_out",
    "offset_profile", "parents", "position_bias", "primary_sinks", "record", "rollout", "secondary_sinks", "shares", "signed_maps",
    "sink_scores", "stable_rank",
]  # fmt: skip
