"""`discern accord generate KIND`: instances of the usual test distributions."""

import sys
from argparse import ArgumentTypeError

from apps.accord.numbers import counted
from apps.accord.verbs.answers import file_name
from apps.base.errors import UserError
from apps.base.options import seed
from apps.base.places import output_file, output_folder
from apps.base.shell import Parser, Shell, positive
from datamodules.accord.formats import instance_text, write
from datamodules.accord.instances import KINDS
from datamodules.accord.synth import DISTRIBUTIONS, SIZES, Size, generate
from datamodules.whole import write_bytes

__all__ = ["generate_instances"]


def generate_instances(shell: Shell, argv: list[str]) -> int:
    """Make instances: tours, routes, knapsacks, bins, flow shops and job shops of a size, from a seed.

    The same seed gives the same instances, and the first ten of a hundred are the ten of ten. Distributions: see --dist with a wrong name.
    """
    args = _parser(shell).parse_args(argv)
    size = args.size if args.size is not None else SIZES["tiny"][args.kind]
    instances = generate(args.kind, args.count, size, args.seed, args.dist, capacity=args.capacity)
    if args.out is None:
        for instance in instances:
            sys.stdout.write(instance_text(instance))
    elif args.out.endswith(".jsonl") or (args.count == 1 and "." in args.out.rpartition("/")[2]):
        write(instances if args.count > 1 else instances[0], output_file("-o", args.out))
    else:
        folder, taken = output_folder("-o", args.out), set()
        if any(folder.iterdir()):
            raise UserError(f"-o {args.out} is not empty; name a new folder")
        for instance in instances:
            write_bytes(folder / f"{file_name(instance.name, taken)}.json", instance_text(instance).encode())
    shell.say(f"{counted(len(instances), 'instance')} of {args.kind}, {args.dist or DISTRIBUTIONS[args.kind][0]}, seed {args.seed}")
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("accord generate", generate_instances.__doc__)
    parser.add_argument("kind", choices=tuple(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--size", type=_size, metavar="N|JxM", help="nodes, customers or items; of shops jobs x machines; default: tiny")
    parser.add_argument("--count", type=positive, default=1, metavar="N", help="default: 1")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    parser.add_argument("--dist", metavar="NAME", help="default: the usual one of the kind")
    parser.add_argument(
        "--capacity", type=_capacity, metavar="C", help="of vehicles, bins or the knapsack; default: that of the distribution"
    )
    parser.add_argument(
        "-o", "--out", dest="out", metavar="OUT", help="a new folder with a file each, or one .jsonl; default: stdout, a line each"
    )
    return parser


def _capacity(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e15:
        raise ArgumentTypeError(f"{text!r} is no capacity: a number of 0 or more")
    return value


def _size(text: str) -> Size:
    parts = text.lower().split("x")
    if not all(part.isdecimal() for part in parts) or len(parts) > 2:
        raise ArgumentTypeError(f"{text!r} is no size: 50, or 10x5 for a shop of 10 jobs on 5 machines")
    return int(parts[0]) if len(parts) == 1 else (int(parts[0]), int(parts[1]))
