"""`discern runs best`: the run that came furthest, in validation unless told otherwise."""

from collections.abc import Sequence

from apps.base.card import find_card
from apps.base.directions import falls
from apps.base.errors import UserError
from apps.base.shell import Shell, nearest
from apps.base.tracking.finding import find_runs
from apps.base.tracking.run import Run

__all__ = ["best"]


def best(shell: Shell, argv: list[str]) -> int:
    """The run that came furthest."""
    parser = shell.parser("runs best", best.__doc__)
    parser.add_argument("app", metavar="APP")
    parser.add_argument("--metric", metavar="KEY", help="default: the validation metric that ranks the newest run's checkpoints")
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--lowest", dest="lowest", action="store_true", default=None, help="the lowest value is the best; by default what KEY is known for"
    )
    way.add_argument("--highest", dest="lowest", action="store_false", default=None, help="the highest value is the best")
    args = parser.parse_args(argv)
    card = find_card(args.app)
    candidates = find_runs(shell.home, args.app)
    monitor, mode = _monitor(candidates)
    key = args.metric or monitor
    if key is None:
        raise UserError(f"no run of {args.app} under {shell.runs} says what ranks its checkpoints; give --metric")
    lowest = args.lowest
    if lowest is None and key == monitor:
        lowest = mode == "min"
    elif lowest is None:
        lowest = not card.higher_is_better if key == card.metric else falls(key)
    choose = min if lowest else max
    values: list[tuple[float, Run]] = []
    logged: set[str] = set()
    for run in candidates:
        history = run.history()
        logged |= history.keys()
        finite = [value for _, value in history.get(key, []) if value == value]
        if finite:
            values.append((choose(finite), run))
    if not values:
        raise UserError(f"no run of {args.app} under {shell.runs} has logged {key}{nearest(key, sorted(logged))}")
    if lowest is None:
        raise UserError(f"nothing says whether a high or a low {key} is the better one; add --highest or --lowest")
    value, run = choose(values, key=lambda pair: pair[0])
    print(f"{run.id}  {run.name}  {key} {value:.6g} ({'lowest' if lowest else 'highest'} of {len(values)})")
    return 0


def _monitor(candidates: Sequence[Run]) -> tuple[str | None, str]:
    """What the newest recipe ranks checkpoints by, and whether that falls or rises: never a test metric, which nothing may be chosen by."""
    for run in reversed(candidates):
        ranks = run.config().get("checkpoints")
        if isinstance(ranks, dict) and "monitor" in ranks:
            return ranks["monitor"], ranks.get("mode", "min")
    return None, "min"
