"""A local Llama-like model with PEFT adapters, whose texts are feasible by construction or judged."""

from apps.accord.llama.plug import LlamaPlug, Written

__all__ = ["LlamaPlug", "Written"]
