"""The table of subjects, and the way to the one that is asked for. Listing them loads no torch."""

from importlib import import_module

from apps.base.card import Verb
from apps.base.errors import UserError
from apps.base.shell import Shell, nearest

__all__ = ["SUBJECTS", "bench"]

# A new subject is a module beside this one and a line here; called as function(shell, argv) -> exit code.
SUBJECTS = (
    Verb("mixers", "every token mixer beside softmax: time, memory, and from which length on it wins", "apps.base.bench.mixers:mixers"),
)


def bench(shell: Shell, argv: list[str]) -> int:
    """Measure a subject on this machine: discern bench SUBJECT [options]. Alone it lists the subjects."""
    if not argv or argv[0] in ("-h", "--help"):
        if argv:
            print(f"{bench.__doc__}\n")
        print("\n".join(f"{subject.name:<12} {subject.help}" for subject in SUBJECTS))
        return 0
    for subject in SUBJECTS:
        if subject.name == argv[0]:
            module, name = subject.target.split(":")
            return getattr(import_module(module), name)(shell, argv[1:])
    known = [subject.name for subject in SUBJECTS]
    raise UserError(f"bench has no subject {argv[0]!r}{nearest(argv[0], known)}; there are {', '.join(known)}")
