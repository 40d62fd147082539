"""`discern mil heatmap FEATURES --model FILE`: where on a slide an exported bag model looks, from features that are there already."""

import json
from pathlib import Path
from typing import Any

from apps.base.errors import UserError
from apps.base.places import output_folder
from apps.base.shell import Parser, Shell, positive
from apps.mil.maps.heat import SCALES, SCORES
from apps.mil.notice import NOTICE
from apps.mil.verbs.slide_options import add_maps, finest_of

__all__ = ["heatmap"]

DOC = f"""Draw maps of what a bag model attends to and what it says of each tile, from a file of features.

Without --slide: a table, GeoJSON for QuPath and a map on white. With it also: the map over the slide, the tiles that count most, and
zoom.html, a page that any browser opens without server or network.

{NOTICE}"""


def heatmap(shell: Shell, argv: list[str]) -> int:
    args = _parser(shell).parse_args(argv)
    if args.slide is None:
        for option in ("contours", "mpp_csv", "zoom"):
            if getattr(args, option) is not None:
                raise UserError(f"--{option.replace('_', '-')} goes with --slide, which is not given; give it, or leave this out")
    from apps.mil.maps.bag_file import BagFile
    from apps.mil.maps.reading import read_slide
    from apps.mil.maps.write import write_maps
    from datamodules.mil.slides.located import read_located

    model = BagFile(args.model, args.trust)
    if args.label is not None:
        model.label(args.label)
    located = read_located(args.features, args.coords, args.side)
    found = read_slide(model, located, args.features, args.label, args.score, args.scale)
    out = output_folder("--out", args.out or Path("heatmap") / located.name)
    if args.slide is None:
        made = write_maps(out, located, found.scores, found.title, None, None)
    else:
        background = _background(args)
        try:
            made = write_maps(out, located, found.scores, found.title, background, finest_of(args.zoom))
        finally:
            background.slide.close()
    warnings = found.warnings + made.warnings
    for words in warnings:
        shell.say(words)
    row = {"slide": located.name, **found.facts, "warnings": warnings}
    print(json.dumps({**row, "folder": str(out), "files": made.files, "notice": NOTICE}, ensure_ascii=False))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("mil heatmap", DOC)
    parser.add_argument("features", type=Path, metavar="FEATURES", help="one slide's: .safetensors, .h5, .pt, .npz or .npy")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="what `discern mil export` wrote")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: heatmap/<slide>")
    group = parser.add_argument_group("tiles")
    group.add_argument("--coords", type=Path, metavar="FILE", help="tiles/<slide>.safetensors or a patches .h5, where FEATURES has none")
    group.add_argument("--side", type=positive, metavar="PX", help="of a tile in pixels of level 0, where no file says it")
    group = parser.add_argument_group("maps")
    group.add_argument(
        "--score", nargs="+", choices=SCORES, default=["attention", "instance"],
        help="which; the first one orders the tiles (default: attention instance)",
    )  # fmt: skip
    group.add_argument("--scale", choices=SCALES, help="of the colours (default: attention by percentile, others by value)")
    add_maps(group)
    group = parser.add_argument_group("slide")
    group.add_argument("--slide", type=Path, metavar="FILE", help="draw over it")
    group.add_argument("--contours", type=Path, metavar="GEOJSON", help="of the tissue, to clip the maps to")
    group.add_argument("--mpp-csv", type=Path, metavar="FILE", help="um per pixel of a slide that does not say it: columns slide,mpp")
    return parser


def _background(args: Any) -> Any:
    from apps.mil.maps.write import Background
    from datamodules.mil.slides.contours import read_geojson
    from datamodules.mil.slides.mpp import find_mpp, read_mpp_csv
    from datamodules.mil.slides.problems import NoResolutionError
    from datamodules.mil.slides.slide import open_slide
    from datamodules.mil.slides.state import fingerprint

    regions = read_geojson(args.contours) if args.contours else []
    table = read_mpp_csv(args.mpp_csv) if args.mpp_csv else None
    slide = open_slide(args.slide)
    try:
        mpp = find_mpp(slide, table)
    except NoResolutionError:
        if args.zoom:
            slide.close()
            raise
        mpp = None  # the page then has no ruler and shows the slide at its finest
    return Background(slide, mpp, regions, {key: value for key, value in fingerprint(args.slide).items() if key != "mtime"})
