"""A slide's name, the same whichever file tells of it: the slide itself, its features, or a table."""

from pathlib import Path

__all__ = ["BAGS", "SLIDES", "slide_name"]

SLIDES = (
    ".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide", ".dcm", ".czi", ".png", ".jpg", ".jpeg",
)  # fmt: skip
BAGS = (".h5", ".safetensors", ".pt", ".npz", ".npy")  # of a slide with several, the first is read


def slide_name(file: str | Path) -> str:
    """Without the folder and what tells the file's kind: `x/a.ome.tiff` is `a`, `TCGA-1.2f3.svs` and `TCGA-1.2f3` are `TCGA-1.2f3`."""
    name = str(file).replace("\\", "/").rpartition("/")[2]
    for endings in ((*SLIDES, *BAGS), (".ome",)):
        ending = next((ending for ending in endings if name.lower().endswith(ending)), "")
        name = name[: len(name) - len(ending)]
    return name
