"""Whether torch.compile can work here: on a CPU it writes C++ and needs a compiler."""

import shutil

__all__ = ["missing_compiler"]


def missing_compiler() -> str | None:
    """Why torch.compile cannot run on this CPU, or None."""
    if any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        return None
    return "there is no C++ compiler (install g++)"
