"""index, search, same and explain, asked with exported files in this process."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from apps.base import trust
from apps.dcal.gallery import Gallery, content_digest
from apps.dcal.verbs.labels import Labels
from datamodules.dcal.reid_csv_layout import read_reid_csv
from datamodules.whole import sha256
from tests.apps.dcal.tiny_files import THRESHOLD, classify_file, embed_file, yard
from tests.system.command import ROOT, Here, environment


@pytest.fixture
def who(here: Here) -> str:
    trust.add(sha256(embed_file()))
    return str(embed_file())


@pytest.fixture
def pictures(here: Here) -> list[str]:
    return [str(Path(name).relative_to(Path.cwd())) for name in yard(Path.cwd() / "yard")]


def ask(here: Here, *words: Any, code: int = 0) -> list[dict[str, Any]]:
    said = here("dcal", *words)
    assert said.returncode == code, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def refused(here: Here, *words: Any) -> str:
    said = here("dcal", *words)
    assert said.returncode == 2, said.stderr + said.stdout
    assert said.stdout == ""
    return said.line


# --- index -----------------------------------------------------------------------------------------------------------


def test_a_folder_becomes_a_gallery_of_its_pictures_with_what_a_csv_knows(here: Here, who: str, pictures: list[str]) -> None:
    (answer,) = ask(here, "index", who, "yard", "-o", "g", "--labels", "yard.csv")
    assert answer == {"gallery": "g", "added": 12, "there_already": 0, "removed": 0, "failed": 0, "pictures": 12}
    gallery = Gallery.load("g")
    assert [entry.name for entry in gallery.entries] == pictures
    assert [entry.camera for entry in gallery.entries] == ["0", "0", "1", "1"] * 3
    assert gallery.entries[4].label == "beetle 1"
    assert gallery.entries[0].digest == content_digest(Path(pictures[0]).read_bytes())
    assert stat.S_IMODE(Path("g").stat().st_mode) == 0o600


def test_indexing_again_adds_what_is_new_and_passes_by_what_is_there(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, *pictures[:5], "-o", "g")
    before = Gallery.load("g")
    (answer,) = ask(here, "index", who, "yard", "-o", "g")
    assert (answer["added"], answer["there_already"]) == (7, 5)
    after = Gallery.load("g")
    assert after.entries[:5] == before.entries
    assert np.array_equal(after.vectors[:5], before.vectors)


def test_a_picture_named_twice_is_one_entry(here: Here, who: str, pictures: list[str]) -> None:
    (answer,) = ask(here, "index", who, pictures[0], pictures[0], "-o", "g")
    assert (answer["added"], answer["pictures"]) == (1, 1)


def test_delete_and_forget_need_no_model(here: Here, who: str, pictures: list[str]) -> None:
    copy = Path("yard/copy.png")
    copy.write_bytes(Path(pictures[1]).read_bytes())
    ask(here, "index", who, "yard", "-o", "g")
    (answer,) = ask(here, "index", "-o", "g", "--delete", pictures[0], "--forget", pictures[1])
    assert (answer["removed"], answer["pictures"]) == (3, 10)
    names = {entry.name for entry in Gallery.load("g").entries}
    assert not names & {pictures[0], pictures[1], str(copy)}
    assert "nothing was deleted" in refused(here, "index", "-o", "g", "--delete", "nobody.png")


def test_changed_contents_under_a_known_name_are_refused_until_deleted(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "g")
    Path(pictures[0]).write_bytes(Path(pictures[1]).read_bytes())
    said = here("dcal", "index", who, "yard", "-o", "g")
    assert said.returncode == 1
    assert f"{pictures[0]}: is in the gallery with other contents" in said.stderr
    (answer,) = ask(here, "index", who, "yard", "-o", "g", "--delete", pictures[0])
    assert (answer["added"], answer["removed"], answer["pictures"]) == (1, 1, 12)


def test_a_broken_picture_is_named_and_counted_and_the_others_go_in(here: Here, who: str, pictures: list[str]) -> None:
    Path(pictures[2]).write_bytes(Path(pictures[2]).read_bytes()[:200])
    Path("yard/empty.jpg").write_bytes(b"")
    said = here("dcal", "index", who, "yard", "-o", "g")
    assert said.returncode == 1
    answer = json.loads(said.stdout)
    assert (answer["added"], answer["failed"], answer["pictures"]) == (11, 2, 11)
    assert pictures[2] in said.stderr


def test_a_folder_without_pictures_makes_no_gallery(here: Here, who: str) -> None:
    Path("empty").mkdir()
    Path("empty/notes.txt").write_text("no picture")
    assert "no pictures in empty" in refused(here, "index", who, "empty", "-o", "g")
    assert not Path("g").exists()


def test_a_gallery_of_another_model_is_refused_and_stays_as_it_is(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "g")
    before = Path("g").read_bytes()
    other = str(embed_file(seed=1))
    for words in (("index", other, "yard", "-o", "g"), ("search", other, "g", pictures[0])):
        assert "the gallery was made by model" in refused(here, *words, "--trust")
    assert Path("g").read_bytes() == before


@pytest.mark.parametrize("other", [{"rows": 0}, pytest.param({"suffix": ".pt2"}, marks=pytest.mark.full)])
def test_the_same_model_in_another_format_or_with_another_threshold_reads_the_gallery(
    here: Here, who: str, pictures: list[str], other: dict[str, Any]
) -> None:
    ask(here, "index", who, *pictures[:6], "-o", "g")
    (answer,) = ask(here, "search", embed_file(**other), "g", pictures[3], "--trust", "--top", 1)
    assert answer["matches"][0]["name"] == pictures[3]
    assert answer["matches"][0]["cosine"] == pytest.approx(1, abs=1e-4)


def test_other_branches_are_another_model(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "g")
    assert "was made by model" in refused(here, "search", embed_file(branches="sa"), "g", pictures[0], "--trust")


def test_an_untrusted_file_does_not_run(here: Here, pictures: list[str]) -> None:
    assert "not trusted" in refused(here, "index", embed_file(), "yard", "-o", "g")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "needs FILE and pictures"),
        (("FILE",), "needs pictures besides"),
        (("FILE", "yard", "--labels", "nowhere.csv"), "no such file"),
        (("FILE", "yard", "--labels", "bad.csv"), "needed are file, and camera or label"),
        (("FILE", "yard", "--delete", "a"), "no such gallery"),
    ],
)
def test_wrong_words_of_index_are_one_line(here: Here, who: str, pictures: list[str], words: tuple[str, ...], says: str) -> None:
    Path("bad.csv").write_text("file,colour\nyard/000.png,red\n")
    assert says in refused(here, "index", *(who if word == "FILE" else word for word in words), "-o", "g")
    assert not Path("g").exists()


def test_rows_of_a_csv_that_name_no_picture_are_told(here: Here, who: str, pictures: list[str]) -> None:
    Path("yard.csv").write_text("file,label\nyard/000.png,ann\nyard/999.png,bob\n")
    said = here("dcal", "index", who, "yard", "-o", "g", "--labels", "yard.csv")
    assert said.returncode == 1
    assert "yard.csv:3: no picture 'yard/999.png'" in said.stderr
    assert "11 pictures are not named in the CSV" in said.stderr
    assert Gallery.load("g").entries[0].label == "ann"


def test_half_a_gallery_finds_the_same(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "whole")
    ask(here, "index", who, "yard", "-o", "half", "--half")
    assert Gallery.load("half").vectors.dtype == np.float16
    found = [ask(here, "search", who, gallery, pictures[0], "--top", 1)[0]["matches"][0]["name"] for gallery in ("whole", "half")]
    assert found == [pictures[0]] * 2


# --- search ----------------------------------------------------------------------------------------------------------


def test_a_search_ranks_the_gallery_and_says_what_is_known(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "g", "--labels", "yard.csv")
    rows = ask(here, "search", who, "g", pictures[0], pictures[5], "--top", 4, "--labels", "yard.csv")
    assert [row["input"] for row in rows] == [pictures[0], pictures[5]]
    for row, label in zip(rows, ("beetle 0", "beetle 1"), strict=True):
        cosines = [match["cosine"] for match in row["matches"]]
        assert cosines == sorted(cosines, reverse=True)
        assert row["matches"][0] == {"name": row["input"], "cosine": 1.0, "camera": "0", "label": label, "same": True, "same_file": True}
        assert all(match["same"] == (match["label"] == label) for match in row["matches"])


def test_the_pictures_own_camera_can_be_left_out(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "g", "--labels", "yard.csv")
    (row,) = ask(here, "search", who, "g", pictures[0], "--exclude-camera", "--camera", 0)
    assert {match["camera"] for match in row["matches"]} == {"1"}
    assert len(row["matches"]) == 6
    (row,) = ask(here, "search", who, "g", pictures[0], "--exclude-camera", code=1)
    assert "need the camera" in row["error"]


def test_centring_needs_enough_pictures_of_every_camera(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "g", "--labels", "yard.csv")
    assert "a mean needs 20" in refused(here, "search", who, "g", pictures[0], "--center-camera", "--camera", 0)


def test_a_gallery_of_one_picture_answers_and_an_empty_one_is_refused(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, pictures[0], "-o", "g")
    (row,) = ask(here, "search", who, "g", pictures[3])
    assert [match["name"] for match in row["matches"]] == [pictures[0]]
    ask(here, "index", "-o", "g", "--forget", pictures[0])
    assert "is empty" in refused(here, "search", who, "g", pictures[3])


def test_a_query_that_cannot_be_read_is_a_row_with_its_error(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "g")
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    rows = ask(here, "search", who, "g", "broken.png", pictures[0], "nowhere.png", code=1)
    assert ["error" in row for row in rows] == [True, False, True]


def test_a_file_that_is_no_gallery_is_named(here: Here, who: str, pictures: list[str]) -> None:
    Path("g").write_bytes(b"nothing of that kind")
    assert "not a readable gallery" in refused(here, "search", who, "g", pictures[0])
    assert "no such gallery" in refused(here, "search", who, "nowhere", pictures[0])


def test_a_sheet_is_drawn_even_where_the_gallerys_pictures_are_gone(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "index", who, "yard", "-o", "g", "--labels", "yard.csv")
    Path(pictures[1]).unlink()
    ask(
        here, "search", who, "g", pictures[0], pictures[6], "--sheet", "sheet.png", "--labels", "yard.csv", code=1
    )  # 001 is named, and gone
    assert cv2.imread("sheet.png").shape[0] > 100
    assert "no file in an existing folder" in refused(here, "search", who, "g", pictures[0], "--sheet", "nowhere/a.png")


# --- same ------------------------------------------------------------------------------------------------------------


def test_same_decides_at_the_threshold_of_its_rate(here: Here, who: str, pictures: list[str]) -> None:
    (answer,) = ask(here, "same", who, pictures[0], pictures[7])
    assert answer["same"] == (answer["cosine"] > THRESHOLD)
    assert (answer["far"], answer["threshold"], answer["true_accept_rate"]) == (0.01, 0.5, 0.9)
    (turned,) = ask(here, "same", who, pictures[7], pictures[0], "--far", 0.1)
    assert turned["far"] == 0.1
    assert turned["cosine"] == pytest.approx(answer["cosine"], abs=1e-6)
    (itself,) = ask(here, "same", who, pictures[0], pictures[0])
    assert itself["same"]
    assert itself["same_file"]
    assert itself["cosine"] == pytest.approx(1, abs=1e-6)


def test_a_file_without_a_threshold_decides_nothing(here: Here, pictures: list[str]) -> None:
    file = embed_file(rows=0)
    (answer,) = ask(here, "same", file, pictures[0], pictures[1], "--trust")
    assert answer["same"] is None
    assert "there is none" in refused(here, "same", file, pictures[0], pictures[1], "--far", 0.01, "--trust")


def test_same_draws_both_and_names_what_it_cannot_read(here: Here, who: str, pictures: list[str]) -> None:
    ask(here, "same", who, pictures[0], pictures[2], "-o", "both.png")
    assert cv2.imread("both.png") is not None
    assert "nowhere.png" in refused(here, "same", who, pictures[0], "nowhere.png")
    plain = embed_file(branches="sa")
    ask(here, "same", plain, pictures[0], pictures[2], "--trust")
    assert "gives no rollout" in refused(here, "same", plain, pictures[0], pictures[2], "-o", "both.png", "--trust")


# --- explain ---------------------------------------------------------------------------------------------------------


def test_explain_draws_what_an_embedder_and_a_classifier_looked_at(here: Here, who: str, pictures: list[str]) -> None:
    (answer,) = ask(here, "explain", who, pictures[0], "-o", "looked.png")
    assert len(answer["selected"]) == 4
    assert answer["selected"][0] == answer["rollout_peak"]["patch"]
    assert answer["rollout_peak"]["times_even"] >= 1
    cv2.imwrite("wide.png", np.zeros((30, 90, 3), np.uint8))
    (answer,) = ask(here, "explain", classify_file(), "wide.png", "-o", "looked.png", "--trust")
    assert answer["label"] in ("ash", "birch", "cedar", "dune")
    assert cv2.imread("looked.png") is not None


def test_options_of_a_checkpoint_do_not_go_with_a_file(here: Here, who: str, pictures: list[str]) -> None:
    for option in ("--beside", "--run"):
        assert "goes with a checkpoint" in refused(here, "explain", who, pictures[0], option, pictures[1], "-o", "a.png")
    assert "no such checkpoint" in refused(here, "explain", "nowhere.ckpt", pictures[0], "-o", "a.png")


@pytest.mark.parametrize(("words", "named"), [(["--device", "cuda"], "--device"), (["--trust"], "--trust")])
def test_options_of_a_file_do_not_go_with_a_checkpoint(here: Here, pictures: list[str], words: list[str], named: str) -> None:
    said = refused(here, "explain", "nowhere.ckpt", pictures[0], *words, "-o", "a.png")
    assert f"{named} goes with an exported file" in said


@pytest.mark.parametrize("verb", [["same", "a.png", "b.png"], ["explain", "a.png", "-o", "c.png"]])
def test_verbs_of_one_or_two_pictures_take_no_batch(here: Here, verb: list[str]) -> None:
    assert "--batch" in refused(here, verb[0], "who.ts", *verb[1:], "--batch", "3")


def test_a_csv_of_labels_and_identities_says_the_same_to_a_gallery_as_to_a_training(tmp_path: Path) -> None:
    yard(tmp_path / "yard", count=1)
    (tmp_path / "known.csv").write_text("file,label,identity,split\nyard/000.png,car,ann,train\n")
    (record,) = read_reid_csv(tmp_path / "known.csv").records
    assert record.identity == Labels(str(tmp_path / "known.csv"), []).of(str(tmp_path / "yard" / "000.png")).label == "ann"


@pytest.mark.parametrize(("wrong", "more"), [(5, []), (7, ["and 2 more like these"])])
def test_of_many_wrong_rows_some_are_told_and_the_others_counted(tmp_path: Path, wrong: int, more: list[str]) -> None:
    (tmp_path / "known.csv").write_text("file,label\n" + "".join(f"{i}.png,ann\n" for i in range(wrong)))
    told = Labels(str(tmp_path / "known.csv"), []).told()
    assert len(told[:5]) == 5
    assert told[5:] == more


def test_a_file_of_another_application_is_refused(here: Here, monkeypatch: pytest.MonkeyPatch, pictures: list[str]) -> None:
    from apps.base.predict.program_file import ProgramBytes

    found = ProgramBytes.metadata
    monkeypatch.setattr(ProgramBytes, "metadata", lambda self: {**found(self), "app": "otsnet"})
    assert "is a file of otsnet" in refused(here, "same", embed_file(), pictures[0], pictures[1], "--trust")


def test_verbs_on_exported_files_bring_neither_lightning_nor_mlflow(tmp_path: Path) -> None:
    verbs = ", ".join(f"apps.dcal.verbs.{name}" for name in ("index", "search", "same", "explain"))
    code = f"import sys, {verbs}; print([name for name in ('pytorch_lightning', 'lightning_fabric', 'mlflow') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
