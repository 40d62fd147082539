"""Options that say how to solve: the method, the network's decoding, and which network."""

from argparse import Namespace
from argparse import _ActionsContainer as Parser
from typing import Any

from apps.accord.reading import seconds
from apps.base.errors import UserError
from apps.base.options import add_device, add_run, add_trust, seed
from apps.base.shell import Shell, positive

__all__ = ["add_decoding", "add_method", "add_model", "network_of"]


def add_method(parser: Parser) -> None:
    parser.add_argument(
        "--method", default="portfolio", metavar="NAME",
        help="portfolio, model, heuristic, exact, or one of the kind's own, such as savings; default: portfolio",
    )  # fmt: skip
    parser.add_argument("--time-limit", type=seconds, metavar="S", help="for each instance; loading counts; default: until the methods end")
    add_decoding(parser)
    parser.add_argument("--unmasked", action="store_true", help="let the network break rules, and say when it does (--method model)")


def add_decoding(parser: Parser) -> None:
    parser.add_argument(
        "--samples", type=positive, default=1, metavar="N", help="draw N plans from the network and keep the best; default: 1"
    )
    parser.add_argument("--augment", type=positive, default=1, metavar="8", help="8: also with the plane turned and mirrored; default: 1")
    parser.add_argument("--starts", type=positive, default=1, metavar="K", help="begin with K different first decisions; default: 1")
    parser.add_argument("--beam", type=positive, default=0, metavar="K", help="keep K plans side by side; default: none")
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="of drawn plans; default: 1")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="the same seed gives the same answer; default: 0")


def add_model(parser: Parser) -> None:
    parser.add_argument("--model", metavar="FILE|best|last", help="an exported program, weights or a checkpoint; default: the starter")
    add_run(parser)
    add_device(parser)
    add_trust(parser)


def network_of(shell: Shell, args: Namespace) -> Any:
    """What Solver takes: None for the starter, so that torch is loaded when it has its turn; else, or on a GPU, the network."""
    if args.model is None:
        for name in ("run", "trust"):
            if getattr(args, name):
                raise UserError(f"--{name} goes with --model")
        if args.device == "cpu":
            return None
        from apps.accord.source import check_device, open_network

        check_device(args.device)
        return open_network(None, args.device)
    from apps.accord.source import open_model

    return open_model(shell, args.model, run=args.run, trust=args.trust, device=args.device)
