"""`discern histograph folds PATH -o FILE`: folds as data, to be kept beside the figures that they gave."""

import json

import numpy as np

from apps.base.errors import UserError
from apps.base.options import seed
from apps.base.places import output_file
from apps.base.shell import Shell

__all__ = ["folds"]


def folds(shell: Shell, argv: list[str]) -> int:
    """Write stratified folds of a set as JSON, with a hash of its order: `fit --data.folds FILE` refuses them for another order."""
    parser = shell.parser("histograph folds", folds.__doc__)
    parser.add_argument("path", help="a set of graphs, as 'discern data check' takes it")
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="where to write")
    parser.add_argument("--k", type=int, default=10, metavar="K", help="how many, 3 to 10; default: 10")
    parser.add_argument("--seed", type=seed, default=0, help="default: 0")
    words = parser.parse_args(argv)
    if not 3 <= words.k <= 10:
        raise UserError(f"--k is 3 to 10, not {words.k}")
    output_file("-o", words.output)
    from datamodules.histograph.folds import make_folds, write_folds
    from datamodules.histograph.layouts import read_graphs

    table = read_graphs(words.path)
    made, order = make_folds(table.labels(), words.k, words.seed), table.order_hash()
    write_folds(words.output, made, table.source, words.seed, order)
    print(json.dumps({"file": words.output, "graphs": len(made), "folds": np.bincount(made).tolist(), "order": order}))
    return 0
