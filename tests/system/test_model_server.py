"""A registered model behind `mlflow models serve` answers over HTTP what `discern predict` answers from the file."""

import base64
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.base.export import export_program
from apps.base.predict.program_file import ProgramBytes
from apps.base.shell import Shell
from apps.base.tracking.run import Run
from apps.base.tracking.sender import send_pending
from tests.system.alike import alike
from tests.system.command import Here
from tests.system.listening import Listening, answers, ask, free_port, mlflow

pytestmark = [pytest.mark.system, pytest.mark.full, pytest.mark.filterwarnings("ignore")]


def of_dcal(folder):
    """(program, files for predict, what a request holds of each)."""
    from datamodules.dcal.synth import write_examples
    from tests.apps.dcal.tiny_files import classifier

    files = write_examples(folder, 3)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    files.append(folder / "broken.jpg")
    return classifier(), files, [{"image": base64.b64encode(file.read_bytes()).decode()} for file in files]


def of_ahan(folder):
    from apps.ahan.presets import build
    from apps.ahan.program import EmbedRegions
    from datamodules.ahan.synth import write_examples

    files = write_examples(folder, 3)
    (folder / "broken.png").write_bytes(b"\x89PNG cut short")
    files.append(folder / "broken.png")
    program = EmbedRegions(build("tiny").eval(), "made from a seed", [])
    return program, files, [{"image": base64.b64encode(file.read_bytes()).decode()} for file in files]


def of_mil(folder):
    from tests.apps.mil.test_program import program

    bags = [np.random.default_rng(n).standard_normal((n, 6)).astype(np.float32) for n in (1, 30, 300)]
    bags.append(np.ones((3, 5), np.float32))
    files = [folder / f"{i}.npy" for i in range(len(bags))]
    for file, bag in zip(files, bags, strict=True):
        np.save(file, bag)
    return program(), files, [{"features": bag.tolist()} for bag in bags]


def of_histograph(folder):
    from apps.histograph.options import Read
    from tests.apps.histograph.test_program import program

    graphs = [
        {"x": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "edges": [[0, 1], [1, 2]]},
        {"x": [[0, 0, 1]], "edges": []},
        {"x": [[1, 0, 0], [0, 0, 1]], "edges": [[0, 5]]},
    ]
    files = [folder / f"{i}.json" for i in range(len(graphs))]
    for file, graph in zip(files, graphs, strict=True):
        file.write_text(json.dumps(graph))
    return program(Read()), files, [{"graph": graph} for graph in graphs]


def of_otsnet(folder):
    from apps.otsnet.program import ReadWords
    from tests.apps.otsnet.tiny import reader
    from tests.apps.otsnet.tiny_files import FACTS, write_pictures

    files = write_pictures(folder, 3)
    (folder / "broken.png").write_bytes(b"\x89PNG cut short")
    files.append(folder / "broken.png")
    return ReadWords(reader(), FACTS, []), files, [{"image": base64.b64encode(file.read_bytes()).decode()} for file in files]


def of_hag(folder):
    from apps.hag.program import Size
    from datamodules.hag.synth import write_examples
    from tests.apps.hag.tiny import facts, network

    files = write_examples(folder, 3)
    (folder / "broken.png").write_bytes(b"\x89PNG cut short")
    files.append(folder / "broken.png")
    return Size(network(), facts(), []), files, [{"image": base64.b64encode(file.read_bytes()).decode()} for file in files]


def of_accord(folder):
    from apps.accord.predicting import read_row
    from apps.accord.program import Decide
    from datamodules.accord.formats import write
    from tests.apps.accord.made import KINDS, instances, random_network

    files = [folder / f"{i}.json" for i in range(2)]
    for i, file in enumerate(files):
        write(instances("knapsack", 1, seed=i)[0], file)
    items = [{"integers": read_row(file).tolist()} for file in files]
    (folder / "broken.json").write_text("{}")
    facts = {"licence": "none", "net": {"size": "tiny"}}
    examples = [instances(kind, 1)[0] for kind in KINDS]
    return Decide(random_network(), facts, examples), [*files, folder / "broken.json"], [*items, {"integers": [2]}]


MADE = [
    ("dcal", of_dcal), ("ahan", of_ahan), ("mil", of_mil), ("histograph", of_histograph), ("otsnet", of_otsnet), ("hag", of_hag),
    ("accord", of_accord),
]  # fmt: skip


@pytest.mark.parametrize(("app", "made"), MADE, ids=lambda value: value)
def test_the_served_model_answers_as_predict_does(app, made, tmp_path, here: Here, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "asked").mkdir()
    program, files, items = made(tmp_path / "asked")
    run = Run.start(tmp_path, app, "a: 1")
    file = run.exports / f"{app}.ts"
    run.model(file, export_program(program, file, None, Shell(quiet=True)), ProgramBytes(file).metadata())
    run.status("finished")
    assert send_pending(tmp_path) == {}
    said = here("predict", file, *files, "--batch", "1")
    expected = [json.loads(line) for line in said.stdout.splitlines()]

    port = free_port()
    words = mlflow("models", "serve", "-m", f"models:/discern-{app}/1", "--env-manager", "local", "--host", "127.0.0.1", "--port", port)
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}  # the model answers without this package
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"  # mlflow starts uvicorn by its name
    kept |= {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlruns/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    url = f"http://127.0.0.1:{port}"
    with Listening(words, lambda: answers(f"{url}/ping"), elsewhere, kept):
        status, answer = ask(f"{url}/invocations", {"dataframe_records": items})
        wrong, why = ask(f"{url}/invocations", {"dataframe_records": [{"thing": 1}]})
    assert status == 200, answer
    rows = answer["predictions"]
    assert len(rows) == len(items)
    for row, other in zip(rows, expected, strict=True):
        other.pop("input")
        assert ("error" in row) == ("error" in other)
        assert "error" in row or alike(row, other), (row, other)
    assert "error" in rows[-1]  # the broken one, which did not take the others with it
    assert wrong == 400
    assert "needs a column" in json.dumps(why)
