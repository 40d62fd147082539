"""Made instances of all kinds as files, to try the commands on."""

from pathlib import Path

from datamodules.accord.formats import write
from datamodules.accord.synth.generate import SIZES, generate

__all__ = ["write_examples"]

SEED = 2


def write_examples(folder: str | Path, n: int) -> list[Path]:
    """n instances of every kind in our JSON, one file a kind: tsp.jsonl, cvrp.jsonl, ..."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, size in SIZES["tiny"].items():
        paths += write(generate(kind, n, size, seed=SEED), folder / f"{kind}.jsonl", "ours")
    return paths
