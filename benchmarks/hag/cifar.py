"""Do gates regularise? Little of CIFAR-10 from scratch: gates, routings and their controls against the plain network, at equal steps.

    OMP_NUM_THREADS=1 python -m benchmarks.hag.cifar --data cifar10_subset [--sizes 1000 2500] [--seeds 0 1 2] [--share 0/2] [--smoke]

Arms, all with the same pictures, steps, batches of 32, augmentation and optimiser: no gates; gates frozen where they begin (mere
damping); joint with a price; the paper's routing (no price); the same with a price; gates that learn from 15 % of the pictures that the
weights never see, with a price; no gates, the epoch chosen on those 15 %. ResNet-18 of a quarter of its width, gates after each stage;
ViT-T in patches of 8 behind convolutions, gates on both branches of each block: plain, and the gated arm that the ResNets' validation
chose at this size. 2,000 further pictures of the training file are validation; the test is looked at once a run and chooses nothing.
HOG with colour and an SVM, its C chosen on validation, is measured at each size and on all that validation leaves.
Gaps to plain are of the same seeds and pictures: `ci95` over the seeds, `boot95` a bootstrap of the test pictures over their mean.
A run is kept under --rows as soon as it is there; --share i/k makes every k-th row alone, for k processes at once: first the ResNets,
and, called again when these are there, the ViTs. The last call without it writes the table. `chosen`: the
gated arm that the ResNets' validation likes best; its gap and interval stand in its row. --device, --width and --vit-arms make other rows,
for a GPU. --smoke takes two steps and writes nothing.

Training is in bfloat16 and channels last, half the seconds of a ResNet; answers are in float32.
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from apps.base.optim import constant_with_warmup, cosine_with_warmup
from benchmarks.dcal.classical import colour, hog
from benchmarks.record import write
from benchmarks.rows import interval_cell, kept, spread, there
from core_attention.gates import Routing, gate_report, wrap
from core_attention.trunks import build_trunk

BATCH, SHIFT, DECAY, CLIP, LR_G, PRICE, WARMUP = 32, 4, 0.05, 1.0, 0.05, 0.7, 0.05  # the price: 15 % of ln 10, for gates half open
HELD_OUT, VALIDATION, ORDER_SEED = 0.15, 2000, 2407
STEPS = {1000: 1000, 2500: 1500}
NETWORKS: dict[str, tuple[str, dict[str, Any], str, float]] = {  # trunk, its options, where its gates are, its rate
    "resnet": ("resnet18", {"width": 0.25, "stem": 1}, "stage", 1e-3),
    "vit": ("vit_tiny", {"image": 32, "patch": 8, "stem": "conv", "init_std": None}, "branch", 5e-4),
}


@dataclass(frozen=True)
class Arm:
    title: str
    mode: str | None = None  # None: no gates
    gate_data: str = "same"
    lam: float = 0.0
    stop: bool = False

    @property
    def chosen(self) -> bool:
        """May be chosen for the ViT: gates that learn."""
        return self.mode not in (None, "frozen_gates")


ARMS = {
    "plain": Arm("no gates"),
    "damping": Arm("gates frozen where they begin", "frozen_gates"),
    "joint": Arm("joint, price", "joint", lam=PRICE),
    "gr": Arm("GR, same batch", "gr"),
    "gr-price": Arm("GR, same batch, price", "gr", lam=PRICE),
    "gr-val": Arm("GR, gates on held-out pictures, price", "gr", "val", lam=PRICE),
    "stop": Arm("no gates, epoch chosen on those pictures", stop=True),
}


@cache
def pictures(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 N,32,32,3 and labels N) of a part of the subset."""
    with np.load(folder / f"{part}.npz", allow_pickle=False) as arrays:
        jpeg, offsets, labels = arrays["jpeg"], arrays["offsets"], arrays["labels"]
    decoded = [cv2.imdecode(jpeg[a:b], cv2.IMREAD_COLOR_RGB) for a, b in pairwise(offsets)]
    return np.stack([picture for picture in decoded if picture is not None]), labels.astype(np.int64)


def splits(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(places to learn from, in an order drawn once; places of validation) in the training file."""
    order = np.random.default_rng(ORDER_SEED).permutation(len(pictures(folder, "train")[1]))
    return order[VALIDATION:], order[:VALIDATION]


def tensors(folder: Path, part: str, places: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
    x, y = pictures(folder, part)
    x, y = (x, y) if places is None else (x[places], y[places])
    return (torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25, torch.from_numpy(y)


def augmented(x_BCHW: Tensor, draw: torch.Generator) -> Tensor:
    """Mirrored or not, and shifted by up to 4 pixels."""
    count, _, height, width = x_BCHW.shape
    x_BCHW = torch.where(torch.rand(count, 1, 1, 1, generator=draw) < 0.5, x_BCHW.flip(3), x_BCHW)
    around = pad(x_BCHW, (SHIFT,) * 4)
    down, right = torch.randint(0, 2 * SHIFT + 1, (2, count), generator=draw).tolist()
    return torch.stack([around[i, :, down[i] : down[i] + height, right[i] : right[i] + width] for i in range(count)])


class Batches:
    """Endless, an epoch after the other, each picture once an epoch."""

    def __init__(self, data: tuple[Tensor, Tensor], seed: int, device: str = "cpu") -> None:
        self.data, self.draw, self.left = data, torch.Generator().manual_seed(seed), torch.empty(0, dtype=torch.long)
        self.device = device

    def take(self) -> tuple[Tensor, Tensor]:
        x, y = self.data
        size = min(BATCH, len(y))
        if len(self.left) < size:
            self.left = torch.randperm(len(y), generator=self.draw)
        chosen, self.left = self.left[:size], self.left[size:]
        return augmented(x[chosen], self.draw).to(self.device), y[chosen].to(self.device)


def right(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
    """Whether each picture is named right."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        answers = [(model(x.to(device)).argmax(1) == y.to(device)).cpu() for x, y in zip(*(part.split(250) for part in data), strict=True)]
    model.train(training)
    return torch.cat(answers)


@dataclass(frozen=True)
class Machine:
    """Where and how large: another one than the default makes rows of their own."""

    device: str = "cpu"
    width: float = 0.25  # of the ResNet

    def told(self) -> dict[str, Any]:
        usual = asdict(Machine())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


def train(network: str, arm: Arm, size: int, seed: int, steps: int, folder: Path, machine: Machine = Machine()) -> dict[str, Any]:
    learn, validation = splits(folder)
    held = round(size * HELD_OUT)
    apart = arm.stop or arm.gate_data == "val"
    own = learn[held:size] if apart else learn[:size]
    device = machine.device
    batches = Batches(tensors(folder, "train", own), seed, device)
    others = Batches(tensors(folder, "train", learn[:held]), seed + 1, device)
    name, options, site, rate = NETWORKS[network]
    trunk = build_trunk(name, seed=seed, **(options | ({"width": machine.width} if network == "resnet" else {})))
    torch.manual_seed(seed)
    model = nn.Sequential(trunk, nn.Linear(trunk.dim, 10)).to(device)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    gates = None
    if arm.mode is not None:
        gates = wrap(model, site, init="xavier", generator=torch.Generator().manual_seed(seed))
    start = time.process_time()
    routing = Routing(gates, arm.mode, arm.gate_data, lam=arm.lam) if gates and arm.mode else None
    best = _fit(model, routing, arm, batches, others, rate, steps)
    seconds = time.process_time() - start
    tested = right(model, tensors(folder, "test"))
    rows = gate_report(gates) if gates else []
    channels = sum(row.channels for row in rows)
    return {
        "validation": float(right(model, tensors(folder, "train", validation)).double().mean()),
        "top1": float(tested.double().mean()),
        "right": np.packbits(tested.numpy()).tobytes().hex(),
        "tested": len(tested),
        "step": best,
        "cpu_seconds": seconds,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "mean_gate": sum(row.mean * row.channels for row in rows) / channels if rows else None,
        "closed": sum(row.closed * row.channels for row in rows) / channels if rows else None,
    }


def _fit(model: nn.Module, routing: Routing | None, arm: Arm, batches: Batches, others: Batches, rate: float, steps: int) -> int:
    """Train in place; the step whose weights are kept."""
    plain = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "lr": rate, "weight_decay": DECAY},
        {"params": [p for p in model.parameters() if p.ndim < 2], "lr": rate, "weight_decay": 0.0},
    ]
    weights, of_gates = (torch.optim.AdamW(plain), None) if routing is None else routing.optimizers(rate, LR_G, DECAY)
    peaks = [(group, group["lr"], group.get("name") == "gates") for opt in (weights, of_gates) if opt for group in opt.param_groups]
    epoch = max(1, len(batches.data[1]) // BATCH)
    best: tuple[float, int, dict[str, Tensor]] | None = None

    def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        with torch.autocast(x.device.type, torch.bfloat16):
            logits = model(x.contiguous(memory_format=torch.channels_last))
        return cross_entropy(logits.float(), y)

    model.train()
    for step in range(steps):
        for group, peak, is_gates in peaks:
            group["lr"] = peak * (constant_with_warmup(step, steps, WARMUP) if is_gates else cosine_with_warmup(step, steps, WARMUP, 0.0))
        if routing is None:
            assert weights is not None
            weights.zero_grad()
            loss(batches.take()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            weights.step()
        else:
            extra = [others.take()] if arm.gate_data == "val" else []
            clips = {"clip_w": CLIP, "clip_g": CLIP}
            routing.step(loss, batches.take(), weights=weights, gates=of_gates, gate_batches=extra, **clips)
        if arm.stop and ((step + 1) % epoch == 0 or step + 1 == steps):
            score = float(right(model, others.data).double().mean())
            if best is None or score >= best[0]:  # of equals the one that was trained longer
                best = score, step + 1, {key: value.clone() for key, value in model.state_dict().items()}
    if best is None:
        return steps
    model.load_state_dict(best[2])
    return best[1]


def svm(size: int, folder: Path, step: int) -> dict[str, Any]:
    """HOG of cells of 8 and 4 pixels with colour; the C and the kernel that validation likes best."""
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    learn, validation = splits(folder)
    start = time.process_time()

    def features(part: str, places: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        x, y = pictures(folder, part)
        x, y = (x, y) if places is None else (x[places], y[places])
        return np.stack([np.concatenate([hog(picture, 8), hog(picture, 4), colour(picture, (2, 2))]) for picture in x[::step]]), y[::step]

    (x, y), (x_val, y_val), (x_test, y_test) = features("train", learn[:size]), features("train", validation), features("test")
    scale = StandardScaler().fit(x)
    found: list[tuple[float, Any]] = []
    for kernel, c in (("linear", 0.001), ("linear", 0.01), ("rbf", 1.0), ("rbf", 3.0), ("rbf", 10.0)):
        model = SVC(kernel=kernel, C=c).fit(scale.transform(x), y)
        found.append((float((model.predict(scale.transform(x_val)) == y_val).mean()), (kernel, c, model)))
    score, (kernel, c, model) = max(found, key=lambda entry: entry[0])
    tested = model.predict(scale.transform(x_test)) == y_test
    return {
        "validation": score, "top1": float(tested.mean()), "tested": len(tested), "kernel": kernel, "C": c,
        "right": np.packbits(tested).tobytes().hex(), "cpu_seconds": time.process_time() - start,
    }  # fmt: skip


def gap_interval(runs: list[dict[str, Any]], plain: list[dict[str, Any]], draws: int = 2000) -> str:
    """95 % of the gap to plain over draws of test pictures, its mean over the seeds."""

    def answers(each: list[dict[str, Any]]) -> np.ndarray:
        packed = [np.frombuffer(bytes.fromhex(run["right"]), np.uint8) for run in each]
        return np.stack([np.unpackbits(bits)[: run["tested"]] for bits, run in zip(packed, each, strict=True)]).astype(float)

    gap_N = (answers(runs) - answers(plain)).mean(0)
    chosen = np.random.default_rng(0).integers(0, len(gap_N), (draws, len(gap_N)))
    low, high = np.quantile(gap_N[chosen].mean(1), (0.025, 0.975))
    return f"{low:+.4f} to {high:+.4f}"


def summary(size: int, network: str, key: str, runs: list[dict[str, Any]], plain: list[dict[str, Any]] | None) -> dict[str, Any]:
    gaps = [run["top1"] - other["top1"] for run, other in zip(runs, plain, strict=True)] if plain else []

    def mean(name: str, digits: int = 3) -> Any:
        known = [run[name] for run in runs if run.get(name) is not None]
        return round(statistics.mean(known), digits) if known else "-"

    return {
        "pictures": size,
        "network": network,
        "row": ARMS[key].title if key in ARMS else "HOG, colour, SVM",
        **spread("top1", [run["top1"] for run in runs]),
        "over_plain": f"{statistics.mean(gaps):+.4f}" if gaps else "-",
        "over_plain_ci95": interval_cell(gaps) if gaps else "-",
        "over_plain_boot95": gap_interval(runs, plain) if plain else "-",
        "validation": mean("validation", 4),
        "step": mean("step", 0),
        "mean_gate": mean("mean_gate"),
        "closed": mean("closed"),
        "seeds": len(runs),
        "tested": runs[0]["tested"],
        "cpu_seconds": mean("cpu_seconds", 1),
    }


def recipe_of(network: str, arm: Arm, size: int, seed: int, steps: int, machine: Machine = Machine()) -> dict[str, Any]:
    numbers = [BATCH, SHIFT, DECAY, CLIP, LR_G, WARMUP, HELD_OUT, VALIDATION, ORDER_SEED]
    return {
        "network": NETWORKS[network],
        "arm": asdict(arm),
        "size": size,
        "seed": seed,
        "steps": steps,
        "numbers": numbers,
        "precision": "bfloat16, channels last",
        **machine.told(),
    }


def chosen_arm(folder: Path | None, size: int, seeds: list[int], steps: int, machine: Machine) -> str | None:
    """The gated arm that validation likes best, once every ResNet of this size is there."""
    scores: dict[str, float] = {}
    for key, arm in ARMS.items():
        if not arm.chosen:
            continue
        for seed in seeds:
            recipe = recipe_of("resnet", arm, size, seed, steps, machine)
            found = None if folder is None else there(folder, f"{size}-resnet-{key}-{seed}", recipe)
            if found is None:
                return None
            scores[key] = scores.get(key, 0.0) + found["validation"]
    return max(scores, key=lambda key: scores[key])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.npz and test.npz")
    parser.add_argument("--sizes", type=int, nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=[*ARMS, "svm", "vit"], metavar="ROW", help=f"{', '.join(ARMS)}, svm, vit")
    parser.add_argument("--vit-arms", nargs="+", choices=list(ARMS), metavar="ARM", help="of the ViT, instead of the one that was chosen")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda: rows of their own, give them --rows and --out of their own")
    parser.add_argument("--width", type=float, default=Machine.width, help="of the ResNet; another one makes rows of their own")
    parser.add_argument("--share", default="0/1", metavar="I/K", help="every K-th row from the I-th on")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/hag_cifar"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/hag_cifar.json"))
    options = parser.parse_args()
    if not (options.data / "train.npz").exists():
        parser.error(f"{options.data}/train.npz is not there; a subset of CIFAR-10 as JPEG bytes, see benchmarks/README.md")
    machine = Machine(options.device, options.width)
    usual = options.rows == parser.get_default("rows") or options.out == parser.get_default("out")
    if (machine.told() or options.vit_arms) and usual and not options.smoke:
        parser.error("another device, width or arm of the ViT than the table's: give --rows and --out, so that both tables stay")
    turn, shares = map(int, options.share.split("/"))
    only = options.only or [*ARMS, "svm", "vit"]
    work = Work(options.data, None if options.smoke else options.rows, turn, shares, options.smoke, machine)
    seeds = options.seeds[: 1 if options.smoke else None]
    found: list[dict[str, Any]] = []
    for size in options.sizes:
        runs = {key: [work.row("resnet", key, size, seed) for seed in seeds] for key in ARMS if key in only}
        best = None if options.smoke else chosen_arm(options.rows, size, seeds, STEPS[size], machine)
        found += work.table(size, f"ResNet-18, width {machine.width:g}" if machine.width != 0.25 else "ResNet-18, width 1/4", runs, best)
        if "svm" in only:
            found += work.table(size, "", {"svm": [work.svm(size)]})
        if "vit" in only:
            arms = options.vit_arms or (["joint"] if options.smoke else [best] if best else [])
            if not arms:
                print(f"{size}: the ViT waits for all ResNets of the gated arms", flush=True)
                continue
            runs = {key: [work.row("vit", key, size, seed) for seed in seeds] for key in dict.fromkeys(("plain", *arms))}
            found += work.table(size, "ViT-T, patches of 8", runs)
    if "svm" in only:
        found += work.table(8000, "", {"svm": [work.svm(8000)]})
    whole = options.only is None and shares == 1 and not options.smoke and work.complete
    for row in found if whole else ():
        print(row)
    if whole and options.sizes == list(STEPS):
        write(options.out, "hag_cifar", found)


class Work:
    """The rows, each made or found; of a share every k-th is made and the others are found or left."""

    def __init__(self, data: Path, folder: Path | None, turn: int, shares: int, smoke: bool, machine: Machine) -> None:
        self.data, self.folder, self.turn, self.shares, self.smoke, self.machine = data, folder, turn, shares, smoke, machine
        self.number = -1
        self.complete = True

    def _kept(self, name: str, recipe: dict[str, Any], make: Any) -> dict[str, Any] | None:
        self.number += 1
        if self.number % self.shares != self.turn and self.folder is not None:
            row = there(self.folder, name, recipe)
            self.complete = self.complete and row is not None
            return row
        row = kept(self.folder, name, recipe, make)
        print(name, json.dumps({key: round(row[key], 4) for key in ("validation", "top1", "cpu_seconds")}), flush=True)
        return row

    def row(self, network: str, key: str, size: int, seed: int) -> dict[str, Any] | None:
        steps = STEPS[size]
        make = partial(train, network, ARMS[key], size, seed, 2 if self.smoke else steps, self.data, self.machine)
        return self._kept(f"{size}-{network}-{key}-{seed}", recipe_of(network, ARMS[key], size, seed, steps, self.machine), make)

    def svm(self, size: int) -> dict[str, Any] | None:
        return self._kept(f"{size}-svm", {"size": size, "order": ORDER_SEED}, partial(svm, size, self.data, 20 if self.smoke else 1))

    def table(self, size: int, network: str, runs: dict[str, list[dict[str, Any] | None]], best: str | None = None) -> list[dict[str, Any]]:
        """best: the gated arm that validation chose."""
        if any(run is None for each in runs.values() for run in each):
            return []
        plain: Any = runs.get("plain")
        whole: Any = runs
        return [
            summary(size, network, key, each, None if key == "plain" else plain) | {"chosen": "yes" if key == best else ""}
            for key, each in whole.items()
        ]


if __name__ == "__main__":
    main()
