"""Promise 2: the same seed gives the same weights, and two processes equal one.

In float64: the gradient of the keys' bias is zero by the softmax's nature, so in float32 it is rounding noise,
which AdamW scales up to whole steps.
"""

import json

import pytest
import torch

from tests.system.command import TINY, discern

FIT = ("dcal", "fit", *TINY, "--trainer.precision=64-true")


def fitted(home, *options):
    home.mkdir()
    discern(*FIT, *options, home=home)
    return weights(home)


def weights(home):
    (path,) = home.glob("mlruns/runs/dcal/*/checkpoints/last.ckpt")  # only the first process keeps a run
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("plain") / "home")


def test_the_same_seed_gives_the_same_weights_whatever_the_number_of_workers(tmp_path, here, plain):
    assert here(*FIT, "--data.workers=2").returncode == 0
    again = weights(tmp_path)
    assert all(torch.equal(plain[key], again[key]) for key in plain)


def test_another_seed_gives_other_weights(tmp_path, here, plain):
    assert here(*FIT, "--seed_everything=1").returncode == 0
    other = weights(tmp_path)
    assert not any(torch.equal(plain[key], other[key]) for key in plain if key.endswith("qkv.weight"))


UNPAIRED = "--model.pwca.blocks=0"  # the pair branch mixes the pictures of a process: nothing is promised then


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    home = tmp_path_factory.mktemp("two") / "home"
    return home, fitted(home, UNPAIRED, "--trainer.devices=2", "--trainer.strategy=ddp")


def test_two_processes_equal_one_with_the_same_global_batch(tmp_path, here, two):
    _, both = two
    assert here(*FIT, UNPAIRED).returncode == 0
    one = weights(tmp_path)
    assert max(float((one[key] - both[key]).abs().max()) for key in one) < 1e-5


@pytest.mark.full
def test_two_processes_measure_what_one_measures(inside, two):
    home, _ = two
    both = json.loads(discern("dcal", "test", home=home).stdout)
    one = json.loads(inside(home)("dcal", "test", "--trainer.devices=1", "--trainer.strategy=auto").stdout)
    assert both == pytest.approx(one, abs=1e-6)


@pytest.mark.full
def test_two_processes_resume_together(two):
    home, _ = two
    done = discern("dcal", "fit", "--ckpt", "last", "--trainer.max_epochs=3", home=home)
    assert "training from step 8 to 12" in done.stderr
