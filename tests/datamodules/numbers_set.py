"""A data set of numbers, in a module that workers can import without Lightning."""

import torch
from torch.utils.data import Dataset

from datamodules.order import sample_rng


class Numbers(Dataset):
    def __init__(self, size, seed=0):
        self.size, self.seed = size, seed

    def __len__(self):
        return self.size

    def __getitem__(self, key):
        turn, index = key if isinstance(key, tuple) else (0, key)
        return {"index": index, "turn": turn, "x": torch.tensor([sample_rng(self.seed, turn, index).random()], dtype=torch.float32)}
