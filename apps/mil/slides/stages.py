"""One slide through its stages: tissue, tiles, features. What is done already is left alone; what fails is this slide's state only."""

import errno
import glob
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.base.errors import UserError
from apps.mil.slides.job import EncoderChoice, Job
from apps.mil.slides.quality import looks
from datamodules.mil.slides import clam, native, trident
from datamodules.mil.slides.annotations import find_annotation, read_annotations, tile_truth
from datamodules.mil.slides.contours import read_geojson, write_geojson
from datamodules.mil.slides.discover import SlideRow
from datamodules.mil.slides.features import SlideFeatures, checked
from datamodules.mil.slides.mpp import Resolution, find_mpp
from datamodules.mil.slides.problems import NoTissueError
from datamodules.mil.slides.slide import Slide, open_slide
from datamodules.mil.slides.state import STAGES, Lock, State, digest, fingerprint
from datamodules.mil.slides.thumbnails import draw_regions, draw_tiles, encode_jpeg, thumbnail
from datamodules.mil.slides.tiles import TileReader
from datamodules.mil.slides.tiling import MASK_MPP, TileGrid, plan_tiles
from datamodules.mil.slides.tissue import segment
from datamodules.whole import sha256, write_bytes

__all__ = ["Done", "work"]

FULL = (errno.ENOSPC, errno.EDQUOT)


class Done(NamedTuple):
    """How a slide ended: done, skipped, failed, or locked by another process; `fresh` stages were computed now."""

    slide: str
    status: str
    reason: str | None
    fresh: tuple[str, ...]


class Result(NamedTuple):
    outputs: list[Path]
    facts: dict[str, Any]
    skipped: str | None = None  # why there is nothing to do


def work(job: Job, row: SlideRow) -> Done:
    """All stages of one slide up to `job.until`."""
    name = row.slide_id
    lock = Lock(job.lock(name))
    if not lock.take():
        return Done(name, "locked", f"another process works on it; if it is gone, delete {lock.path}", ())
    try:
        return _Worker(job, row).run()
    finally:
        lock.release()


class _Worker:
    def __init__(self, job: Job, row: SlideRow) -> None:
        self.job, self.name, self.path = job, row.slide_id, Path(row.path)
        self.row = row
        self.slide: Slide | None = None
        self.fresh: list[str] = []
        self.state = State(job.state(self.name), {"id": self.name, "path": row.path})

    def run(self) -> Done:
        self._sweep()
        try:
            for stage in STAGES[: STAGES.index(self.job.until) + 1]:
                self._stage(stage)
                entry = self.state.stages[stage]
                if entry["status"] != "done":
                    return Done(self.name, entry["status"], entry["reason"], tuple(self.fresh))
            return Done(self.name, "done", None, tuple(self.fresh))
        finally:
            if self.slide is not None:
                self.slide.close()

    def _sweep(self) -> None:
        """Drafts of a process that was killed while it wrote: nobody else writes while we hold the lock."""
        if not any(entry.get("status") == "running" for entry in self.state.stages.values()):
            return
        for ending in (".jpg", ".geojson", ".safetensors", ".json", ".h5", "_patches.h5", ".pt"):
            for draft in self.job.home.rglob(f".{glob.escape(self.name)}{ending}.*"):
                shutil.rmtree(draft) if draft.is_dir() else draft.unlink(missing_ok=True)

    def _stage(self, stage: str) -> None:
        params = self.job.params(stage)
        try:
            inputs = self._inputs(stage)
        except OSError as error:  # the slide itself is gone or cannot be read
            inputs, gone = "", f"SlideUnreadable: {self.path.name}: {error.strerror or error}"
        else:
            gone = None
        by_hand = stage == "tissue" and self._drawn_by_hand()
        if by_hand and not self.job.redraw:
            self.state.stages.setdefault("tissue", {"attempts": [], "outputs": [], "params_sha256": params, "input_sha256": inputs})
            self.state.stages["tissue"] |= {"status": "done", "reason": None}
            self.state.stages["tissue"].setdefault("facts", {})["edited"] = True
            self.state.save()
            return
        if gone is None and not by_hand and self.state.complete(stage, params, inputs, self.job.retry):
            return
        self.fresh.append(stage)
        self.state.begin(stage, params, inputs)
        if gone is not None:
            self.state.end(stage, "failed", gone)
            return
        steps: dict[str, Callable[[], Result]] = {"tissue": self._tissue, "tile": self._tile, "features": self._features}
        try:
            result = steps[stage]()
        except NoTissueError as error:
            self.state.end(stage, "skipped", f"NoTissue: {error}")
        except UserError:
            raise  # about the job, not the slide
        except Exception as error:  # one slide must not stop the others, whatever its file does to the libraries
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            kind = type(error).__name__.removesuffix("Error")
            why = " ".join(str(error).split()).replace(f"{self.path.parent}{os.sep}", "")  # the report names slides, not folders
            self.state.end(stage, "failed", f"{kind}: {why}")
        else:
            self.state.end(stage, "skipped" if result.skipped else "done", result.skipped, result.outputs, result.facts)

    def _inputs(self, stage: str) -> str:
        if stage == "tissue":
            mark = fingerprint(self.path)
            self.state.slide |= mark
            return digest([mark, self._given_mpp()])
        if stage == "tile":
            annotated = None
            if self.job.annotations is not None:  # a slide on which nothing is drawn has a truth, too
                drawn = find_annotation(self.job.annotations, self.name)
                annotated = sha256(drawn) if drawn else "nothing"
            tissue = self.state.stages["tissue"]
            return digest([sha256(self.job.geojson(self.name)), tissue["input_sha256"], self._given_mpp(), annotated])
        return digest(sha256(self.job.tiles(self.name)))

    def _given_mpp(self) -> tuple[float, float] | None:
        return self.job.mpp.get(self.path.name) or self.job.mpp.get(self.name)

    def _drawn_by_hand(self) -> bool:
        """Whether the contours are a person's: there before we began, or no longer what was written."""
        path = self.job.geojson(self.name)
        if not path.is_file():
            return False
        entry = self.state.stages.get("tissue")
        if entry is None or entry.get("facts", {}).get("edited"):
            return True
        written = self.state.output("tissue", path)
        return entry["status"] in ("done", "skipped") and (written is None or written["sha256"] != sha256(path))

    def _open(self) -> tuple[Slide, Resolution]:
        if self.slide is None:
            self.slide = open_slide(self.path)
        return self.slide, find_mpp(self.slide, self.job.mpp)

    # -- the stages ----------------------------------------------------------------------------------------------------

    def _tissue(self) -> Result:
        job, (slide, mpp) = self.job, self._open()
        rgb = thumbnail(slide, max(1.0, MASK_MPP / mpp.mean), workers=job.readers)
        found = segment(rgb, slide.size, job.preset, pen=job.pen, grey=job.grey)
        pictures = {job.thumbnail(self.name): rgb, job.contours(self.name): draw_regions(rgb, found.regions, slide.size)}
        for path, picture in pictures.items():
            _write(path, encode_jpeg(picture))
        if not any(region.kind == "Tissue" for region in found.regions):
            raise NoTissueError(
                f"{self.name}: nothing looks like tissue; draw it in QuPath and save {job.geojson(self.name).name}, or try another --preset"
            )
        job.geojson(self.name).parent.mkdir(parents=True, exist_ok=True)
        write_geojson(job.geojson(self.name), found.regions)
        area = slide.size[0] * slide.size[1] * mpp.x * mpp.y / 1e6
        facts = {
            **_resolution(mpp), "tissue_share": round(found.tissue_share, 5), "tissue_mm2": round(found.tissue_share * area, 3),
            "pen_share": round(found.pen_share, 5), "threshold": found.threshold,
        }  # fmt: skip
        return Result([*pictures, job.geojson(self.name)], facts)

    def _tile(self) -> Result:
        job, (slide, mpp) = self.job, self._open()
        regions = read_geojson(job.geojson(self.name))
        grid = plan_tiles(slide, mpp, regions, job.rule)
        truth = None
        if job.annotations is not None:
            drawn = find_annotation(job.annotations, self.name)
            truth = tile_truth(grid, read_annotations(drawn) if drawn else [])
        native.write_grid(job.tiles(self.name), grid, truth)
        rgb = thumbnail(slide, max(1.0, MASK_MPP / mpp.mean), workers=job.readers)
        _write(job.contours(self.name), encode_jpeg(draw_regions(rgb, regions, slide.size)))  # they may have been edited
        _write(job.tile_picture(self.name), encode_jpeg(draw_tiles(rgb, grid)))
        outputs = [job.tiles(self.name), job.tile_picture(self.name), *self._layout_patches(slide, grid)]
        facts = {**_resolution(mpp), "tiles": len(grid), "side0": list(grid.side0), "level": grid.level, "pen_dropped": grid.pen_dropped}
        if truth is not None:
            facts["annotated_tiles"] = int((truth > 0).sum())
        if len(grid) == 0:
            return Result(outputs, facts, f"NoTiles: no tile has {job.rule.min_tissue:.0%} tissue")
        return Result(outputs, facts | looks(slide, grid))

    def _layout_patches(self, slide: Slide, grid: TileGrid) -> list[Path]:
        if self.job.layout == "clam":
            path = clam.write_patches(self.job.home, slide, grid)
            return [path] if path else []
        if self.job.layout == "trident":
            return [trident.write_patches(self._grid_folder(grid), grid, self.name)]
        return []

    def _grid_folder(self, grid: TileGrid) -> Path:
        return self.job.home / trident.grid_folder(grid.target_mpp, grid.px, grid.overlap)

    def _features(self) -> Result:
        job, choice = self.job, self.job.encoder
        if choice is None:
            raise UserError("features need an encoder: give --encoder stats, or a file")
        grid = native.read_grid(job.tiles(self.name))
        began = time.perf_counter()
        with _threads(job.threads), TileReader(self.path, grid, job.batch, job.readers) as reader:
            encoder = _encoder(choice, job.rule.px)
            features = np.concatenate([encoder.encode(tiles) for tiles in reader])
        seconds = time.perf_counter() - began
        if job.half:
            features = features.astype(np.float16)
        about = {
            **encoder.about(),
            "mpp_target": grid.target_mpp,
            "mpp_level0": list(grid.mpp),
            "tile_px": grid.px,
            "side0": list(grid.side0),
        }
        bag = checked(SlideFeatures(self.name, features, grid.coords, about), self.name)
        if job.layout == "clam":
            outputs = clam.write_features(job.home / "features", bag)
        elif job.layout == "trident":
            folder = self._grid_folder(grid)
            bag.about["coords"] = trident.grid_attributes(grid, self.name, folder)
            outputs = [trident.write_features(folder, bag)]
        else:
            outputs = [job.home / "features" / f"{self.name}.safetensors"]
            native.write_features(outputs[0], bag)
        facts = {
            "dim": encoder.dim, "encoder": encoder.name, "encoder_sha256": encoder.sha256, "bad_tiles": len(reader.bad),
            "tiles_per_second": round(len(grid) / seconds, 1),
            "transform": asdict(encoder.transform) if encoder.transform else None,
        }  # fmt: skip
        return Result(outputs, facts)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)


def _resolution(mpp: Resolution) -> dict[str, Any]:
    return {"mpp": [mpp.x, mpp.y], "mpp_source": mpp.source, "warning": mpp.warning or None}


@lru_cache(maxsize=1)  # one a process: a worker's slides share it
def _encoder(choice: EncoderChoice, px: int) -> Any:
    from apps.mil.slides.encoders import build_encoder, read_transform

    transform = read_transform(Path(choice.transform)) if choice.transform else None
    encoder = build_encoder(choice.name, px, choice.weights, transform, choice.trusted, choice.device, choice.bf16)
    if (encoder.sha256, encoder.expects) != (choice.sha256, choice.expects):
        raise UserError(
            f"the weights or the transform of encoder {choice.name} are not the same here as where the job began; use one file everywhere"
        )
    return encoder


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
