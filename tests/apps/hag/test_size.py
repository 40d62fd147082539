"""size: a line a frame and a line a polyp, of pictures and videos, whatever keeps the boxes; what is wrong is one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from apps.base import trust
from apps.hag.calibration_file import CalibrationFile, Spread
from apps.hag.conformal import Offset
from datamodules.whole import sha256
from tests.apps.hag.tiny_files import SIDE, made, size_file, write_frames, write_video
from tests.system.command import Here, Said

Rows = list[dict[str, Any]]


def rows_of(said: Said) -> tuple[dict[str, Any], Rows, Rows]:
    """(head, frames, polyps)"""
    head, *rows = map(json.loads, said.stdout.splitlines())
    return head, [row for row in rows if "frame" in row], [row for row in rows if "n_frames" in row]


@pytest.fixture
def ask(here: Here) -> Callable[..., Said]:
    for kind in ("both", "regress", "classes3"):
        trust.add(sha256(size_file(kind)))
    write_frames(Path("inputs"))

    def call(*words: Any, kind: str = "both") -> Said:
        return here("hag", "size", *words, "--model", size_file(kind))

    return call


def calibration(kind: str = "both", offset: Offset | None = None) -> Path:
    from apps.base.predict.program_file import ProgramBytes

    spread = Spread(0.5, (-0.4, -0.1, 0.0, 0.1, 0.4))
    CalibrationFile(ProgramBytes(size_file(kind)).metadata()["model"], 0.9, 30, spread, spread, offset).save(Path("c.json"))
    return Path("c.json")


# --- frames and polyps -----------------------------------------------------------------------------------------------


def test_every_frame_and_every_polyp_has_a_line_and_the_notice_stands_once_on_stdout(ask: Any) -> None:
    said = ask("inputs", "--boxes", "inputs/boxes.csv")
    assert said.returncode == 0, said.stderr
    head, frames, polyps = rows_of(said)
    assert said.stdout.count("no medical device") == said.stderr.count("no medical device") == 1
    assert "no medical device" in head["notice"]
    assert [row["frame"] for row in frames] == [f"inputs/frame-{at}.png" for at in range(6)]
    assert [row["polyp"] for row in polyps] == ["polyp-0", "polyp-1", "polyp-2"]
    for row in frames:
        assert row["status"] == "ok"
        assert row["mm"] > 0
        assert (row["mm_lo"], row["mm_hi"]) == (None, None)
        assert 0 < row["quality"] <= 1
        assert row["class3"] in ("diminutive", "small", "large")
    for row in polyps:
        own = [frame["mm"] for frame in frames if frame["polyp"] == row["polyp"]]
        assert min(own) <= row["mm"] <= max(own)
        assert (row["n_frames"], row["status"], row["decision"]) == (2, "few_frames", None)


def test_a_picture_alone_and_among_others_has_the_same_size(ask: Any) -> None:
    _, together, _ = rows_of(ask("inputs", "--boxes", "inputs/boxes.csv"))
    for at in (0, 3):
        _, (alone,), _ = rows_of(ask(f"inputs/frame-{at}.png", "--boxes", "inputs/boxes.csv", "--batch", 1))
        assert alone["mm"] == pytest.approx(together[at]["mm"], abs=2e-4)


def test_without_boxes_the_whole_frame_counts_and_both_the_line_and_the_words_say_so(ask: Any) -> None:
    said = ask("inputs")
    _, frames, polyps = rows_of(said)
    assert {row["status"] for row in frames} == {"whole_frame"}
    assert {row["box"] for row in frames} == {None}
    assert polyps == []
    assert "6 of 6 frames had no box: the whole frame was used" in said.stderr


def test_a_frame_without_a_box_in_the_file_has_no_size(ask: Any) -> None:
    lines = Path("inputs/boxes.csv").read_text().splitlines()
    Path("inputs/boxes.csv").write_text("\n".join(line for line in lines if "frame-2" not in line))
    said = ask("inputs", "--boxes", "inputs/boxes.csv")
    assert said.returncode == 0
    _, frames, polyps = rows_of(said)
    assert (frames[2]["status"], frames[2]["mm"], frames[2]["polyp"]) == ("no_box", None, None)
    assert [row["n_frames"] for row in polyps] == [2, 1, 2]


def test_a_folder_is_a_polyp_where_that_is_asked_for(ask: Any) -> None:
    for at in range(6):
        folder = Path("groups") / "ab"[at % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Path(f"inputs/frame-{at}.png").rename(folder / f"frame-{at}.png")
    _, frames, polyps = rows_of(ask("groups", "--boxes", "inputs/boxes.csv", "--group", "folder"))
    assert [(row["polyp"], row["n_frames"]) for row in polyps] == [("groups/a", 3), ("groups/b", 3)]
    assert {row["polyp"] for row in frames} == {"groups/a", "groups/b"}


def test_boxes_are_read_from_whatever_keeps_them(ask: Any) -> None:
    _, wanted, _ = rows_of(ask("inputs", "--boxes", "inputs/boxes.csv"))
    box = made().scenes.box[:6].astype(float)
    kept = {name: Path(name) for name in ("voc", "yolo", "masks")}
    for folder in kept.values():
        folder.mkdir()
    coco: dict[str, Any] = {"images": [], "annotations": []}
    sun = []
    for at, (x0, y0, x1, y1) in enumerate(box.round(2)):
        corners = f"<xmin>{x0}</xmin><xmax>{x1}</xmax><ymin>{y0}</ymin><ymax>{y1}</ymax>"
        object_ = f"<object><unique_id>polyp-{at // 2}</unique_id><bndbox>{corners}</bndbox></object>"
        (kept["voc"] / f"frame-{at}.xml").write_text(f"<annotation>{object_}</annotation>")
        shares = (x0 + x1) / 2 / SIDE, (y0 + y1) / 2 / SIDE, (x1 - x0) / SIDE, (y1 - y0) / SIDE
        (kept["yolo"] / f"frame-{at}.txt").write_text("0 " + " ".join(f"{value:.8f}" for value in shares))
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[round(y0) : max(round(y0) + 1, round(y1)), round(x0) : max(round(x0) + 1, round(x1))] = 255
        cv2.imwrite(str(kept["masks"] / f"frame-{at}.png"), mask)
        coco["images"].append({"id": at, "file_name": f"frame-{at}.png"})
        coco["annotations"].append({"image_id": at, "bbox": [x0, y0, x1 - x0, y1 - y0]})
        sun.append(f"frame-{at}.png {x0},{y0},{x1},{y1},0")
    Path("coco.json").write_text(json.dumps(coco))
    Path("case1.txt").write_text("\n".join(sun))
    for name in ("voc", "yolo", "masks", "coco.json", "case1.txt"):
        said = ask("inputs", "--boxes", name)
        assert said.returncode == 0, (name, said.stderr)
        _, frames, polyps = rows_of(said)
        assert [row["box"] for row in frames] == [pytest.approx(row["box"], abs=0.51 if name == "masks" else 0.02) for row in wanted]
        assert len(polyps) == (3 if name == "voc" else 0), name  # the others name no polyp


def test_two_polyps_on_one_frame_have_two_lines_and_cannot_be_one_folder(ask: Any) -> None:
    with Path("inputs/boxes.csv").open("a") as file:
        file.write("frame-0.png,2,2,9,9,other\n")
    said = ask("inputs", "--boxes", "inputs/boxes.csv")
    _, frames, polyps = rows_of(said)
    assert [row["polyp"] for row in frames[:2]] == ["polyp-0", "other"]
    assert [row["n_frames"] for row in polyps] == [2, 1, 2, 2]
    said = ask("inputs", "--boxes", "inputs/boxes.csv", "--group", "folder")
    assert said.returncode == 2
    assert "2 boxes" in said.stderr.splitlines()[-1]


def two_cases() -> tuple[list[str], list[str]]:
    """frame-0.png in two folders: (their names, lines of boxes, both different)."""
    names, lines = [], []
    for case, at in (("case1", 0), ("case2", 3)):
        folder = Path("cases") / case
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "frame-0.png").write_bytes(Path(f"inputs/frame-{at}.png").read_bytes())
        names.append(f"cases/{case}/frame-0.png")
        lines.append(f"{case}/frame-0.png,{4 + at},5,20,30,{case}")
    return names, lines


def test_frames_of_one_name_in_two_folders_keep_their_own_boxes(ask: Any) -> None:
    _, lines = two_cases()
    Path("b.csv").write_text("image,xmin,ymin,xmax,ymax,polyp\n" + "\n".join(lines))
    for inputs in (["cases"], [str(Path("cases").absolute())]):
        said = ask(*inputs, "--boxes", "b.csv")
        assert said.returncode == 0, said.stderr
        _, frames, _ = rows_of(said)
        assert [(row["polyp"], row["box"][0]) for row in frames] == [("case1", 4), ("case2", 7)]
    Path("voc").mkdir()
    for case, x0 in (("case1", 4), ("case2", 7)):
        corners = f"<xmin>{x0}</xmin><xmax>20</xmax><ymin>5</ymin><ymax>30</ymax>"
        Path("voc", case).mkdir()
        Path("voc", case, "frame-0.xml").write_text(f"<annotation><object><bndbox>{corners}</bndbox></object></annotation>")
    _, frames, _ = rows_of(ask("cases", "--boxes", "voc"))
    assert [row["box"][0] for row in frames] == [4, 7]


def test_a_box_that_may_belong_to_several_frames_is_refused(ask: Any) -> None:
    names, lines = two_cases()
    for kept in (["frame-0.png,4,5,20,30,a"], [line.replace("case", "other") for line in lines]):
        Path("b.csv").write_text("image,xmin,ymin,xmax,ymax,polyp\n" + "\n".join(kept))
        said = ask("cases", "--boxes", "b.csv")
        assert said.returncode == 2
        assert "name frames there with their folders" in said.stderr.splitlines()[-1]
    Path("b.csv").write_text(
        "image,xmin,ymin,xmax,ymax,polyp\n" + lines[0] + "\n" + "case1/frame-1.png,1,2,30,30,a\ncase2/frame-1.png,,,,,"
    )
    _, frames, _ = rows_of(ask(*names, "--boxes", "b.csv"))
    assert [row["status"] for row in frames] == ["ok", "no_box"]  # of frame-0 in case2 nothing is said


def test_frames_that_differ_in_their_ending_alone_share_no_boxes(ask: Any) -> None:
    Path("b.csv").write_text("image,xmin,ymin,xmax,ymax\nframe-0.png,4,5,20,30\nframe-0.jpg,7,5,20,30")
    assert "differ in their ending alone" in ask("inputs", "--boxes", "b.csv").line


def test_kvasirs_own_file_of_boxes_is_read(ask: Any) -> None:
    box = {"label": "polyp", "xmin": 4, "ymin": 5, "xmax": 20, "ymax": 30}
    sized = {"height": SIDE, "width": SIDE}
    content = {"frame-0": sized | {"bbox": [box]}, "frame-1": sized | {"bbox": [box | {"xmax": 2}]}}
    Path("kavsir_bboxes.json").write_text(json.dumps(content))
    said = ask("inputs/frame-0.png", "inputs/frame-1.png", "--boxes", "kavsir_bboxes.json")
    _, frames, _ = rows_of(said)
    assert [row["status"] for row in frames] == ["ok", "no_box"]
    assert frames[0]["box"] == [4, 5, 20, 30]
    assert "kavsir_bboxes.json: frame-1: " in said.stderr


# --- what a frame needs beside its picture ---------------------------------------------------------------------------


def trusted(**told: Any) -> Path:
    path = size_file(**told)
    trust.add(sha256(path))
    return path


def test_depth_comes_from_files_called_as_frames_are_and_as_it_was_learned(ask: Any, here: Here) -> None:
    Path("depth").mkdir()
    for at in range(6):
        np.save(f"depth/frame-{at}.npy", np.random.default_rng(at).uniform(1, 9, (SIDE, SIDE)).astype(np.float32))
    sizes = {}
    for kind in (
        {"depth": "metric", "depth_scale": 1.0},
        {"depth": "metric", "depth_scale": 0.1},
        {"depth": "relative", "depth_scale": 1.0},
    ):
        words = "inputs", "--boxes", "inputs/boxes.csv", "--model", trusted(sight=kind)
        said = here("hag", "size", *words, "--depth-files", "depth")
        assert said.returncode == 0, said.stderr
        sizes[str(kind)] = tuple(row["mm"] for row in rows_of(said)[1])
    assert len(set(sizes.values())) == 3
    Path("depth/frame-0.npy").unlink()
    said = here("hag", "size", *words, "--depth-files", "depth")
    assert said.returncode == 1
    assert "no depth of" in rows_of(said)[1][0]["error"]
    assert "give --depth-files" in here("hag", "size", *words).line
    assert "leave --depth-files out" in ask("inputs", "--depth-files", "depth").line
    said = here("predict", words[-1], "inputs/frame-0.png")
    assert (said.returncode, said.stdout) == (2, "")
    assert "a verb of `discern hag` gives it what it needs" in said.line


def test_a_depth_file_is_of_one_frame(ask: Any, here: Here) -> None:
    names, _ = two_cases()
    Path("depth").mkdir()
    np.save("depth/frame-0.npy", np.ones((SIDE, SIDE), np.float32))
    model = trusted(sight={"depth": "metric"})
    _, frames, _ = rows_of(here("hag", "size", *names, "--depth-files", "depth", "--model", model))
    assert "keep depth in folders" in frames[1]["error"]
    for at, case in enumerate(("case1", "case2")):
        Path("depth", case).mkdir()
        np.save(f"depth/{case}/frame-0.npy", np.full((SIDE, SIDE), at, np.float32))
    _, frames, _ = rows_of(here("hag", "size", *names, "--depth-files", "depth", "--model", model))
    assert "error" not in frames[1]


def test_what_lies_outside_the_field_of_view_is_blanked_for_a_model_that_never_saw_it(here: Here, ask: Any) -> None:
    image = cv2.imread("inputs/frame-0.png")
    assert image is not None
    Path("dated").mkdir()
    for name, text in (("plain", False), ("dated", True)):
        changed = np.zeros_like(image)
        cv2.circle(changed, (24, 24), 17, (90, 90, 160), -1)
        if text:
            changed[1:6, 1:10] = 255
        cv2.imwrite(f"dated/{name}.png", changed)
    _, (dated, plain), _ = rows_of(ask("dated"))
    assert dated["mm"] != plain["mm"]
    blank = trusted(sight={"blank": True})
    _, (dated, plain), _ = rows_of(here("hag", "size", "dated", "--model", blank))
    assert dated["mm"] == plain["mm"]
    assert "takes more than a picture" in here("predict", blank, "dated/plain.png").line


# --- calibration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["both", "regress"])
def test_a_calibration_gives_intervals_probabilities_and_a_decision(ask: Any, kind: str) -> None:
    offset = Offset(0.9, 9.0, None, 0.95, 0.5, 20, 40)
    said = ask("inputs", "--boxes", "inputs/boxes.csv", "--calibration", calibration(kind, offset), kind=kind)
    head, frames, polyps = rows_of(said)
    assert head["calibration"]["level"] == 0.9
    for row in [*frames, *polyps]:
        assert row["mm_lo"] == pytest.approx(row["mm"] * np.exp(-0.5), rel=1e-3)
        assert row["mm_hi"] == pytest.approx(row["mm"] * np.exp(0.5), rel=1e-3)
        assert 0 < row["p_ge10"] <= row["p_gt5"] < 1
    assert [row["decision"] for row in polyps] == ["large" if row["mm"] >= 1.0 else "not large" for row in polyps]


def test_without_mm_there_are_classes_and_probabilities(ask: Any) -> None:
    _, frames, polyps = rows_of(ask("inputs", "--boxes", "inputs/boxes.csv", kind="classes3"))
    for row in [*frames, *polyps]:
        assert row["mm"] is None
        kind = "large" if row["p_ge10"] >= 0.5 else "small" if row["p_gt5"] > 0.5 else "diminutive"
        assert row["class3"] == kind
    assert [row["frames_used"] for row in polyps] == [2, 2, 2]


def test_a_calibration_of_another_model_is_refused(ask: Any) -> None:
    said = ask("inputs", "--calibration", calibration("regress"))
    assert (said.returncode, said.stdout) == (2, "")
    assert "calibrate anew" in said.line


# --- odd frames ------------------------------------------------------------------------------------------------------


def test_odd_frames_have_a_status_or_an_error_and_the_others_go_on(ask: Any) -> None:
    folder, colour = Path("odd"), made().images[0]
    folder.mkdir()
    for name, pixels in {
        "a-black": np.zeros((40, 50, 3), np.uint8), "b-grey": cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY),
        "c-alpha": np.dstack([colour, np.full((SIDE, SIDE), 255, np.uint8)]), "d-tiny": np.full((8, 8, 3), 90, np.uint8),
        "e-outside": colour, "f-over": colour, "g-wide": np.full((32, 400, 3), 120, np.uint8),
    }.items():  # fmt: skip
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
    (folder / "h-broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 40)
    (folder / "i-empty.png").touch()
    boxes = {"e-outside": (100, 100, 120, 130), "f-over": (-5, -5, 20, 20)}
    names = [path.stem for path in sorted(folder.iterdir())]
    Path("b.csv").write_text(
        "image,xmin,ymin,xmax,ymax\n" + "".join(f"{name}.png,{','.join(map(str, boxes.get(name, (1, 1, 7, 7))))}\n" for name in names)
    )
    said = ask("odd", "--boxes", "b.csv")
    assert said.returncode == 1
    _, frames, _ = rows_of(said)
    assert [row.get("status") or "error" for row in frames] == [
        "dark", "ok", "ok", "error", "box_outside", "clipped", "ok", "error", "error",
    ]  # fmt: skip
    for row in frames:
        assert (row.get("mm") is None) == (row.get("status") in (None, "dark", "box_outside"))
        assert (row.get("quality", 0) == 0) == (row.get("mm") is None)
    assert frames[3]["error"] == "a frame has at least 32 x 32 pixels; give the frame, not its thumbnail"
    assert said.stderr.splitlines()[-2].startswith("discern: 3 of 9 frames failed; the first: odd/d-tiny.png")
    assert "Traceback" not in said.stderr


def test_what_is_named_is_answered_for_and_what_merely_lies_in_a_folder_is_counted(ask: Any) -> None:
    Path("notes.txt").write_text("not a picture")
    said = ask("./notes.txt", "inputs", "missing.png")
    assert said.returncode == 1
    _, frames, _ = rows_of(said)
    assert "not a picture" in frames[0]["error"]
    assert "No such file" in frames[-1]["error"]
    assert len(frames) == 8
    assert "1 files in the folders are neither pictures nor videos" in said.stderr


def test_a_broken_box_leaves_its_frame_without_a_size_and_is_named(ask: Any) -> None:
    text = Path("inputs/boxes.csv").read_text().splitlines()
    text[1] = "frame-0.png,9,9,9,9,polyp-0"
    text[2] = "frame-1.png,a,2,3,4,polyp-0"
    text[3] = "frame-2.png,nan,2,3,4,polyp-1"
    Path("inputs/boxes.csv").write_text("\n".join(text))
    said = ask("inputs", "--boxes", "inputs/boxes.csv")
    assert said.returncode == 1
    _, frames, polyps = rows_of(said)
    assert [row["status"] for row in frames] == ["no_box"] * 3 + ["ok"] * 3
    assert [row["polyp"] for row in polyps] == ["polyp-1", "polyp-2"]
    for line in (2, 3, 4):
        assert f"inputs/boxes.csv:{line}: " in said.stderr


# --- videos ----------------------------------------------------------------------------------------------------------


def test_a_video_is_a_polyp_whose_frames_have_numbers_and_seconds(ask: Any) -> None:
    clip = write_video(Path("clip.avi"))
    box = made().scenes.box
    lines = [f"clip_{at}.png,{','.join(f'{value:.2f}' for value in box[at])}" for at in range(12)]
    Path("b.csv").write_text("image,xmin,ymin,xmax,ymax\n" + "\n".join(lines))
    said = ask(clip, "--boxes", "b.csv", "--draw", "drawn")
    assert said.returncode == 0, said.stderr
    _, frames, (polyp,) = rows_of(said)
    assert [row["number"] for row in frames] == list(range(12))
    assert [row["seconds"] for row in frames] == [pytest.approx(at / 10) for at in range(12)]
    assert (polyp["polyp"], polyp["n_frames"], polyp["status"]) == ("clip.avi", 12, "ok")
    drawn = sorted(path.name for path in Path("drawn").iterdir())
    assert len(drawn) == 13
    assert drawn[-1] == "000013_polyp_clip.avi.png"
    assert cv2.imread("drawn/000001_clip_0.png").shape[1] == 640
    _, frames, _ = rows_of(ask(clip, "--every", 5))
    assert [row["number"] for row in frames] == [0, 5, 10]


def test_two_videos_of_one_name_are_two_polyps_and_share_no_boxes(ask: Any) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        write_video(Path(folder, "clip.avi"), frames=5)
    said = ask("a/clip.avi", "b/clip.avi")
    _, _, polyps = rows_of(said)
    assert [(row["polyp"], row["n_frames"]) for row in polyps] == [("a/clip.avi", 5), ("b/clip.avi", 5)]
    Path("b.csv").write_text("image,xmin,ymin,xmax,ymax\nclip_0.png,4,5,20,30")
    assert "frame 0 of b/clip.avi and frame 0 of a/clip.avi would share" in ask("a/clip.avi", "b/clip.avi", "--boxes", "b.csv").line
    Path("b.csv").write_text("image,xmin,ymin,xmax,ymax\na/clip_0.png,4,5,20,30\nb/clip_0.png,7,5,20,30")
    _, frames, _ = rows_of(ask("a/clip.avi", "b/clip.avi", "--boxes", "b.csv"))
    assert [row["box"][0] for row in frames if row["status"] == "ok"] == [4, 7]


def test_broken_videos_are_one_line_each_and_the_others_go_on(ask: Any) -> None:
    whole = write_video(Path("whole.avi"), frames=40).read_bytes()
    Path("empty.avi").touch()
    Path("noise.mp4").write_bytes(bytes(range(256)) * 20)
    Path("cut.avi").write_bytes(whole[: len(whole) // 2])
    Path("list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    said = ask("empty.avi", "noise.mp4", "list.mp4", "none.mp4", "cut.avi", "whole.avi")
    assert said.returncode == 1
    _, frames, polyps = rows_of(said)
    wrong = {row["frame"]: row["error"] for row in frames if "error" in row}
    assert set(wrong) == {"empty.avi", "noise.mp4", "list.mp4", "none.mp4"}
    assert "empty file" in wrong["empty.avi"]
    assert "no video that OpenCV can read" in wrong["noise.mp4"]
    assert "No such file" in wrong["none.mp4"]
    assert [row["polyp"] for row in polyps] == ["cut.avi", "whole.avi"]
    assert 1 <= polyps[0]["n_frames"] < 40
    assert polyps[1]["n_frames"] == 40
    assert "Traceback" not in said.stderr


def test_a_rate_that_is_none_leaves_the_seconds_out(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(Path("clip.avi"), frames=3)
    real = cv2.VideoCapture

    class Odd:
        def __init__(self, *words: Any) -> None:
            self.inner = real(*words)

        def get(self, key: int) -> float:
            return {cv2.CAP_PROP_FPS: float("nan"), cv2.CAP_PROP_FRAME_COUNT: 500.0}.get(key, self.inner.get(key))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    monkeypatch.setattr(cv2, "VideoCapture", Odd)
    said = ask("clip.avi")
    assert said.returncode == 1
    _, frames, _ = rows_of(said)
    assert [row["seconds"] for row in frames] == [None] * 3
    assert "states nan frames a second" in said.stderr
    assert "breaks off after 3 of the 500 frames" in said.stderr


# --- mistakes --------------------------------------------------------------------------------------------------------


def test_mistakes_are_one_line_and_exit_2(ask: Any, here: Here) -> None:
    Path("taken").touch()
    Path("none.json").write_text("{}")
    for words, part in (
        (("inputs", "--boxes", "nowhere"), "no such file or folder"),
        (("inputs", "--boxes", "none.json"), "not COCO"),
        (("inputs", "--group", "csv"), "there is no --boxes"),
        (("inputs", "--group", "video", "--every", "0"), "not a count"),
        (("inputs", "--draw", "taken"), "is a file"),
        (("inputs", "--calibration", "c.json"), "no such calibration"),
        (("inputs", "--boxs", "b"), "did you mean '--boxes'"),
        ((), "INPUT"),
    ):
        said = ask(*words)
        assert (said.returncode, said.stdout) == (2, ""), words
        assert part in said.line
    assert "write one with `discern hag export" in here("hag", "size", "inputs").line
    said = ask("nothing-*.png")
    assert said.returncode == 2
    assert "no frames in nothing-*.png" in said.line
