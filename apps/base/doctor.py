"""`discern doctor`: what this machine and this installation can do, and what would stop a run."""

import json
import shutil
import sys
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

from apps.base.card import find_cards, left_out
from apps.base.errors import FailureError
from apps.base.shell import Shell
from apps.base.toolchain import missing_compiler
from apps.base.version import version_of

__all__ = ["doctor"]

PACKAGES = ("torch", "pytorch-lightning", "jsonargparse", "torchmetrics", "albumentations", "opencv-python-headless", "mlflow", "triton")
LOW_DISK = 2 << 30
ABSENT = "not installed"


def doctor(shell: Shell, argv: list[str]) -> int:
    """Say what is installed, what hardware there is, and what is wrong with it; exit code 1 when something is."""
    parser = shell.parser("doctor", doctor.__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(argv)
    facts, troubles = _facts(shell.home), []
    troubles += _import_troubles() + left_out()
    if facts["disk free"] < LOW_DISK:
        troubles.append(f"only {facts['disk free'] >> 20} MiB are free under {shell.home.resolve()}")
    if options.json:
        print(json.dumps({**facts, "troubles": troubles}))
    else:
        for key, value in facts.items():
            shown = f"{value / (1 << 30):.1f} GiB" if key == "disk free" else value
            print(f"{key:<24} {shown}")
        for trouble in troubles:
            print(f"trouble: {trouble}")
        if not troubles:
            print("nothing is wrong")
    return FailureError.exit_code if troubles else 0


def _facts(home: Path) -> dict:
    import torch

    facts: dict = {"python": sys.version.split()[0], "discern": version_of("discern") or ABSENT}
    facts |= {name: version_of(name) or ABSENT for name in PACKAGES}
    facts["cpu threads"] = torch.get_num_threads()
    facts["gpu"] = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())) or "none"
    facts["torch.compile on CPU"] = missing_compiler() or "possible"
    facts["disk free"] = shutil.disk_usage(home).free
    for card in find_cards().values():
        missing = card.missing_extras()
        facts[f"app {card.name}"] = f"needs pip install 'discern[{','.join(missing)}]'" if missing else "ready"
    return facts


def _import_troubles() -> list[str]:
    """Another distribution also brings a package named `kernels`; which one Python finds decides whether anything works."""
    troubles = []
    for name in ("kernels", "core_attention", "datamodules", "apps", "configs"):
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            troubles.append(f"package {name!r} is not importable; install discern again")
        elif name == "kernels" and not Path(spec.origin).with_name("dispatch.py").exists():  # looked for, not imported: theirs may fail
            owners = ", ".join(packages_distributions().get("kernels", ["another distribution"]))
            troubles.append(f"'kernels' is {owners} at {spec.origin}, not ours; use an environment of its own for discern")
    return troubles
