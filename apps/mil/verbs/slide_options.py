"""The options that the verbs of slides share, and the job that they describe."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from apps.base.errors import UserError
from apps.base.options import add_trust
from apps.base.shell import Parser, Shell, positive
from apps.mil.slides.job import LAYOUTS, EncoderChoice, Job
from datamodules.mil.slides.mpp import LARGEST, SMALLEST, read_mpp_csv
from datamodules.mil.slides.tiling import TileRule
from datamodules.mil.slides.tissue import PRESETS

__all__ = ["add_encoder", "add_maps", "add_places", "cores", "encoder_choice", "finest_of", "job_of", "work_parser"]

FINEST = 1.0  # um per pixel of the page: 10x


def add_places(parser: Parser, count: str) -> None:
    parser.add_argument("places", nargs=count, metavar="SLIDES", help="slides, or folders of slides; without any: those of JOB/slides.csv")
    parser.add_argument("--job", type=Path, default=Path("slides"), metavar="DIR", help="where results go (default: slides)")
    parser.add_argument("--mpp-csv", type=Path, metavar="FILE", help="um per pixel of slides that do not say it: columns slide,mpp")
    parser.add_argument(
        "--patient", metavar="PATTERN", help="what at the beginning of a slide's name is the patient; TCGA's names are known"
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="columns slide,label")


def work_parser(shell: Shell, word: str) -> Parser:
    what = {"tissue": "Outline the tissue.", "tile": "Outline the tissue and lay the tiles.", "features": "Outline, tile and encode."}
    parser = shell.parser(
        f"mil slides {word}", f"{what[word]} What is done already is left alone; bad slides are skipped with their reason."
    )
    add_places(parser, "*")
    group = parser.add_argument_group("tissue")
    group.add_argument("--preset", choices=tuple(PRESETS), default="auto", help="default: auto (ours); the others are CLAM's")
    group.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting of the preset, as sthresh=15")
    group.add_argument("--keep-pen", action="store_true", help="do not take pen strokes for glass")
    group.add_argument("--keep-grey", action="store_true", help="do not take colourless dirt for glass")
    group.add_argument("--redraw", action="store_true", help="outline again what a person has edited; the edited outlines are lost")
    if word != "tissue":
        group = parser.add_argument_group("tiles")
        group.add_argument("--mpp", type=float, help="um per pixel of a tile (default: 0.5)")
        group.add_argument("--nominal-mag", type=int, metavar="MAG", help="instead of --mpp: count by rounded magnifications, as peers do")
        group.add_argument("--px", type=positive, default=256, help="side of a tile (default: 256)")
        group.add_argument("--overlap", type=int, default=0, help="pixels (default: 0)")
        group.add_argument("--tolerance", type=float, default=0.02, help="by how much a level may be too coarse (default: 0.02)")
        group.add_argument("--min-tissue", type=float, default=0.25, help="share of a tile (default: 0.25)")
        group.add_argument("--max-pen", type=float, default=0.5, help="share of a tile (default: 0.5)")
        group.add_argument("--allow-upsample", action="store_true", help="slides coarser than --mpp are enlarged, not refused")
        group.add_argument("--annotations", type=Path, metavar="DIR", help="<slide>.xml (ASAP), .json or .geojson: the truth of tiles")
        group.add_argument("--layout", choices=LAYOUTS, default="native", help="whose files (default: native)")
    if word == "features":
        group = parser.add_argument_group("features")
        add_encoder(group)
        add_trust(group)
        group.add_argument("--half", action="store_true", help="keep float16")
        group.add_argument("--batch", type=positive, default=64)
        group.add_argument("--threads", type=positive, default=1, help="of the encoder, each slide (default: 1)")
    group = parser.add_argument_group("work")
    group.add_argument("--jobs", type=positive, help=f"slides at once (default: {cores()}, the cores)")
    group.add_argument("--readers", type=positive, default=2, help="threads that read a slide (default: 2)")
    group.add_argument("--retry-failed", action="store_true", help="try again what failed before")
    group.add_argument("--engine", choices=("local", "ray"), default="local")
    group.add_argument(
        "--ray-address", metavar="HOST:PORT", help="of a running Ray cluster that sees the same folders; default: one is started here"
    )
    return parser


def add_encoder(group: Any) -> None:
    group.add_argument("--encoder", required=True, help="stats, resnet50, vit_*, or a TorchScript, ONNX or safetensors file")
    group.add_argument("--weights", metavar="FILE", help="of resnet50 and vit_*")
    group.add_argument("--transform", metavar="FILE", help="JSON with size, mean, std (default: beside the encoder, else ImageNet's)")
    group.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the encoder (default: cpu)")
    group.add_argument("--bf16", action="store_true", help="encode in bfloat16: faster on recent CPUs and on GPUs, a little less exact")


def add_maps(group: Any) -> None:
    """Of the verbs that draw."""
    group.add_argument(
        "--class", dest="label", metavar="NAME", help="whose probability is shown (default: of two the second, else the answered)"
    )
    group.add_argument(
        "--zoom", type=_nothing_or_mpp, metavar="MPP", help=f"um per pixel of zoom.html at its finest, or none (default: {FINEST:g})"
    )
    add_trust(group)


def _nothing_or_mpp(text: str) -> float:
    """0 stands for none."""
    try:
        value = 0.0 if text == "none" else float(text)
    except ValueError:
        value = -1.0
    if text != "none" and not SMALLEST <= value <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is neither none nor um per pixel from {SMALLEST} to {LARGEST:g}")
    return value


def finest_of(zoom: float | None) -> float | None:
    return FINEST if zoom is None else zoom or None


def job_of(word: str, args: argparse.Namespace, home: Path) -> Job:
    if args.ray_address and args.engine != "ray":
        raise UserError("--ray-address belongs to --engine ray; give both, or neither")
    if args.ray_address and args.jobs:
        raise UserError("--jobs is of this machine; a cluster at --ray-address has its own: leave --jobs out")
    job = Job(
        home=home,
        until=word,
        preset=PRESETS[args.preset].changed(**dict(map(_setting, args.set))),
        pen=not args.keep_pen,
        grey=not args.keep_grey,
        mpp=read_mpp_csv(args.mpp_csv) if args.mpp_csv else {},
        readers=args.readers,
        retry=args.retry_failed,
        redraw=args.redraw,
    )
    if word == "tissue":
        return job
    if args.annotations and not args.annotations.is_dir():
        raise UserError(f"--annotations {args.annotations}: no such folder; name the one with <slide>.xml, .json or .geojson")
    rule = TileRule(
        px=args.px, mpp=args.mpp, overlap=args.overlap, tolerance=args.tolerance, min_tissue=args.min_tissue, max_pen=args.max_pen,
        allow_upsample=args.allow_upsample, nominal_mag=args.nominal_mag,
    )  # fmt: skip
    job = replace(job, rule=rule, layout=args.layout, annotations=args.annotations and args.annotations.absolute())
    if word == "tile":
        return job
    return replace(job, encoder=encoder_choice(args, args.px), half=args.half, batch=args.batch, threads=args.threads)


def encoder_choice(args: argparse.Namespace, px: int) -> EncoderChoice:
    """Built once before any slide is opened: what is wrong with it is said at once."""
    from apps.mil.slides.encoders import build_encoder, read_transform

    transform = read_transform(Path(args.transform)) if args.transform else None
    encoder = build_encoder(args.encoder, px, args.weights, transform, args.trust, args.device, args.bf16)

    def whole(path: str | None) -> str | None:
        return str(Path(path).absolute()) if path and Path(path).exists() else path

    return EncoderChoice(
        name=whole(args.encoder) or "",
        label=encoder.name,
        sha256=encoder.sha256,
        expects=encoder.expects,
        weights=whole(args.weights),
        transform=whole(args.transform),
        trusted=args.trust,
        device=args.device,
        bf16=args.bf16,
        about=encoder.about(),
    )


def _setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise UserError(f"--set {text}: is NAME=VALUE with a number, as sthresh=15") from None
    return name, int(number) if number == int(number) else number


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
