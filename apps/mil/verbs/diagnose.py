"""`discern mil diagnose SLIDE... --encoder FILE --model FILE`: one word from slides to answers with maps and reports. Resumable."""

import argparse
import json
from pathlib import Path
from typing import Any

from apps.base.errors import FailureError, UserError
from apps.base.places import output_folder
from apps.base.shell import Parser, Shell, positive
from apps.mil.notice import NOTICE
from apps.mil.verbs.slide_options import add_encoder, add_maps, cores, encoder_choice, finest_of
from datamodules.mil.encoding import encoding_of
from datamodules.mil.slides.tissue import PRESETS

__all__ = ["diagnose"]

PX, MPP = 256, 0.5  # of tiles, where the model does not say which it was trained on

DOC = f"""Answer for slides: tissue, tiles, features, the model's probabilities, maps, the tiles that count most, and reports.

Each slide gets a folder in OUT with report.html, answer.json, zoom.html and tiles.geojson (QuPath). What is done already is left alone;
bad slides are skipped with their reason, and the exit code is then 1. An encoder, tiles or resolution other than the model was trained
with are refused. Contours of tissue in OUT/work/contours_geojson may be edited: the next run uses them.

{NOTICE}"""


def diagnose(shell: Shell, argv: list[str]) -> int:
    args = _parser(shell).parse_args(argv)
    from apps.mil.maps.bag_file import BagFile
    from apps.mil.slides.engine import run_all
    from apps.mil.slides.stages import FULL
    from datamodules.errors import DataError
    from datamodules.mil.slides.discover import find_slides, slide_files, write_rows
    from datamodules.mil.slides.mpp import read_mpp_csv

    model = BagFile(args.model, args.trust)
    if args.label is not None:
        model.label(args.label)
    table = read_mpp_csv(args.mpp_csv) if args.mpp_csv else {}
    job = _job(args, model, table)
    rows = find_slides(slide_files(args.slides), table)
    write_rows(job.table, rows)
    failures = [(row.slide_id, row.error) for row in rows if row.repeated]
    for name, reason in failures:
        shell.complain(f"{name}: {reason}")
    rows = [row for row in rows if not row.repeated]
    answers = []
    for row, done in zip(rows, run_all(job, rows, "local", args.jobs or cores(), shell), strict=True):
        if done.status == "done":
            try:
                answers.append(_answer(shell, model, job, row, args))
                continue
            except (DataError, UserError, FailureError, OSError) as error:
                if isinstance(error, OSError) and error.errno in FULL:
                    raise
                reason = " ".join(str(error).split())
                shell.complain(f"{row.slide_id}: {reason}")
        else:
            reason = done.reason or done.status
            if done.status == "skipped":  # others were named as they came
                shell.complain(f"{row.slide_id}: {reason}")
        failures.append((row.slide_id, reason))
        print(json.dumps({"slide": row.slide_id, "error": reason, "notice": NOTICE}, ensure_ascii=False), flush=True)
    page = _report(args.out, answers, failures)
    shell.say(f"{len(answers)} of {len(answers) + len(failures)} slides answered; {page}")
    shell.say(NOTICE)
    return 1 if failures else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("mil diagnose", DOC)
    parser.add_argument("slides", nargs="+", metavar="SLIDE", help="slides, or folders of slides")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="what `discern mil export` wrote")
    parser.add_argument("--out", type=Path, default=Path("diagnosis"), metavar="DIR", help="where answers go (default: diagnosis)")
    parser.add_argument("--mpp-csv", type=Path, metavar="FILE", help="um per pixel of slides that do not say it: columns slide,mpp")
    group = parser.add_argument_group("features")
    add_encoder(group)
    group.add_argument("--px", type=positive, help=f"side of a tile, where the model does not say it (default: {PX})")
    group.add_argument("--mpp", type=float, help=f"um per pixel of a tile, where the model does not say it (default: {MPP})")
    group = parser.add_argument_group("tissue")
    group.add_argument("--preset", choices=tuple(PRESETS), default="auto", help="default: auto (ours); the others are CLAM's")
    add_maps(parser.add_argument_group("maps"))
    group = parser.add_argument_group("work")
    group.add_argument("--jobs", type=positive, help=f"slides encoded at once (default: {cores()}, the cores)")
    return parser


def _job(args: argparse.Namespace, model: Any, table: dict[str, tuple[float, float]]) -> Any:
    """What must be done to slides so that the model can answer; everything that does not fit is said before a slide is opened."""
    from apps.mil.slides.job import Job
    from datamodules.mil.slides.tiling import TileRule

    asked = {"tile_px": args.px, "mpp_target": args.mpp}
    model.fits({key: value for key, value in asked.items() if value is not None}, "the tiles asked for")
    px = args.px or model.encoding.get("tile_px") or PX
    mpp = args.mpp or model.encoding.get("mpp_target") or MPP
    rule = TileRule(px=int(px), mpp=float(mpp))
    choice = encoder_choice(args, rule.px)
    model.fits(encoding_of(choice.about), f"the encoder {args.encoder}")
    home = output_folder("--out", args.out / "work")
    return Job(home=home.absolute(), preset=PRESETS[args.preset], rule=rule, mpp=table, encoder=choice, retry=True)


def _answer(shell: Shell, model: Any, job: Any, row: Any, args: argparse.Namespace) -> dict[str, Any]:
    from apps.mil.maps.diagnosis import Ask, diagnose_slide

    answer, fresh = diagnose_slide(model, job, row, Ask(args.out, args.label, finest_of(args.zoom)))
    shown = {key: answer[key] for key in ("slide", "decision", "probs", "threshold", "warnings")}
    line = {**shown, "report": str(args.out / row.slide_id / "report.html"), "fresh": fresh, "notice": NOTICE}
    for words in answer["warnings"]:
        shell.say(f"{row.slide_id}: {words}")
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return answer


def _report(out: Path, answers: list[dict[str, Any]], failures: list[tuple[str, str]]) -> Path:
    from apps.mil.maps.report import overview_page
    from datamodules.whole import write_whole

    with write_whole(out / "report.json", "w") as file:
        failed = [{"slide": name, "error": reason} for name, reason in failures]
        json.dump({"schema": 1, "notice": NOTICE, "failed": failed, "slides": answers}, file, indent=1, ensure_ascii=False)
    with write_whole(out / "report.html", "w") as file:
        file.write(overview_page(answers, failures, out))
    return out / "report.html"
