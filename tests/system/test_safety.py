"""Promise 5: a stranger's recipe or file runs no code. Each refusal is one line with exit code 2."""

import pytest
import yaml

from apps.base import recipe
from tests.system.command import TINY, Here


@pytest.mark.parametrize(
    "recipe",
    [
        {"trainer": {"callbacks": [{"class_path": "os.system", "init_args": {"command": "touch exploded"}}]}},
        {"trainer": {"callbacks": [{"class_path": "torch.hub.load", "init_args": {"repo_or_dir": "a/b", "model": "c"}}]}},
        {
            "trainer": {
                "callbacks": [{"class_path": "pytorch_lightning.callbacks.LambdaCallback", "init_args": {"on_fit_start": "os.getcwd"}}]
            }
        },
        {"trainer": {"strategy": {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "exploded"]}}}},
        {"trainer": {"profiler": {"class_path": "pathlib.Path.touch"}}},
        {"model": {"class_path": "subprocess.run", "init_args": {"args": ["touch", "exploded"]}}},
        {"data": {"class_path": "builtins.exec"}},
        {"model": {"class_path": "torch.nn.Linear"}},
    ],
)
def test_a_recipe_that_names_what_it_may_not_is_refused(tmp_path, here: Here, recipe):
    (tmp_path / "strange.yaml").write_text(yaml.safe_dump(recipe))
    done = here("dcal", "fit", "--config", "embedded", "--config", "strange.yaml")
    assert done.returncode == 2
    assert done.line
    assert not (tmp_path / "exploded").exists()
    assert not (tmp_path / "mlruns").exists()


def test_the_refusal_names_the_class_and_the_way_to_allow_it(tmp_path, here: Here):
    (tmp_path / "strange.yaml").write_text("model:\n  class_path: my_package.Task\n")
    done = here("dcal", "fit", "--config", "strange.yaml")
    assert "my_package.Task" in done.line
    assert "--allow my_package" in done.line


def test_yaml_tags_build_nothing(tmp_path, here: Here):
    (tmp_path / "strange.yaml").write_text("seed_everything: !!python/object/apply:os.system ['touch exploded']\n")
    done = here("dcal", "fit", "--config", "strange.yaml")
    assert done.returncode == 2
    assert done.line
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--optim.lr=1"], "model.optim.lr"),
        (["--model.optim.lrr=1"], "lrr"),
        (["--trainer.max_epoch=1"], "max_epochs"),
        (["--config", "smal"], "'small'"),
        (["--config", "nowhere/x.yaml"], "nowhere/x.yaml"),
        (["--trainer.max_epochs=many"], "max_epochs"),
        (["--model.optim.lr=-1"], "lr"),
        (["--model.trunk=vit_mikro"], "vit_micro"),
        (["--data.path=somewhere"], "name a recipe of that class with --config"),
        (["--config", "small", "--data.path=nowhere"], "nowhere"),
        (["--ckpt", "nowhere.ckpt"], "nowhere.ckpt"),
        (["--init", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--trainer.accelerator=cuda"], "cuda"),
        (["--trainer.logger=true"], "trainer.logger"),
        (["--model.trunk_options.heads=5"], "heads"),
        (["--schema=99"], "schema"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(here: Here, words, names):
    done = here("dcal", "fit", *words)
    assert done.returncode == 2, done.stderr
    assert names in done.line


def test_a_wrong_key_in_a_recipe_names_the_nearest_right_one(tmp_path, here: Here):
    (tmp_path / "r.yaml").write_text("trainer:\n  max_epoch: 3\n")
    done = here("dcal", "fit", "--config", "embedded", "--config", "r.yaml")
    assert done.returncode == 2
    assert "max_epochs" in done.line


def test_a_checkpoint_with_a_pickle_inside_runs_nothing(tmp_path, here: Here):
    import os

    import torch

    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/exploded",)

    torch.save({"discern": {"schema": 1}, "state_dict": Bomb()}, tmp_path / "evil.ckpt")
    for words in (
        ["fit", "--ckpt", "evil.ckpt"],
        ["test", "--ckpt", "evil.ckpt"],
        ["export", "--ckpt", "evil.ckpt"],
        ["fit", "--init", "evil.ckpt", *TINY],
    ):
        done = here("dcal", *words)
        assert done.returncode == 2
        assert "refused" in done.line
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", [name for name in recipe.ALLOWED if name.count(".") == 2])
def test_what_is_on_the_list_is_accepted(tmp_path, here: Here, name):
    needs = {"EarlyStopping": {"monitor": "val/loss"}, "GradientAccumulationScheduler": {"scheduling": {1: 2}}}
    callback = {"class_path": name, "init_args": needs.get(name.rsplit(".", 1)[-1], {})}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [callback]}}))
    done = here("dcal", "fit", "--config", "embedded", "--config", "r.yaml", "--print_config")
    assert done.returncode == 0, done.stderr
    assert name.rsplit(".", 1)[-1] in done.stdout


def test_no_class_on_the_list_takes_a_callable():
    import importlib
    import inspect

    for name in recipe.ALLOWED:
        module, kind = name.rsplit(".", 1)
        parameters = inspect.signature(getattr(importlib.import_module(module), kind)).parameters.values()
        assert not [p.name for p in parameters if "Callable" in str(p.annotation)], name


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--checkpoints.monitor=val/accuracy"], "val/top1"),
        (["--model.optim.freeze=99"], "freeze"),
        (["--trainer.max_epochs=-1"], "max_steps"),
        (["--ckpt", "last", "--name", "x"], "--name"),
    ],
)
def test_a_mistake_that_shows_late_is_the_users_all_the_same(here: Here, words, names):
    done = here("dcal", "fit", *TINY, *words)
    assert done.returncode == 2, done.stderr
    assert names in done.stderr.strip().splitlines()[-1]


def test_a_checkpoint_is_not_measured_on_other_classes_or_another_model(tmp_path, here: Here):
    import json

    here("dcal", "fit", *TINY, "--trainer.max_epochs=1")
    (checkpoint,) = tmp_path.glob("mlruns/runs/dcal/*/checkpoints/last.ckpt")
    done = here("dcal", "test", "--model.trunk_options.width=32")
    assert done.returncode == 2
    assert "another model" in done.line
    best = next(checkpoint.parent.glob("best-*.ckpt"))
    done = here("dcal", "fit", "--ckpt", best)
    assert done.returncode == 2
    assert "weights only" in done.line
    make_pictures(tmp_path / "pictures")
    done = here("dcal", "test", "--data", "datamodules.dcal.datamodule.Pictures", "--data.path=pictures", "--data.image_size=48")
    assert done.returncode == 2
    assert "classes" in done.line
    assert json.loads(here("dcal", "test").stdout)["test/chance"] == 0.125


def make_pictures(folder):
    import cv2

    from datamodules.dcal.synth import beetles

    for i, image in enumerate(beetles(24, 0).images):
        place = folder / ("train", "test")[i % 2] / f"class{i % 3}"
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{i}.png"), image)


def test_mixed_precision_trains(here: Here):
    assert here("dcal", "fit", *TINY, "--trainer.max_epochs=1", "--trainer.precision=bf16-mixed").returncode == 0
