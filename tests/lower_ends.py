"""Prints the lower end of every version range in pyproject.toml as a pin, for `make test-low`.

A pin is a prefix: the lower end `4.12` names a series, whose only release may be 4.12.0.88. A lone major number means its first minor.
"""

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def pin(text: str) -> str:
    requirement, semicolon, marker = text.partition(";")
    name, lower = re.match(r"([\w\-]+(?:\[[\w,\-]+\])?)\s*>=\s*([\d.]+)", requirement).groups()
    return f"{name}=={lower if '.' in lower else f'{lower}.0'}.*{semicolon}{marker}"


def pins() -> list[str]:
    table = tomllib.loads(PYPROJECT.read_text())
    project = table["project"]
    extras = [text for name, texts in project["optional-dependencies"].items() if name != "all" for text in texts]
    return [pin(text) for text in (*table["build-system"]["requires"], *project["dependencies"], *extras)]


if __name__ == "__main__":
    print("\n".join(pins()))
