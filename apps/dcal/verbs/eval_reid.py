"""`discern dcal eval-reid`: how well does a checkpoint find the same one, under each protocol?"""

import json
from typing import Any, get_args

import torch
from torch import Tensor

from apps.base.beginning import begin_beside
from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Parser, Shell
from apps.base.tracking.tracked import tracked
from apps.dcal.card import CARD
from apps.dcal.draw_ranking import Ranked, Shown, ranking_sheet
from apps.dcal.metrics import Vectors
from apps.dcal.ranking import Asking, Gathered, Protocol, Ranking, evaluate, kept, measure, sides, similarity
from apps.dcal.reid import Reidentification
from apps.dcal.rerank import rerank
from datamodules.whole import write_bytes

__all__ = ["eval_reid"]

ON_A_SHEET, MATCHES = 12, 8


def eval_reid(shell: Shell, argv: list[str]) -> int:
    """Measure a re-identification checkpoint by ranking: a JSON line a protocol, with mAP, CMC (R1, R5, R10) and mINP.

    Protocols differ in what they leave out of a ranking: market, pictures of the same identity by the query's own camera; cross, all of
    that camera's; same-camera-allowed, nothing. Numbers of different ones cannot be compared. The other options are those of `test`.
    """
    parser = _parser(shell)
    args, rest = parser.parse_known_args(argv)
    output = output_file("--sheet", args.sheet) if args.sheet is not None else None
    if args.rerank and args.all_ask:
        raise UserError("--rerank needs queries apart from their gallery; leave out --all-ask")
    beginning = begin_beside(shell, CARD, "validate" if args.split == "val" else "test", parser, rest, args.help)
    if beginning is None:
        return 0
    recipe, task, step = beginning.restore()
    if not isinstance(task, Reidentification):
        raise UserError(f"eval-reid measures re-identification; this checkpoint is of {type(task).__name__}: use 'discern dcal test'")
    data = recipe.set_up(beginning.verb)
    task.protocol = "same-camera-allowed"  # what the data lacks for the protocols asked for is said of each, below
    task.check_data(data)
    loader = data.val_dataloader() if args.split == "val" else data.test_dataloader()
    gathered, rows = _gather(task, loader, recipe.trainer.strategy.root_device)
    found, refused = _rank(gathered, args.protocol or list(get_args(Protocol)), args)
    if not found:
        raise UserError("; ".join(refused))
    values = {f"{args.split}/{name}": value for ranking in found for name, value in ranking.named().items()}
    if beginning.run is not None:
        with tracked(shell, beginning.run):
            beginning.run.metric(values, step=step)
    for ranking in found:
        print(json.dumps(_row(ranking, args.split)))
    if output is not None:
        write_bytes(output, _sheet(gathered, rows, found[0].protocol, "all" if args.all_ask else "marked", data))
        shell.say(f"drawn: {output}")
    for words in refused:
        shell.complain(words)
    return 1 if refused else 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("dcal eval-reid", eval_reid.__doc__, add_help=False)
    parser.add_argument("--protocol", choices=get_args(Protocol), action="append", help="may be given several times; default: all three")
    parser.add_argument("--rerank", action="store_true", help="also by k-reciprocal neighbours, a metric of its own name (+rerank)")
    parser.add_argument("--all-ask", action="store_true", help="every picture asks all others, not only the marked queries the gallery")
    parser.add_argument("--split", choices=("test", "val"), default="test")
    parser.add_argument(
        "--sheet", metavar="OUT.png", help="rankings as pictures, framed by whether they are right; never kept with the run"
    )
    parser.add_argument("-h", "--help", action="store_true", help="this text and the other options")
    return parser


@torch.no_grad()
def _gather(task: Reidentification, loader: Any, device: torch.device) -> tuple[Gathered, Tensor]:
    """In float32, whatever precision the training had; and where each picture is found in the data."""
    vectors, rows = Vectors(), []
    task.model.to(device).eval()
    for batch in loader:
        outputs = task.model(batch["image"].to(device))
        vectors.update(task.vector(outputs).cpu(), batch["identity"], batch["camera"], batch["is_query"])
        rows.append(batch["index"])
    return vectors.compute(), torch.cat(rows)


def _rank(gathered: Gathered, protocols: list[Protocol], args: Any) -> tuple[list[Ranking], list[str]]:
    found, refused = [], []
    for protocol in dict.fromkeys(protocols):
        try:
            found.append(evaluate(gathered, protocol, asking="all" if args.all_ask else "marked"))
            if args.rerank:
                found.append(_reranked(gathered, protocol))
        except UserError as error:
            refused.append(str(error))
    return found, refused


def _reranked(gathered: Gathered, protocol: Protocol) -> Ranking:
    asks = gathered.is_query
    try:
        scores_QG = rerank(gathered.vectors[asks], gathered.vectors[~asks])
    except ValueError as error:  # fewer pictures than neighbours, or too many
        raise UserError(f"--rerank: {error}") from error
    columns = (gathered.identity[asks], gathered.camera[asks], gathered.identity[~asks], gathered.camera[~asks])
    return measure(scores_QG, *columns, protocol, by="rerank")


def _row(ranking: Ranking, split: str) -> dict[str, Any]:
    cmc = {f"R{k}": round(value, 6) for k, value in ranking.cmc.items()}
    return {
        "protocol": ranking.name,
        "split": split,
        "mAP": round(ranking.mean_ap, 6),
        **cmc,
        "mINP": round(ranking.mean_inp, 6),
        "queries": ranking.queries,
        "unmatched": ranking.unmatched,
    }


def _sheet(gathered: Gathered, index: Tensor, protocol: Protocol, asking: Asking, data: Any) -> bytes:
    """Some queries, spread over the split, with the best of what the protocol leaves them."""
    asks, others = sides(gathered, asking)
    asks = asks[:: max(1, len(asks) // ON_A_SHEET)][:ON_A_SHEET]
    scores_QG = similarity(gathered.vectors[asks], gathered.vectors[others])
    columns = (gathered.identity[asks], gathered.camera[asks], gathered.identity[others], gathered.camera[others])
    ranked_QG = kept(protocol, *columns) & (asks[:, None] != others)
    scores_QG = scores_QG.masked_fill(~ranked_QG, -torch.inf)

    def shown(row: int, caption: str, same: bool | None = None) -> Shown:
        camera = int(gathered.camera[row])
        words = f"{caption}, cam. {camera}" if camera >= 0 else caption
        return Shown(data.picture(int(index[row])), words, same)

    rankings = []
    for ask, scores_G in zip(asks.tolist(), scores_QG, strict=True):
        best = scores_G.argsort(descending=True, stable=True)[:MATCHES]
        rows = [(int(others[place]), float(scores_G[place])) for place in best.tolist() if torch.isfinite(scores_G[place])]
        same = [bool(gathered.identity[row] == gathered.identity[ask]) for row, _ in rows]
        found = [shown(row, f"{score:.3f}", right) for (row, score), right in zip(rows, same, strict=True)]
        rankings.append(Ranked(shown(ask, "asked"), found))
    return ranking_sheet(rankings)
