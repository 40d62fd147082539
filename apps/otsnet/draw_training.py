"""The first pictures that training shows, as the reader gets them, made or augmented, with their labels and boxes."""

import io
from typing import Any

import numpy as np

from apps.base.tracking.run import Run
from datamodules.order import Order
from datamodules.otsnet.dataset import shown_columns
from datamodules.otsnet.generator.contact_sheet import sheet_of
from datamodules.otsnet.generator.generator import Drawn
from datamodules.otsnet.word_data import WordData

__all__ = ["show_training", "training_sheet"]

PICTURES, NAME = 100, "training"


def show_training(run: Run | None, data: Any) -> None:
    """Once a run. A child of several seeds keeps no figures."""
    if run is not None and run.kind != "seed" and not (run.figures / f"{NAME}.png").exists():
        run.figure(NAME, training_sheet(data, data.train_dataloader().batch_sampler))


def training_sheet(data: WordData, order: Order) -> bytes:
    """PNG. order: of the training, of whose first epoch they are."""
    count = min(PICTURES, order.size)
    rows = [data.train_set[0, int(index)] for index in order.epoch_order(0)[:count]]  # pyright: ignore[reportOptionalSubscript]
    sheet, file = sheet_of([_drawn(data, row) for row in rows], boxes=True), io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _drawn(data: WordData, row: dict[str, Any]) -> Drawn:
    shown = data.preprocess
    wide = shown_columns(row["images"])
    image = (row["images"][..., :wide] * shown.std + shown.mean).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    boxes_T4 = row["boxes"].numpy() / np.array([wide / row["images"].shape[2], 1, wide / row["images"].shape[2], 1], np.float32)
    return Drawn(image, data.charset.decode(row["tokens"]), boxes_T4[np.isfinite(boxes_T4).all(1)])
