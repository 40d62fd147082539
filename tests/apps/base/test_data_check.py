import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from apps.base.advice import advice
from apps.base.data_check import check
from apps.base.errors import UserError
from apps.base.shell import Shell
from tests.datamodules.dcal.reid_sets import market
from tests.datamodules.dcal.sets import folder, index, picture, plain_rows
from tests.datamodules.hag.sets import sun


def run(capsys, *argv):
    code = check(Shell(), [str(word) for word in argv])
    return code, capsys.readouterr().out


def test_clean_set_leaves_with_0_and_says_how_to_train(tmp_path, capsys):
    code, out = run(capsys, folder(tmp_path, {"train/ant": 5, "train/bee": 5, "test/ant": 2}))
    assert code == 0
    assert "dcal (splits), 2 classes, train 8, val 2, test 2" in out
    assert f"discern dcal fit --config small --data.path={tmp_path}" in out
    assert "problem" not in out


def test_problems_to_solve_are_not_offered_for_training(tmp_path, capsys):
    (tmp_path / "round.csv").write_text("id,x,y\n0,0,0\n1,3,4\n2,6,0\n")
    code, out = run(capsys, tmp_path / "round.csv")
    assert code == 0
    assert out.splitlines()[-1] == f"  solve it: discern accord solve {tmp_path / 'round.csv'}"


def test_the_command_it_tells_is_quoted_and_names_the_home(tmp_path, capsys):
    set_, home = folder(tmp_path / "my birds", {"train/ant": 5, "train/bee": 5}), tmp_path / "my home"
    assert check(Shell(home=home), [str(set_)]) == 0
    told = capsys.readouterr().out.splitlines()[-1].partition("train on it: ")[2]
    assert shlex.split(told) == ["discern", "--home", str(home), "dcal", "fit", "--config", "small", f"--data.path={set_}"]


@pytest.mark.parametrize("home", [".", "{here}"])
def test_the_command_it_tells_names_no_home_that_is_here(tmp_path, monkeypatch, home):
    monkeypatch.chdir(tmp_path)
    assert advice(Shell(home=Path(home.format(here=tmp_path))), "ui") == "discern ui"


def problems(capsys, root, *options):
    code, out = run(capsys, root, "--json", *options)
    reports = [json.loads(line) for line in out.splitlines()]  # a CSV of files and labels may be of classes and of words
    assert code == (1 if any(report["problems"] for report in reports) else 0)
    return next(report for report in reports if report["app"] == "dcal")


def test_copies_across_splits_are_problems_and_within_a_class_notes(tmp_path, capsys):
    root = folder(tmp_path, {"train/ant": 5, "train/bee": 5, "test/ant": 2})
    (root / "test/ant/copy.jpg").write_bytes((root / "train/ant/1.jpg").read_bytes())
    (root / "train/bee/one.jpg").write_bytes((root / "train/bee/2.jpg").read_bytes())
    (problem,) = [problem for problem in problems(capsys, root)["problems"] if "same picture" in problem]
    assert "train and test" in problem or "val and test" in problem
    assert "test/ant/copy.jpg" in problem


def test_same_picture_under_two_labels_is_a_problem(tmp_path, capsys):
    root = folder(tmp_path, {"train/ant": 5, "train/bee": 5})
    (root / "train/bee/copy.jpg").write_bytes((root / "train/ant/1.jpg").read_bytes())
    assert any("under 2 labels" in problem for problem in problems(capsys, root)["problems"])


def test_broken_files_rows_and_lonely_classes_are_problems(tmp_path, capsys):
    rows = [*plain_rows(), ("gone.jpg", "ant", "train"), ("dodo.jpg", "dodo", "train")]
    found = problems(capsys, index(tmp_path, rows, pictures={"gone.jpg": None, "bee/test1.jpg": picture(0)[:-30]}))["problems"]
    assert any("index.csv:14: no picture" in problem for problem in found)
    assert any("bee/test1.jpg: JPEG cut short" in problem for problem in found)
    assert any("one training picture: dodo" in problem for problem in found)


def test_modes_names_and_boxes_are_noted(tmp_path, capsys):
    rows = [(f"{n}.png", n % 2, "train" if n < 8 else "test", 0, 0, 10, 10) for n in range(10)]
    rows[3] = (*rows[3][:3], 0, 0, 40, 10)
    index(tmp_path, rows, "file,label,split,bbox_x,bbox_y,bbox_w,bbox_h")  # JPEG bytes under .png names
    notes = " ".join(problems(capsys, tmp_path)["notes"])
    assert "10 pictures of another kind than their extension says" in notes
    assert "1 boxes over the border" in notes


def test_near_copies_are_looked_for_when_asked(tmp_path, capsys):
    import cv2
    import numpy as np

    root = folder(tmp_path, {"train/ant": 5, "train/bee": 5, "test/ant": 2})
    pixels = cv2.imdecode(np.frombuffer((root / "test/ant/1.jpg").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    (root / "train/bee/near.jpg").write_bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes())
    assert not problems(capsys, root)["problems"]
    (problem,) = problems(capsys, root, "--near")["problems"]
    assert "near-copies across splits" in problem
    assert "near.jpg" in problem


def test_what_no_application_reads_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match=r"not recognised; looked for, among others, dcal: CUB-200-2011, Stanford Cars; ahan: ") as caught:
        check(Shell(), [str(tmp_path)])
    assert caught.value.exit_code == 2
    assert str(caught.value).endswith(f"data check {tmp_path} --app APP")
    assert len(str(caught.value)) < 900 + 2 * len(str(tmp_path))
    with pytest.raises(UserError, match=r"dcal: .*not recognised; looked for .*; or PKU-Reid \(<person>_<camera>_<view>.png\)$"):
        check(Shell(), [str(tmp_path), "--app", "dcal"])
    with pytest.raises(UserError, match="did you mean 'dcal'"):
        check(Shell(), [str(tmp_path), "--app", "dcl"])
    with pytest.raises(UserError, match="no such file"):
        check(Shell(), [str(tmp_path / "gone")])
    with pytest.raises(UserError, match="did you mean"):
        check(Shell(), [str(tmp_path), "--nears"])


def test_what_one_application_knows_and_finds_broken_is_told_without_the_layouts_of_the_others(tmp_path, monkeypatch):
    def broken(path):
        raise ValueError(f"{path}: images.txt has no line 3; fetch it again")

    monkeypatch.setattr("datamodules.mil.layouts.detect", broken)
    with pytest.raises(
        UserError, match=r"^mil: .*: images.txt has no line 3; fetch it again; what the other applications read: "
    ) as caught:
        check(Shell(), [str(tmp_path)])
    assert "looked for" not in str(caught.value)


def test_a_set_of_identities_is_told_with_its_own_recipe(tmp_path, capsys):
    code, out = run(capsys, market(tmp_path))
    assert code == 0
    assert "dcal (market), 13 identities, train 24, val 8, query 8, gallery 17" in out
    assert f"discern dcal fit --config reid --data.path={tmp_path}" in out


def test_a_path_that_is_not_there_is_said_once(tmp_path):
    with pytest.raises(UserError) as caught:
        check(Shell(), [str(tmp_path / "nowhere")])
    assert str(caught.value) == f"{tmp_path / 'nowhere'}: no such file or folder"


def test_a_folder_of_which_another_application_only_likes_the_look_is_told_by_the_one_that_reads_it(tmp_path, capsys):
    """mil takes any array file in a folder for features."""
    set_ = folder(tmp_path, {"train/ant": 5, "train/bee": 5})
    np.savez(set_ / "sizes.npz", sizes=np.arange(3))
    code, out = run(capsys, set_)
    assert code == 0
    assert out.count("train on it") == 1
    assert "dcal (splits)" in out


def test_a_set_that_lies_in_folders_is_told_as_what_it_is_and_not_as_classes(tmp_path, capsys):
    code, out = run(capsys, sun(tmp_path))
    assert code == 0
    assert out.count("train on it") == 1
    assert "hag (sun)" in out
