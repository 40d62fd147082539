"""`discern mil slides WORD`: from whole slides to features, resumable, with one report. The card names the words."""

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from apps.base.errors import UserError
from apps.base.options import seed
from apps.base.places import output_folder
from apps.base.shell import Shell, positive
from apps.mil.slides.job import LAYOUTS, Job
from apps.mil.verbs.slide_options import add_places, cores, job_of, work_parser
from datamodules.errors import DataError
from datamodules.mil.label_table import by_name, read_labels
from datamodules.mil.slides.discover import SlideRow, find_slides, read_rows, slide_files, write_rows
from datamodules.mil.slides.mpp import read_mpp_csv

__all__ = ["convert", "features", "find", "report", "synth", "tile", "tissue"]


def find(shell: Shell, argv: list[str]) -> int:
    parser = shell.parser("mil slides find", "List the slides below some folders in JOB/slides.csv; exit code 1 when some have problems.")
    add_places(parser, "+")
    args = parser.parse_args(argv)
    home = output_folder("--job", args.job).absolute()
    rows = _rows(args, home)
    broken = [row for row in rows if row.error]
    for row in broken:
        shell.complain(row.error)
    print(json.dumps({"table": str(Job(home).table), "slides": len(rows), "problems": len(broken)}))
    return 1 if broken else 0


def tissue(shell: Shell, argv: list[str]) -> int:
    return _work(shell, "tissue", argv)


def tile(shell: Shell, argv: list[str]) -> int:
    return _work(shell, "tile", argv)


def features(shell: Shell, argv: list[str]) -> int:
    return _work(shell, "features", argv)


def _work(shell: Shell, word: str, argv: list[str]) -> int:
    from apps.mil.slides.engine import run_all
    from apps.mil.slides.report import write_reports

    parser = work_parser(shell, word)
    args = parser.parse_args(argv)
    home = output_folder("--job", args.job).absolute()
    job = job_of(word, args, home)
    if not args.places and (args.patient or args.labels):
        raise UserError("--patient and --labels go with the slides; name them, or give these to `discern mil slides find`")
    rows = _rows(args, home) if args.places else read_rows(Job(home).table)
    given = {row.slide_id: (row.mpp_x, row.mpp_y) for row in rows if row.mpp_source == "csv" and row.mpp_x and row.mpp_y}
    job = replace(job, mpp={**given, **job.mpp})
    twice = [row for row in rows if row.repeated]
    for row in twice:
        shell.complain(row.error)
    todo = [row for row in rows if row not in twice]
    done = run_all(job, todo, args.engine, args.jobs or cores(), shell, args.ray_address)
    if job.layout == "clam":
        _process_list(job, todo, done)
    page = write_reports(job, done)
    counts = {status: sum(one.status == status for one in done) for status in ("done", "skipped", "failed", "locked")}
    print(json.dumps({"report": str(page), **counts, "fresh": sum(bool(one.fresh) for one in done)}))
    return 1 if counts["failed"] or counts["locked"] or twice else 0


def report(shell: Shell, argv: list[str]) -> int:
    from apps.mil.slides.report import write_reports
    from apps.mil.slides.stages import Done
    from datamodules.mil.slides.state import STAGES, State

    parser = shell.parser("mil slides report", "Write report.json and report.html of a job from its states.")
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


def convert(shell: Shell, argv: list[str]) -> int:
    from datamodules.mil.slides import clam, native, trident
    from datamodules.mil.slides.features import SlideFeatures
    from datamodules.mil.slides.problems import SlideError

    parser = shell.parser("mil slides convert", "Write features in another layout: features and coordinates stay exactly as they are.")
    parser.add_argument("source", type=Path, metavar="FROM", help="a folder of .h5 or .safetensors files")
    parser.add_argument("target", type=Path, metavar="TO", help="the folder to write to")
    parser.add_argument("--to", choices=LAYOUTS, required=True, help="whose layout")
    args = parser.parse_args(argv)
    source = args.source / "h5_files" if (args.source / "h5_files").is_dir() else args.source
    files = sorted(path for path in source.glob("*") if path.suffix in (".h5", ".safetensors"))
    if not files:
        raise UserError(f"{source}: no .h5 or .safetensors files; name the folder that holds them")
    output_folder("TO", args.target)
    failed = 0
    for path in files:
        try:
            bag: SlideFeatures = native.read_features(path) if path.suffix == ".safetensors" else trident.read_features(path)
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


def synth(shell: Shell, argv: list[str]) -> int:
    from datamodules.mil.slides.contours import Region, write_geojson
    from datamodules.mil.synth_slides import make_slide, outlines, write_slide

    parser = shell.parser("mil slides synth", "Write made slides, every second with a tumour, with labels.csv and the tumours' outlines.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("-n", type=positive, default=4, help="how many (default: 4)")
    parser.add_argument("--side", type=positive, default=2048, help="pixels (default: 2048)")
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--contrast", type=float, default=1.0, help="of the tumour; below 1 it is hard to see (default: 1)")
    args = parser.parse_args(argv)
    truth = output_folder("DIR", args.folder / "annotations")
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


# -- tables ------------------------------------------------------------------------------------------------------------


def _rows(args: argparse.Namespace, home: Path) -> list[SlideRow]:
    rows = find_slides(
        slide_files(args.places),
        read_mpp_csv(args.mpp_csv) if args.mpp_csv else None,
        args.patient,
        _labels(args.labels) if args.labels else None,
    )
    write_rows(Job(home).table, rows)
    return rows


def _labels(path: Path) -> dict[str, str]:
    table = read_labels(path)
    rows, twice = by_name(table)
    if problems := table.problems + twice:
        raise DataError(problems[0])
    return {slide: row.label for slide, row in rows.items()}


def _process_list(job: Any, rows: Sequence[SlideRow], done: Sequence[Any]) -> None:
    from datamodules.mil.slides.clam import write_process_list

    status = {"done": "processed", "skipped": "failed_seg", "failed": "failed_seg", "locked": "tbp"}
    write_process_list(job.home, [(Path(row.path).name, status[one.status]) for row, one in zip(rows, done, strict=True)], job.preset)
