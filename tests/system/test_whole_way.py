"""One application goes the whole way as a user would: fit, test, export, predict, report; and answers from MLflow.

Training, export and the first answer are processes of their own; what follows runs in this one, which saves the seconds of importing.
"""

import json

import pytest

from tests.system.command import TINY, discern


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    discern("dcal", "fit", *TINY, "--name=first", home=home)
    return home


@pytest.fixture(scope="module")
def exported(home):
    return json.loads(discern("dcal", "export", home=home).stdout)["file"]


@pytest.fixture(scope="module")
def pictures(home):
    from datamodules.dcal.synth import write_examples

    (home / "pictures").mkdir()
    return write_examples(home / "pictures", 3)


@pytest.fixture
def there(home, inside):
    return inside(home)


def run_folder(home):
    (folder,) = home.glob("mlruns/runs/dcal/*")
    return folder


def test_test_writes_to_the_run_of_its_checkpoint(home, there):
    answer = json.loads(there("dcal", "test").stdout)
    assert answer["run"] == run_folder(home).name
    assert answer["test/chance"] == pytest.approx(1 / 8)
    assert 0 <= answer["test/top1"] <= 1
    assert {path.name for path in (run_folder(home) / "figures").iterdir()} >= {"confusion.png", "worst_pairs.png"}


def test_validate_agrees_with_what_training_logged_for_its_best(home, there):
    answer = json.loads(there("dcal", "validate", "--run", "first").stdout)
    ranking = json.loads((run_folder(home) / "checkpoints" / "best.json").read_text())
    assert answer["val/top1"] == pytest.approx(ranking["ranking"][0]["score"], abs=1e-6)


def test_the_run_holds_what_is_needed_to_do_it_again(home):
    names = {path.name for path in run_folder(home).iterdir()}
    assert names >= {"run.json", "config.yaml", "machine.json", "data.json", "lock.txt", "log.jsonl", "report.html"}


def test_the_exported_file_answers(home, exported, pictures):
    done = discern("predict", exported, *pictures, home=home)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["input"] for row in rows] == [str(path) for path in pictures]
    assert all(len(row["probs"]) == 5 for row in rows)


@pytest.mark.full  # tests/apps/base/test_predict.py asks both formats of a small program: 20 s
def test_both_formats_answer_alike(home, exported, pictures):
    discern("dcal", "export", "-o", "model.pt2", home=home)
    rows = [
        [json.loads(line) for line in discern("predict", file, *pictures, home=home).stdout.splitlines()]
        for file in (exported, "model.pt2")
    ]
    for a, b in zip(*rows, strict=True):
        assert [answer["label"] for answer in a["probs"]] == [answer["label"] for answer in b["probs"]]
        assert a["probs"][0]["probability"] == pytest.approx(b["probs"][0]["probability"], abs=1e-5)


def test_exported_weights_are_a_warm_start(home, there):
    assert there("dcal", "export", "-o", "weights.safetensors").returncode == 0
    (home / "other").mkdir()
    done = there("dcal", "fit", *TINY, "--trainer.max_epochs=1", "--init", "weights.safetensors", "--home", "other")
    assert "missing 0, unexpected 0" in done.stderr


def test_an_exported_file_from_elsewhere_is_not_run_unasked(home, exported, pictures, here):
    done = here("predict", home / exported, pictures[0])  # another user: another list of trusted hashes
    assert done.returncode == 2
    assert "--trust" in done.line
    assert here("predict", home / exported, pictures[0], "--trust").returncode == 0


def test_the_registered_model_answers_through_mlflow(home, exported, pictures):
    import subprocess
    import sys

    from tests.system.command import environment

    code = (
        "import mlflow, cv2; mlflow.set_tracking_uri('sqlite:///mlruns/mlflow.db');"
        f"image = cv2.imread({str(pictures[0])!r})[:, :, ::-1].copy();"
        "print(mlflow.pyfunc.load_model('models:/discern-dcal/1').predict([image]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=home, env=environment(HOME=str(home)), capture_output=True, text=True)
    assert "label" in done.stdout, done.stderr


def test_a_report_is_one_file(home, there):
    assert there("report", "first", "-o", "report.html").returncode == 0
    text = (home / "report.html").read_text()
    assert "first" in text
    assert "http://" not in text
    assert 'src="https' not in text


def test_seeds_are_child_runs_and_the_parent_exports_one(tmp_path, here):
    done = here("dcal", "fit", *TINY, "--trainer.max_epochs=1", "--seeds", "2")
    answer = json.loads(done.stdout)
    assert "seeds/val/top1" in answer
    runs = [json.loads(path.read_text()) for path in tmp_path.glob("mlruns/runs/dcal/*/run.json")]
    assert sum(run["parent"] == answer["run"] for run in runs) == 2
    assert len(list(tmp_path.glob("mlruns/runs/dcal/*/checkpoints/*.ckpt"))) == 1
    assert here("dcal", "export", "--run", answer["run"]).returncode == 0
