"""A stack of low-rank adapters on a linear map: each sample of a batch takes its own, none, or a mixture."""

from core_attention.lora.groups import Groups, group
from core_attention.lora.merging import merged
from core_attention.lora.stack import LoRAStack

__all__ = ["Groups", "LoRAStack", "group", "merged"]
