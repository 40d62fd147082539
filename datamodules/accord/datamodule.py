"""Generated problems with labels, as batches of one kind and one size."""

import hashlib
import json
from typing import Any, Literal

from datamodules.accord import synth
from datamodules.accord.buckets import Bucket, buckets_of, make, size_of, sizes_between
from datamodules.accord.dataset import EvaluationProblems, FreshProblems, KeptProblems, Labelled, collate, label
from datamodules.accord.instances import KINDS
from datamodules.accord.problem_order import ProblemEvalOrder, ProblemOrder
from datamodules.base import MADE, BaseData, Loader
from datamodules.errors import DataError

__all__ = ["Problems"]

SPLITS = ("train", "val", "test")


class Problems(BaseData):
    """Generated problems of the six kinds (ACCORD brief 5.3 and 5.6). The embedded set: smoke sizes, every label exact.

    Args:
        batch_size: Of the global batch, over all processes; all of one kind and one size.
        workers: Processes that label and load; 0 does it in the training process. Changes no result.
        seed: Of the order and of augmentation.
        kinds: Which of tsp, cvrp, knapsack, binpack, pfsp, jssp, in turn.
        scale: The sizes of section 3.5: smoke, tiny or small.
        sizes: Other sizes by kind: nodes, customers or items, such as 20; jobs and machines, such as 10x5.
        smallest: Training begins with sizes from this share of the full one up.
        curriculum: The share of the training in which sizes vary; then only the full one comes. Validation and test are of the full one.
        train: Training problems of each kind, in an epoch.
        val: Problems of each kind to validate on.
        test: Problems of each kind to test on.
        fresh: New training problems in every epoch, labelled as they are made. Else one set, labelled once.
        augment: Each problem is seen otherwise whenever it comes: turned, renamed, reversed, scaled.
        method: How labels are found: auto (section 3.1), or the name of a method that every kind asked for has.
        cache: Folder to keep labels of kept problems in; null keeps none.
        made_seed: Which problems are made.
    """

    licence = MADE
    collate = staticmethod(collate)
    preload = ("datamodules.accord.dataset",)

    def __init__(
        self,
        batch_size: int = 64,
        workers: int = 0,
        seed: int = 0,
        kinds: tuple[Literal["tsp", "cvrp", "knapsack", "binpack", "pfsp", "jssp"], ...] = tuple(KINDS),  # type: ignore[assignment]
        scale: Literal["smoke", "tiny", "small"] = "smoke",
        sizes: dict[str, str] | None = None,
        smallest: float = 0.5,
        curriculum: float = 0.6,
        train: int = 2048,
        val: int = 128,
        test: int = 128,
        fresh: bool = False,
        augment: bool = True,
        method: str = "auto",
        cache: str | None = None,
        made_seed: int = 0,
    ):
        super().__init__(batch_size, workers, seed)
        self.kinds = tuple(kind for kind in KINDS if kind in kinds)
        if not kinds or len(self.kinds) != len(kinds):
            raise DataError(f"kinds={list(kinds)}: one or more of {', '.join(KINDS)}, each once")
        if unknown := sorted(set(sizes or {}) - set(self.kinds)):
            raise DataError(f"sizes.{unknown[0]}: the kinds here are {', '.join(self.kinds)}")
        for name, share in (("smallest", smallest), ("curriculum", curriculum)):
            if not 0 <= share <= 1:
                raise DataError(f"{name}={share}: a share lies in 0 to 1")
        if min(train, val, test) < 1 or train < batch_size:
            raise DataError(f"train={train}, val={val}, test={test}: at least 1 of each kind, and a batch of {batch_size} to train on")
        if fresh and cache is not None:
            raise DataError("cache keeps labels of kept problems, and fresh=true keeps none; leave it out")
        self.scale, self.curriculum, self.smallest = scale, curriculum, smallest
        given = {kind: size_of(kind, str(text)) for kind, text in (sizes or {}).items()}
        self.sizes = {kind: given.get(kind, synth.SIZES[scale][kind]) for kind in self.kinds}
        self.counts = {"train": train, "val": val, "test": test}
        self.fresh, self.augment, self.method, self.cache, self.made_seed = fresh, augment, method, cache, made_seed

    def buckets(self, split: str) -> list[Bucket]:
        """Of all kinds; a kind's together, its full size last."""
        if split != "train":
            return [Bucket(kind, self.sizes[kind], self.counts[split]) for kind in self.kinds]
        share, found = self.curriculum, []
        for kind in self.kinds:
            sizes = sizes_between(self.sizes[kind], self.smallest) if share else [self.sizes[kind]]
            found += buckets_of(kind, sizes, self.counts["train"], share)
        return found

    def setup(self, stage: str | None = None) -> None:
        if self.val_set is None and stage in (None, "fit", "validate"):
            self.val_set = EvaluationProblems(self._kept("val"))
        if self.test_set is None and stage in (None, "test"):
            self.test_set = EvaluationProblems(self._kept("test"))
        if self.train_set is None and stage in (None, "fit"):
            if self.fresh:
                count = len(self.kinds) * self.counts["train"]
                self.train_set = FreshProblems(self.buckets("train"), self.seed, self.augment, self._seed_of("train"), self.method, count)
            else:
                self.train_set = KeptProblems(self._kept("train"), self.seed, self.augment)

    def _kept(self, split: str) -> list[list[Labelled]]:
        """By bucket. Which problems a kind has does not depend on the other kinds."""
        buckets, number, made = [], 0, dict.fromkeys(self.kinds, 0)
        for bucket in self.buckets(split):
            problems = make(bucket, self._seed_of(split), made[bucket.kind], bucket.count)
            rows = label(problems, self.method, self.cache, self.workers)
            buckets.append([row._replace(number=number + place) for place, row in enumerate(rows)])
            number += len(rows)
            made[bucket.kind] += len(rows)
        return buckets

    def _seed_of(self, split: str) -> int:
        return len(SPLITS) * self.made_seed + SPLITS.index(split)

    def rows(self, split: Literal["val", "test"]) -> list[Labelled]:
        """The problems that are evaluated, by `number`."""
        found = self.val_set if split == "val" else self.test_set
        assert isinstance(found, EvaluationProblems)
        return found.rows

    # --- loaders -----------------------------------------------------------------------------------------------------

    def train_dataloader(self) -> Loader:
        rank, world = self._place()
        each = self.counts["train"] // self.batch_size
        order = ProblemOrder(
            self.buckets("train"),
            each,
            self.batch_size,
            self.seed,
            in_all=self._in_all(each * len(self.kinds)),
            curriculum=self.curriculum,
            fresh=self.fresh,
            rank=rank,
            world=world,
        )
        return self._loader(self.train_set, order)

    def _evaluation(self, dataset: Any, split: str) -> Loader:
        self._size(dataset, split)
        rank, world = self._place()
        return self._loader(dataset, ProblemEvalOrder(self.buckets(split), self.batch_size, rank=rank, world=world))

    def _in_all(self, batches: int) -> int | None:
        """Batches of the whole training, where it has an end counted in steps or epochs."""
        trainer = self.trainer
        if trainer is None:
            return None
        limit = trainer.limit_train_batches
        batches = int(batches * limit) if isinstance(limit, float) else min(batches, limit)
        ends = [] if trainer.max_epochs in (None, -1) else [batches * trainer.max_epochs]
        ends += [] if trainer.max_steps == -1 else [trainer.max_steps * trainer.accumulate_grad_batches]
        return min(ends) if ends else None

    # --- what the data says of itself ----------------------------------------------------------------------------------

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": f"{self.scale} problems",
            "source": "made by datamodules.accord.synth",
            "parameters": self.parameters(),
            "counts": {split: dict.fromkeys(self.kinds, self.counts[split]) for split in SPLITS},
            "fingerprint": hashlib.sha256(json.dumps(self.parameters(), sort_keys=True).encode()).hexdigest()[:16],
        }

    def parameters(self) -> dict[str, Any]:
        """All that the problems and their labels follow from."""
        return {
            "sizes": {kind: self.sizes[kind] for kind in self.kinds},
            "smallest": self.smallest,
            "curriculum": self.curriculum,
            "fresh": self.fresh,
            "method": self.method,
            "made_seed": self.made_seed,
            "version": synth.VERSION,
        }

    def examples(self, n: int) -> list[Any]:
        """Test problems, of all kinds in turn."""
        rows, kinds = self.rows("test"), len(self.kinds)
        return [rows[i % kinds * self.counts["test"] + i // kinds].instance for i in range(min(n, len(rows)))]
