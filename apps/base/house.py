"""`discern apps`: the table of applications, read from their cards."""

import json

from apps.base.card import find_cards, left_out
from apps.base.shell import Shell

__all__ = ["list_apps"]


def list_apps(shell: Shell, argv: list[str]) -> int:
    """List the applications, what each does and what it still needs."""
    parser = shell.parser("apps", list_apps.__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    for card in find_cards().values():
        missing = card.missing_extras()
        if options.json:
            print(json.dumps({"app": card.name, "help": card.help, "paper": card.paper, "missing": missing}))
        else:
            note = f"  (needs: pip install 'discern[{','.join(missing)}]')" if missing else ""
            print(f"{card.name:<12} {card.help}{note}")
    for line in left_out():
        shell.complain(line)
    return 0
