"""The prompt of the released adapters: Alpaca's three headings (brief, 2.1)."""

from datamodules.accord.formats.input_text import input_of, instruction_of
from datamodules.accord.instances import Instance

__all__ = ["prompt"]

_HEAD = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)


def prompt(instance: Instance, indented: bool = False) -> str:
    """indented: four spaces before every line but the first, as the release's scripts have them."""
    lines = [
        _HEAD,
        "",
        "### Instruction:",
        instruction_of(instance),
        "",
        "### Input:",
        *input_of(instance).split("\n"),
        "",
        "### Response:",
    ]
    return ("\n    " if indented else "\n").join(lines) + "\n"
