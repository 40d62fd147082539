"""An answer by rules and search needs no torch, no SciPy, no OR-Tools: loading them takes longer than finding it."""

import subprocess
import sys

from tests.system.command import ROOT, environment


def test_solving_loads_no_heavy_package() -> None:
    code = (
        "import sys, apps.accord.verbs.solve, apps.accord.verbs.check, apps.accord.verbs.repair, apps.accord.verbs.compare\n"
        "from apps.accord.solver import Solver\n"
        "from datamodules.accord.synth import generate\n"
        "for kind, size in (('tsp', 9), ('cvrp', 15), ('knapsack', 9), ('binpack', 9), ('pfsp', (4, 3)), ('jssp', (3, 3))):\n"
        "    assert Solver().solve(generate(kind, 1, size, capacity=20 if kind == 'cvrp' else None), time_limit=0.2)[0].plan is not None\n"
        "print([name for name in ('torch', 'scipy', 'ortools', 'pandas', 'matplotlib', 'pytorch_lightning') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
