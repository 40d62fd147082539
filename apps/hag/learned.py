"""Which frames a model learned from, and how they were seen: what `evaluate` and `calibrate` set up again, and do not judge on."""

from pathlib import Path
from typing import Any

from apps.base.errors import UserError
from datamodules.hag.datamodule import Polyps, SynthPolyps

__all__ = ["made_as", "on_disk_as", "sight_of"]

UNTOLD = "the file does not say which frames it learned from: nothing keeps them out of these"


def sight_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """Files of before it was told say nothing: frames as they are."""
    return dict(metadata.get("sight", {}))


def made_as(metadata: dict[str, Any], size: int, planes: list[str]) -> tuple[SynthPolyps, list[str]]:
    """(the colonoscopies made by code that the model learned from, or those made by default; notes)."""
    made = metadata.get("learned", {}).get("made")
    depth = sight_of(metadata).get("depth", "metric") if "depth" in planes else "metric"
    notes = [] if metadata.get("learned") else [UNTOLD]
    return SynthPolyps(size=size, planes=planes, depth=depth, **(made or {})), notes


def on_disk_as(
    word: str, metadata: dict[str, Any], split: str, size: int, planes: list[str], refuse: bool, **options: Any
) -> tuple[Polyps, list[str]]:
    """(the set; notes). Of the set that the model learned from, its split is taken; refused where another one is asked for.

    refuse: also where all of that set is asked for, which is then a note.
    """
    sight = sight_of(metadata)
    if "depth" in planes and options.get("depth_files") is not None:
        options |= {"depth": sight.get("depth", "metric"), "depth_scale": sight.get("depth_scale", 1.0)}
    given = {name: value for name, value in options.items() if value is not None}
    data = Polyps(word, size=size, planes=planes, **given)
    learned, here = metadata.get("learned"), data.learned()
    if not learned:
        return data, [UNTOLD]
    if learned.get("set") != here["set"]:
        return data, []
    if split == "all":
        words = f"{Path(word).name} is the set that the model learned from; what is found on all of it says nothing about new polyps"
        if refuse:
            raise UserError(f"--split all: {words}; take val or test, or another set")
        return data, [words]
    if learned["held"] == here["held"]:
        return data, []
    was = {name: learned[name] for name in ("protocol", "fold")}
    if "protocol" not in given and "fold" not in given:
        data = Polyps(word, size=size, planes=planes, **given, **was)
        here = data.learned()
    told = f"--protocol {was['protocol']}" + ("" if was["fold"] is None else f" --fold {was['fold']}")
    if learned["held"] != here["held"]:
        raise UserError(f"{word}: the model learned from frames that this split would judge it on; take {told}, as its training did")
    return data, [f"split as in the model's training: {told}"]
