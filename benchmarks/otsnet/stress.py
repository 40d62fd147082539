"""Words that are partly covered, and words on busy grounds: what the differential encoder loses against the softmax one.

    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.stress [--weights mlruns/otsnet_budget] [--seeds 0 1 2] [--minutes 15] [--smoke]

Takes the weights that benchmarks.otsnet.budget has kept (rows otsnet and softmax, the same seed and minutes), and trains nothing. Pictures:
made words that training never shows, profile easy, with their true letter boxes; each is read clean, with bars of the ground's colour over
a tenth to three tenths of its width, and blended with the strokes of other words in a fifth to three fifths of their strength. Accuracy
over all words, and over those that both encoders read right when clean: equal clean accuracy, so that the drop alone is compared; paired
by word, over the seeds. Background mass: attention outside every letter's box, the mean of the encoder's layers, and of the slots' own
attention. About five minutes of one thread. --smoke reads sixteen words with fresh weights and writes nothing.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from apps.otsnet.looking import layer_statistics
from apps.otsnet.losses import in_boxes
from apps.otsnet.model import Otsnet
from apps.otsnet.vocabulary import END, up_to_end
from benchmarks.otsnet.arms import ARMS
from benchmarks.record import write
from benchmarks.rows import interval_cell, spread
from datamodules.otsnet.charset import charset
from datamodules.otsnet.dataset import sample
from datamodules.otsnet.generator import Generator
from datamodules.otsnet.word_data import HALF
from datamodules.preprocess import Preprocess

WORDS, SLOTS, BATCH = 1000, 26, 50
PAIR = ("softmax", "otsnet")
Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]  # picture, another word's, randomness


def covered(share: float) -> Change:
    """A bar over so much of the width, in the picture's commonest colour of its border."""

    def change(picture: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        wide = round(share * picture.shape[1])
        at = int(rng.integers(0, picture.shape[1] - wide + 1))
        made = picture.copy()
        made[:, at : at + wide] = np.median(np.concatenate([picture[0], picture[-1]]), axis=0).astype(np.uint8)
        return made

    return change


def cluttered(strength: float) -> Change:
    """The strokes of another word, turned upside down so that nobody reads them, over everything."""

    def change(picture: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        strokes = other[::-1, ::-1].astype(np.float32)
        strokes -= cv2.blur(strokes, (25, 25))
        return np.clip(picture + strength * strokes, 0, 255).round().astype(np.uint8)

    return change


STRESSES: dict[str, Change | None] = {
    "clean": None,
    "covered 10 %": covered(0.1),
    "covered 20 %": covered(0.2),
    "covered 30 %": covered(0.3),
    "clutter 0.2": cluttered(0.2),
    "clutter 0.4": cluttered(0.4),
    "clutter 0.6": cluttered(0.6),
}


def words(stress: str, count: int) -> dict[str, Tensor]:
    """The same words for every stress."""
    ours, others = Generator("easy", seed=11, heldout=True), Generator("easy", seed=12, heldout=True)
    letters, preprocess, change = charset("94"), Preprocess((32, 128), "squash", 1.0, HALF, HALF), STRESSES[stress]
    rows = []
    for number in range(count):
        drawn = ours.draw(number)
        picture = drawn.image if change is None else change(drawn.image, others.draw(number).image, np.random.default_rng([7, number]))
        rows.append(sample(preprocess(torch.from_numpy(np.ascontiguousarray(picture))), drawn.label, drawn.boxes, number, letters, SLOTS))
    return torch.utils.data.default_collate(rows)


def reader(name: str, weights: Path | None) -> Otsnet:
    facts = {"charset": charset("94").characters, "slots": SLOTS, "preprocess": Preprocess((32, 128)).settings(), "licence": ""}
    torch.manual_seed(0)
    model = ARMS[name].task().make_model(facts)
    assert isinstance(model, Otsnet)
    if weights is not None:
        model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


@torch.no_grad()
def read(model: Otsnet, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    """(which words were read right (N,), background masses)."""
    right, masses = [], {"encoder": [], "slots": []}
    for images, tokens_BL, boxes_BT4 in zip(*(batch[name].split(BATCH) for name in ("images", "tokens", "boxes")), strict=True):
        answer = model.read(images)
        right.append((answer.tokens == tokens_BL).all(1))
        layers = layer_statistics(model.observer, images, boxes_BT4)
        masses["encoder"].append(statistics.mean(v.item() for name, v in layers.items() if name.endswith(".background")))
        letters_BL = (up_to_end(tokens_BL) & (tokens_BL != END))[:, :-1]
        outside_BN = ~in_boxes(boxes_BT4, model.observer.cells).any(1)
        off_BT = (answer.attention[:, :-1] * outside_BN.unsqueeze(1)).sum(-1)
        masses["slots"].append(off_BT[letters_BL].mean().item())
    return torch.cat(right), {name: statistics.mean(values) for name, values in masses.items()}


def chance_mass(batch: dict[str, Tensor], cells: tuple[int, int]) -> float:
    """Of attention that is everywhere alike."""
    return 1 - in_boxes(batch["boxes"], cells).any(1).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=Path("mlruns/otsnet_budget"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/otsnet_stress.json"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    files = {(name, seed): options.weights / f"{name}-{options.minutes}-{seed}.pt" for name in PAIR for seed in options.seeds}
    missing = [path for path in files.values() if not path.exists()]
    if missing and not options.smoke:
        parser.error(f"{missing[0]} is not there; first run: python -m benchmarks.otsnet.budget --data DIR --only {' '.join(PAIR)}")
    if options.smoke:
        files = {(name, 0): None for name in PAIR}
    models = {key: reader(key[0], path) for key, path in files.items()}
    found: dict[tuple[str, int], dict[str, Tensor]] = {key: {} for key in models}
    rows = []
    for stress in STRESSES:
        batch = words(stress, 16 if options.smoke else WORDS)
        masses: dict[str, list[dict[str, float]]] = {name: [] for name in PAIR}
        for key, model in models.items():
            found[key][stress], mass = read(model, batch)
            masses[key[0]].append(mass)
        even = chance_mass(batch, next(iter(models.values())).observer.cells)
        for name in PAIR:
            rows.append(_row(stress, name, found, masses[name], even))
            print(rows[-1], flush=True)
    if not options.smoke:
        write(options.out, "otsnet_stress", rows)


def _row(
    stress: str, name: str, found: dict[tuple[str, int], dict[str, Tensor]], masses: list[dict[str, float]], even: float
) -> dict[str, Any]:
    seeds = sorted({seed for _, seed in found})
    all_words, both = [], {one: [] for one in PAIR}
    for seed in seeds:
        all_words.append(100 * found[name, seed][stress].float().mean().item())
        clean_N = found[PAIR[0], seed]["clean"] & found[PAIR[1], seed]["clean"]
        for one in PAIR:
            both[one].append(100 * found[one, seed][stress][clean_N].float().mean().item())
    gaps = [a - b for a, b in zip(both[name], both[PAIR[0]], strict=True)]
    return {
        "stress": stress,
        "encoder": "softmax" if name == "softmax" else "differential",
        **spread("words", all_words, 1),
        **spread("words_both_read_clean", both[name], 1),
        "over_softmax": f"{statistics.mean(gaps):+.1f}",
        "over_softmax_ci95": interval_cell(gaps, 1),
        "background_encoder": round(statistics.mean(mass["encoder"] for mass in masses), 3),
        "background_slots": round(statistics.mean(mass["slots"] for mass in masses), 3),
        "background_if_even": round(even, 3),
        "seeds": len(seeds),
    }


if __name__ == "__main__":
    main()
