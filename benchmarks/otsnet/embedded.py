"""The embedded words: does each part do what it is for, and does the differential map bring anything; the same recipe, steps and seeds.

    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.embedded [--seeds 0 1 2] [--only softmax differential] [--smoke]

Nano with two pairs of heads, 32 codes of width 16, align 0.3, 1000 steps of 64 on a fixed pool of 6000 pictures. Read on 600 others: words
of the lexicon and strings that training never shows, with K = 0, 1 and 3. Nothing is chosen. `shuffled` learns pictures with the labels of
others (one seed): whatever it reads is chance. A run is kept under --rows as soon as it is there. Seconds of one thread: about 140 a run,
seven runs, so 17 minutes. --smoke takes two steps and writes nothing.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Generator, Tensor

from apps.base.ranking import auc
from apps.otsnet.corrupt import corrupt
from apps.otsnet.health import health, joint_counts
from apps.otsnet.losses import in_boxes
from apps.otsnet.model import Otsnet
from apps.otsnet.options import Observe, Quantize, Weights
from apps.otsnet.vocabulary import END, up_to_end
from benchmarks.otsnet.fitting import BATCH, CLIP, OPTIM, Arm, fit
from benchmarks.record import write
from benchmarks.rows import kept, spread
from datamodules.otsnet.datamodule import EmbeddedWords

STEPS, CODES = 1000, 32
ROUNDS = (0, 1, 3)
SPOILT = 0.15  # of the characters, for the judge


def parts(attention: Any) -> dict[str, Any]:
    return {
        "observe": Observe(pairs=2, attention=attention),
        "quantize": Quantize(codes=CODES, code_width=16),
        "weights": Weights(align=0.3),
    }


ARMS = {
    "softmax": Arm("softmax", parts=parts("softmax")),
    "differential": Arm("differential", parts=parts("differential")),
    "shuffled": Arm("softmax, labels of other pictures", parts=parts("softmax")),
}


class Shuffled(EmbeddedWords):
    """Training labels, with their boxes, go to other pictures."""

    def drawn(self, split: str) -> dict[str, np.ndarray]:
        drawn = super().drawn(split)
        if split != "train":
            return drawn
        order = np.random.default_rng(0).permutation(len(drawn["images"]))
        return {**drawn, "images": drawn["images"][order]}


def run(name: str, seed: int, smoke: bool) -> dict[str, Any]:
    sizes: dict[str, Any] = {"train": 64, "val": 16, "test": 32} if smoke else {}
    kind = Shuffled if name == "shuffled" else EmbeddedWords
    data = kind(8 if smoke else BATCH, seed=seed, **sizes)
    task = ARMS[name].task()
    trained = fit(task, data, 2 if smoke else STEPS, seed, None)
    assert isinstance(task.model, Otsnet)
    return {"cpu_seconds": trained.cpu_seconds, **marks(task.model, data)}


@torch.no_grad()
def marks(model: Otsnet, data: EmbeddedWords) -> dict[str, float]:
    """Of the test pictures; shares of one."""
    batches = [*data.test_dataloader()]
    images, tokens_BL, boxes_BT4, ids = (torch.cat([batch[name] for batch in batches]) for name in ("images", "tokens", "boxes", "id"))
    lexicon_B = torch.tensor([data.set_of(number) == "lexicon" for number in ids.tolist()])
    found: dict[str, float] = {}
    for k in ROUNDS:
        right_B = (model.read(images, k).tokens == tokens_BL).all(1).float()
        found |= {f"lexicon_{k}": right_B[lexicon_B].mean().item(), f"random_{k}": right_B[~lexicon_B].mean().item()}
    output = model(images)
    letters_BL = up_to_end(tokens_BL) & (tokens_BL != END)
    for part, logits in (("place", output.position_logits), ("glyph", output.semantic_logits)):
        found[f"{part}_letters"] = (logits.argmax(-1) == tokens_BL)[letters_BL].float().mean().item()
    inside_BTN = in_boxes(boxes_BT4, model.observer.cells)
    found["in_box"] = (output.attention[:, :-1] * inside_BTN).sum(-1)[letters_BL[:, :-1]].mean().item()
    valid_BL, first_BL = up_to_end(tokens_BL), output.hypothesis
    found["judge_own"] = auc(output.verify[valid_BL], (first_BL == tokens_BL)[valid_BL]).item()
    book = model.quantizer.book
    assert book is not None
    of_codes = health(
        joint_counts(output.codes[..., 0][valid_BL], tokens_BL[valid_BL], book.rows.shape[1], output.position_logits.shape[2])
    )
    return found | _spelling(model, images, tokens_BL) | {name: value.item() for name, value in of_codes._asdict().items()}


def _spelling(model: Otsnet, images: Tensor, tokens_BL: Tensor) -> dict[str, float]:
    """One wrong letter put into the truth: is it put right, and was its place alone read right? And the judge on spoilt words."""
    generator = Generator().manual_seed(0)
    size_B = (up_to_end(tokens_BL).sum(1) - 1).unsqueeze(1)
    at_B1 = (torch.rand(size_B.shape, generator=generator) * size_B).long()
    true_B1 = tokens_BL.gather(1, at_B1)
    other_B1 = torch.randint(1, model.characters, true_B1.shape, generator=generator)
    wrong_B1 = other_B1 + (other_B1 >= true_B1).long()  # any letter but the true one
    _, p_BLK = model.judge(images, tokens_BL.scatter(1, at_B1, wrong_B1))
    position_BLK = model(images).position_logits
    rate_B = torch.full((len(tokens_BL),), SPOILT)
    spoilt_BL, right_BL = corrupt(tokens_BL, rate_B, generator, model.alike_VJ, model.characters, shift_rate=0.0)
    judged_BL, _ = model.judge(images, spoilt_BL)
    valid_BL = up_to_end(tokens_BL)
    return {
        "restored": (p_BLK.argmax(-1).gather(1, at_B1) == true_B1).float().mean().item(),
        "place_alone": (position_BLK.argmax(-1).gather(1, at_B1) == true_B1).float().mean().item(),
        "judge_spoilt": auc(judged_BL[valid_BL], right_BL[valid_BL]).item(),
    }


def summary(title: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"row": title}
    for name in runs[0]:
        if name not in ("recipe", "cpu_seconds"):
            found |= spread(name, [run[name] for run in runs])
    return found | {"seeds": len(runs), "cpu_seconds": round(sum(run["cpu_seconds"] for run in runs) / len(runs))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=ARMS, default=[*ARMS], metavar="ROW", help=f"{', '.join(ARMS)}; the table needs all")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/otsnet_embedded"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/otsnet_embedded.json"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows = None if options.smoke else options.rows
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for seed in options.seeds[: 1 if options.smoke else None]:
        for name in options.only:
            if name == "shuffled" and seed != options.seeds[0]:
                continue
            recipe = {**ARMS[name].recipe(), "row": name, "seed": seed, "steps": STEPS, "batch": BATCH, "optim": vars(OPTIM), "clip": CLIP}
            runs[name].append(kept(rows, f"{name}-{seed}", recipe, partial(run, name, seed, options.smoke)))
            shown = {key: round(value, 3) for key, value in runs[name][-1].items() if key != "recipe"}
            print(name, seed, shown, flush=True)
    if options.smoke or len(options.only) < len(ARMS):
        return
    found = [summary(ARMS[name].title, runs[name]) for name in options.only]
    for row in found:
        print(row)
    write(options.out, "otsnet_embedded", found)


if __name__ == "__main__":
    main()
