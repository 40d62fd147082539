"""VIPeR as distributed: cam_a/ and cam_b/, names like 000_45.bmp (person, viewpoint), one picture a person and camera."""

import re
from pathlib import Path

import numpy as np

from datamodules.dcal.reid_names import fits, pictures
from datamodules.dcal.reid_table import ReidTable, Sighting, assemble_sightings
from datamodules.store import FolderStore

__all__ = ["TRIALS", "is_viper", "read_viper"]

TRIALS = 10  # random half splits are the custom; a result is their mean
NAME = re.compile(r"(?P<identity>\d{3})_\d+\.")


def is_viper(path: Path) -> bool:
    return fits(path / "cam_a", NAME) and fits(path / "cam_b", NAME)


def read_viper(path: Path, trial: int = 0) -> ReidTable:
    """Half of the persons is for training, by a permutation seeded with `trial`; of the others cam_a asks and cam_b is the gallery."""
    problems: list[str] = []
    notes = [f"half split {trial} of {TRIALS}: published results are means over ten"]
    by_camera: dict[str, dict[str, str]] = {"a": {}, "b": {}}
    for camera, persons in by_camera.items():
        for name in pictures(path / f"cam_{camera}"):
            match = NAME.match(name)
            if match is None:
                problems.append(f"{path / f'cam_{camera}' / name}: not named <person>_<viewpoint>; rename or remove it")
            elif match["identity"] in persons:
                problems.append(f"{path / f'cam_{camera}' / name}: person {match['identity']} has a picture there already; keep one")
            else:
                persons[match["identity"]] = f"cam_{camera}/{name}"
    both = sorted(by_camera["a"].keys() & by_camera["b"].keys())
    if single := len(by_camera["a"].keys() ^ by_camera["b"].keys()):
        notes.append(f"{single} persons seen by one camera only left out")
    order = np.random.default_rng([0, trial]).permutation(len(both))
    train = {both[place] for place in order[: len(both) // 2]}
    asking = {"a": "query", "b": "gallery"}
    rows = [
        Sighting(by_camera[camera][person], person, camera, "train" if person in train else asking[camera])
        for person in both
        for camera in ("a", "b")
    ]
    return assemble_sightings("viper", str(path), FolderStore(path), rows, problems, notes)
