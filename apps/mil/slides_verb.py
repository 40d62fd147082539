"""`discern mil slides WORD`: from whole slides to features, resumable, with one report.

find      list the slides, their resolution and their problems in slides.csv
tissue    and outline the tissue (GeoJSON that QuPath opens; edited outlines are kept and used)
tile      and lay the grid of tiles over it
features  and encode the tiles
report    write report.json and report.html again
convert   features between CLAM's, TRIDENT's and our own files
synth     write made slides to try it on
"""

import argparse
import csv
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from apps.base.errors import UserError
from apps.base.shell import Parser, Shell, nearest
from datamodules.mil.slides.discover import SlideRow, find_slides, read_rows, slide_files, write_rows
from datamodules.mil.slides.mpp import read_mpp_csv
from datamodules.mil.slides.tiling import TileRule
from datamodules.mil.slides.tissue import PRESETS

__all__ = ["slides"]

STAGED = ("tissue", "tile", "features")


def slides(shell: Shell, argv: list[str]) -> int:
    words = {"find": _find, **dict.fromkeys(STAGED, _work), "report": _report, "convert": _convert, "synth": _synth}
    if argv[:1] in ([], ["-h"], ["--help"]):
        print(f"usage: discern mil slides {{{','.join(words)}}} [options]\n\n{__doc__}\nWORD --help tells a word's options.")
        return 0 if argv else 2
    word, rest = argv[0], argv[1:]
    if word not in words:
        raise UserError(f"slides has no word {word!r}{nearest(word, list(words))} (see 'discern mil slides --help')")
    return words[word](shell, word, rest)


# -- words -------------------------------------------------------------------------------------------------------------


def _find(shell: Shell, word: str, argv: list[str]) -> int:
    parser = shell.parser(
        f"mil slides {word}", "List the slides below some folders in JOB/slides.csv; exit code 1 when some have problems."
    )
    _add_places(parser, "+")
    args = parser.parse_args(argv)
    home = _home(args.job)
    rows = _rows(args, home)
    broken = [row for row in rows if row.error]
    for row in broken:
        shell.complain(row.error)
    print(json.dumps({"table": str(home / "slides.csv"), "slides": len(rows), "problems": len(broken)}))
    return 1 if broken else 0


def _work(shell: Shell, word: str, argv: list[str]) -> int:
    from apps.mil.slides_engine import run_all
    from apps.mil.slides_report import write_reports

    parser = _work_parser(shell, word)
    args = parser.parse_args(argv)
    home = _home(args.job)
    job = _job(word, args, home)
    rows = _rows(args, home) if args.places else read_rows(home / "slides.csv")
    given = {row.slide_id: (row.mpp_x, row.mpp_y) for row in rows if row.mpp_source == "csv" and row.mpp_x and row.mpp_y}
    job = replace(job, mpp={**given, **job.mpp})
    twice = [row for row in rows if row.error.startswith("second slide")]
    for row in twice:
        shell.complain(row.error)
    todo = [row for row in rows if row not in twice]
    done = run_all(job, todo, args.engine, args.jobs, shell, args.ray_address)
    if job.layout == "clam":
        _process_list(job, todo, done)
    page = write_reports(job, done)
    counts = {status: sum(one.status == status for one in done) for status in ("done", "skipped", "failed", "locked")}
    print(json.dumps({"report": str(page), **counts, "fresh": sum(bool(one.fresh) for one in done)}))
    return 1 if counts["failed"] or counts["locked"] or twice else 0


def _report(shell: Shell, word: str, argv: list[str]) -> int:
    from apps.mil.slides_job import Job
    from apps.mil.slides_report import write_reports
    from apps.mil.slides_stages import Done
    from datamodules.mil.slides.state import STAGES, State

    parser = shell.parser(f"mil slides {word}", "Write report.json and report.html of a job from its states.")
    parser.add_argument("--job", type=Path, default=Path("slides"), metavar="DIR", help="the job's folder (default: slides)")
    args = parser.parse_args(argv)
    done = []
    job = Job(args.job)
    for row in read_rows(job.table):
        stages = State(job.state(row.slide_id), {"id": row.slide_id}).stages
        last = next((stages[stage] for stage in reversed(STAGES) if stage in stages), None)
        status = "failed" if last is None or last["status"] == "running" else last["status"]
        reason = last["reason"] if last else "nothing has been done on it yet"
        done.append(Done(row.slide_id, status, reason if last is None or last["status"] != "running" else "broken off; run it again", ()))
    print(write_reports(job, done))
    return 0


def _convert(shell: Shell, word: str, argv: list[str]) -> int:
    from datamodules.mil.slides import clam, native, trident
    from datamodules.mil.slides.bags import SlideFeatures
    from datamodules.mil.slides.problems import SlideError

    parser = shell.parser(f"mil slides {word}", "Write features in another layout: features and coordinates stay exactly as they are.")
    parser.add_argument("source", type=Path, metavar="FROM", help="a folder of .h5 or .safetensors files")
    parser.add_argument("target", type=Path, metavar="TO", help="the folder to write to")
    parser.add_argument("--to", choices=("clam", "trident", "native"), required=True, help="whose layout")
    args = parser.parse_args(argv)
    source = args.source / "h5_files" if (args.source / "h5_files").is_dir() else args.source
    files = sorted(path for path in source.glob("*") if path.suffix in (".h5", ".safetensors"))
    if not files:
        raise UserError(f"{source}: no .h5 or .safetensors files; name the folder that holds them")
    failed = 0
    for path in files:
        try:
            bag: SlideFeatures = native.read_features(path) if path.suffix == ".safetensors" else trident.read_features(path)
            args.target.mkdir(parents=True, exist_ok=True)
            if args.to == "clam":
                clam.write_features(args.target, bag)
            elif args.to == "trident":
                trident.write_features(args.target, bag)
            else:
                native.write_features(args.target / f"{bag.name}.safetensors", bag)
        except SlideError as error:
            failed += 1
            shell.complain(str(error))
    print(json.dumps({"written": len(files) - failed, "failed": failed}))
    return 1 if failed else 0


def _synth(shell: Shell, word: str, argv: list[str]) -> int:
    from datamodules.mil.slides.contours import Region, write_geojson
    from datamodules.mil.synth_slides import make_slide, outlines, write_slide

    parser = shell.parser(f"mil slides {word}", "Write made slides, every second with a tumour, with labels.csv and the tumours' outlines.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("-n", type=_positive, default=4, help="how many (default: 4)")
    parser.add_argument("--side", type=_positive, default=2048, help="pixels (default: 2048)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--contrast", type=float, default=1.0, help="of the tumour; below 1 it is hard to see (default: 1)")
    args = parser.parse_args(argv)
    truth = args.folder / "annotations"
    truth.mkdir(parents=True, exist_ok=True)
    with (args.folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["slide", "label"])
        for i in range(args.n):
            made = make_slide(args.side, args.side, args.seed * 100_000 + i, tumour=i % 2 == 1, contrast=args.contrast)
            write_slide(args.folder / f"made_{i:03d}.svs", made)
            write_geojson(truth / f"made_{i:03d}.geojson", [Region(ring, kind="Tumor") for ring in outlines(made.tumour)])
            table.writerow([f"made_{i:03d}", i % 2])
    print(json.dumps({"folder": str(args.folder), "slides": args.n}))
    return 0


# -- options -----------------------------------------------------------------------------------------------------------


def _add_places(parser: Parser, count: str) -> None:
    parser.add_argument("places", nargs=count, metavar="SLIDES", help="slides, or folders of slides; without any: those of JOB/slides.csv")
    parser.add_argument("--job", type=Path, default=Path("slides"), metavar="DIR", help="where results go (default: slides)")
    parser.add_argument("--mpp-csv", type=Path, metavar="FILE", help="um per pixel of slides that do not say it: columns slide,mpp")
    parser.add_argument("--patient", metavar="PATTERN", help="what of a slide's name is the patient; TCGA's names are known")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="columns slide,label")


def _work_parser(shell: Shell, word: str) -> Parser:
    what = {"tissue": "Outline the tissue.", "tile": "Outline the tissue and lay the tiles.", "features": "Outline, tile and encode."}
    parser = shell.parser(
        f"mil slides {word}", f"{what[word]} What is done already is left alone; bad slides are skipped with their reason."
    )
    _add_places(parser, "*")
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
        group.add_argument("--px", type=_positive, default=256, help="side of a tile (default: 256)")
        group.add_argument("--overlap", type=int, default=0, help="pixels (default: 0)")
        group.add_argument("--tolerance", type=float, default=0.02, help="by how much a level may be too coarse (default: 0.02)")
        group.add_argument("--min-tissue", type=float, default=0.25, help="share of a tile (default: 0.25)")
        group.add_argument("--max-pen", type=float, default=0.5, help="share of a tile (default: 0.5)")
        group.add_argument("--allow-upsample", action="store_true", help="slides coarser than --mpp are enlarged, not refused")
        group.add_argument("--annotations", type=Path, metavar="DIR", help="<slide>.xml (ASAP), .json or .geojson: the truth of tiles")
        group.add_argument("--layout", choices=("native", "clam", "trident"), default="native", help="whose files (default: native)")
    if word == "features":
        group = parser.add_argument_group("features")
        group.add_argument("--encoder", required=True, help="stats, resnet50, vit_*, or a TorchScript, ONNX or safetensors file")
        group.add_argument("--weights", metavar="FILE", help="of resnet50 and vit_*")
        group.add_argument("--transform", metavar="FILE", help="JSON with size, mean, std (default: beside the encoder, else ImageNet's)")
        group.add_argument("--trust", action="store_true", help="run a program from elsewhere; it can do what you can")
        group.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
        group.add_argument("--half", action="store_true", help="keep float16")
        group.add_argument("--batch", type=_positive, default=64)
        group.add_argument("--threads", type=_positive, default=1, help="of the encoder, each slide (default: 1)")
    group = parser.add_argument_group("work")
    group.add_argument("--jobs", type=_positive, default=_cores(), help=f"slides at once (default: {_cores()}, the cores)")
    group.add_argument("--readers", type=_positive, default=2, help="threads that read a slide (default: 2)")
    group.add_argument("--retry-failed", action="store_true", help="try again what failed before")
    group.add_argument("--engine", choices=("local", "ray"), default="local")
    group.add_argument(
        "--ray-address", metavar="HOST:PORT", help="of a running Ray cluster that sees the same folders; default: one is started here"
    )
    return parser


def _job(word: str, args: argparse.Namespace, home: Path) -> Any:
    from apps.mil.slides_job import Job

    if args.ray_address and args.engine != "ray":
        raise UserError("--ray-address belongs to --engine ray")
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
        raise UserError(f"--annotations {args.annotations}: no such folder")
    rule = TileRule(
        px=args.px, mpp=args.mpp, overlap=args.overlap, tolerance=args.tolerance, min_tissue=args.min_tissue, max_pen=args.max_pen,
        allow_upsample=args.allow_upsample, nominal_mag=args.nominal_mag,
    )  # fmt: skip
    job = replace(job, rule=rule, layout=args.layout, annotations=args.annotations and args.annotations.absolute())
    if word == "tile":
        return job
    return replace(job, encoder=_encoder(args), half=args.half, batch=args.batch, threads=args.threads)


def _encoder(args: argparse.Namespace) -> Any:
    """Built once before any slide is opened: what is wrong with it is said at once."""
    from apps.mil.encoders import build_encoder, read_transform
    from apps.mil.slides_job import EncoderChoice

    transform = read_transform(Path(args.transform)) if args.transform else None
    encoder = build_encoder(args.encoder, args.px, args.weights, transform, args.trust, args.device)

    def whole(path: str | None) -> str | None:
        return str(Path(path).absolute()) if path and Path(path).exists() else path

    return EncoderChoice(whole(args.encoder) or "", encoder.sha256, whole(args.weights), whole(args.transform), args.trust, args.device)


def _rows(args: argparse.Namespace, home: Path) -> list[SlideRow]:
    rows = find_slides(
        slide_files(args.places),
        read_mpp_csv(args.mpp_csv) if args.mpp_csv else None,
        args.patient,
        _labels(args.labels) if args.labels else None,
    )
    write_rows(home / "slides.csv", rows)
    return rows


def _labels(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    name = next((key for key in ("slide", "slide_id") if table and key in table[0]), None)
    if name is None or "label" not in table[0]:
        raise UserError(f"{path}: needs a header with slide and label")
    return {row[name].strip(): row["label"].strip() for row in table}


def _process_list(job: Any, rows: Sequence[SlideRow], done: Sequence[Any]) -> None:
    from datamodules.mil.slides.clam import write_process_list

    status = {"done": "processed", "skipped": "failed_seg", "failed": "failed_seg", "locked": "tbp"}
    write_process_list(job.home, [(Path(row.path).name, status[one.status]) for row, one in zip(rows, done, strict=True)], job.preset)


def _home(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--job {path}: {error.strerror}") from None
    return path.absolute()


def _setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise UserError(f"--set {text}: is NAME=VALUE with a number, as sthresh=15") from None
    return name, int(number) if number == int(number) else number


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count of 1 or more")
    return int(text)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
