"""evaluate: a report with every pair counted, that names nobody."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from apps.ahan.evaluation import by_group, evaluated, hard_pairs, sets_of
from apps.ahan.judged import Judged
from apps.ahan.scenarios import score
from apps.base import trust
from datamodules.ahan.pairs import draw_pairs
from datamodules.whole import sha256
from tests.apps.ahan.tiny_files import calibration, embed_file, write_table
from tests.system.command import Here, Said


def judged(failed: tuple[int, ...] = (), families: int = 12, each: int = 4) -> tuple[Judged, Any]:
    """Twins near one another, strangers apart; two visits."""
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(2 * families), each)
    visit = np.tile(np.arange(each) // 2, 2 * families)
    centre = generator.standard_normal((families, 16))[np.arange(2 * families) // 2] + 0.5 * generator.standard_normal((2 * families, 16))
    vectors = centre[person] + 0.4 * generator.standard_normal((len(person), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[list(failed)] = np.nan
    numbers = np.stack([person, person // 2, visit, np.arange(len(person))], 1)
    pairs = draw_pairs(person, person // 2, visit, general=400)
    scored, kind = score(vectors, np.arange(len(person)), numbers, pairs)
    return Judged(
        vectors, ["dark" if row in failed else None for row in range(len(person))], numbers, scored, kind, np.zeros(len(person), bool)
    ), pairs


def test_every_pair_with_a_failed_image_is_counted() -> None:
    whole, _ = judged()
    some, _ = judged(failed=(0, 9))
    full, part = (evaluated(each, sets_of(each), None, 20, 0) for each in (whole, some))
    assert some.reasons() == {"dark": 2}
    for name in ("general", "twin"):
        lost = part[name]["failed_pairs"]
        assert part[name]["genuine"] + lost["genuine"] == full[name]["genuine"]
        assert part[name]["impostors"] + lost["impostors"] == full[name]["impostors"]
        kept = part[name]["genuine"] / full[name]["genuine"]
        tar = part[name]["metrics"]["tar_far_0.1"]
        assert part[name]["generalised_tar"]["0.1"] == pytest.approx(tar * kept, abs=1e-5)
    assert full["twin"]["generalised_tar"]["0.1"] == pytest.approx(full["twin"]["metrics"]["tar_far_0.1"], abs=1e-5)


def test_at_the_threshold_of_twins_a_pair_without_eyes_is_not_decided_and_not_accepted() -> None:
    whole, _ = judged()
    made = calibration(general=-1.0, twin=-1.0)
    coarse = np.zeros(len(whole.vectors), bool)
    coarse[:8] = True  # the first family
    found = evaluated(whole._replace(coarse=coarse), sets_of(whole), made, 20, 0)
    assert [found[name]["calibrated"]["far"] for name in ("general", "twin")] == [1, 1]
    assert found["general"]["calibrated"]["generalised_tar"] == 1
    assert found["twin"]["calibrated"]["generalised_tar"] == pytest.approx(11 / 12, abs=1e-6)
    assert "calibrated" not in evaluated(whole._replace(coarse=np.ones_like(coarse)), sets_of(whole), made, 20, 0)["twin"]


def test_twins_are_harder_than_strangers_and_hard_twins_are_those_another_network_confuses() -> None:
    each, pairs = judged()
    hard = hard_pairs(each, pairs, each.scored.score)
    sets = sets_of(each, hard)
    found = evaluated(each, sets, None, 20, 0)
    assert set(found) == {"general", "twin", "hard_twin"}
    assert found["general"]["metrics"]["eer"] < found["twin"]["metrics"]["eer"]
    alike = {name: float(pairs.score[~pairs.same].mean()) for name, pairs in sets.items()}
    assert alike["general"] < alike["twin"] < alike["hard_twin"]
    assert found["hard_twin"]["impostors"] == found["twin"]["impostors"] / 4
    for name in found:
        low, high = found[name]["interval95"]["eer"]
        assert low <= found[name]["metrics"]["eer"] <= high


def test_a_rate_that_the_pairs_cannot_support_is_told_and_not_made_up() -> None:
    each, _ = judged()
    found = evaluated(each, sets_of(each), None, 20, 0)["twin"]
    assert "tar_far_0.001" not in found["metrics"]
    assert "needs >= 1000 impostors" in found["remarks"]["tar_far_0.001"]


def test_fraternal_twins_are_neither_twins_nor_strangers(ask: Any) -> None:
    table = Path("faces/faces.csv")
    lines = [line.replace(",MZ,", ",DZ,") if line.startswith("face-0") else line for line in table.read_text().splitlines()]
    table.write_text("\n".join([f"{lines[0]},yaw", *(f"{line},{20 * at % 80 - 40}" for at, line in enumerate(lines[1:]))]) + "\n")
    assert ask("-o", "report", "--group", "yaw").returncode == 0
    told = json.loads(Path("report/report.json").read_text())
    assert [told["sets"][name]["impostors"] for name in ("kin", "twin")] == [8, 5 * 8]
    assert "other kin" in Path("report/report.html").read_text()
    assert {row["group"] for row in told["groups"]["rows"]} == {"00 to 15 degrees", "15 to 30 degrees", "30 to 45 degrees"}


def test_groups_are_pairs_within_and_small_ones_are_marked() -> None:
    each, pairs = judged()
    person = each.numbers[:, 0]
    groups = ["few" if who < 4 else "many" for who in person]
    few, many = by_group(each, pairs.first, pairs.second, groups, 0.0)
    assert (few["group"], few["genuine"], few["few"]) == ("few", 16, True)
    assert (many["group"], many["genuine"], many["few"]) == ("many", 80, False)
    assert {"eer", "far", "frr"} <= set(many)
    inside = np.array(groups)[pairs.first] == np.array(groups)[pairs.second]
    assert few["impostors"] + many["impostors"] == (inside & (each.kind == "general")).sum()


# --- the verb --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(here: Here) -> Any:
    for seed in (0, 1):
        trust.add(sha256(embed_file(seed)))
    write_table(Path.cwd() / "faces")

    def call(*words: Any) -> Said:
        return here("ahan", "evaluate", "faces", "--model", embed_file(), "--split", "val", "--draws", 20, *words)

    return call


def test_the_report_has_figures_pictures_and_no_names(ask: Any) -> None:
    cv2.imwrite("faces/face-0a-0.png", np.zeros((64, 64, 3), np.uint8))
    calibration(general=0.9).save(Path("c.json"))
    said = ask("-o", "report", "--calibration", "c.json", "--hard-by", embed_file(1), "--group", "light")
    assert said.returncode == 0, said.stderr
    told = json.loads(Path("report/report.json").read_text())
    assert set(told["sets"]) == {"general", "twin", "hard_twin"}
    assert told["images"] == {"total": 48, "failed": 1, "reasons": {"dark": 1}, "fte": round(1 / 48, 6), "coarse": 0}
    assert told["sets"]["general"]["calibrated"]["threshold"] == 0.9
    assert [row["group"] for row in told["groups"]["rows"]] == ["day", "lamp"]
    page = Path("report/report.html").read_text()
    assert page.count("<img") == 3
    assert "hard twins" in page
    assert "class=grey" in page
    for name in ("face-0", "0a-", '.png"'):
        assert name not in Path("report/report.json").read_text()
        assert name not in "".join(part.split("base64,")[0] for part in page.split('"'))
    assert {path.name for path in Path("report").iterdir()} == {"report.html", "report.json", "roc.png", "det.png", "scores.png"}
    assert json.loads(said.stdout)["fte"] == round(1 / 48, 6)


def test_a_report_names_nobody_whom_a_list_of_twins_names(here: Here, ask: Any) -> None:
    for file in Path("faces").glob("*.png"):
        _, person, number = file.stem.split("-")
        visit = Path("people") / person / str(int(number) // 2)
        visit.mkdir(parents=True, exist_ok=True)
        file.rename(visit / f"{number}.png")
    Path("people/Cat_Secret").mkdir()
    Path("people/twins.json").write_text(json.dumps([*([f"{n}a", f"{n}b"] for n in range(6)), ["Ann_Secret", "Bea_Secret"]]))
    said = here("ahan", "evaluate", "people", "--model", embed_file(), "--split", "all", "--draws", 20, "-o", "report")
    assert said.returncode == 0, said.stderr
    for page in (Path("report/report.json").read_text(), Path("report/report.html").read_text()):
        assert "1 entries of twins.json name people without an image" in page
        assert "Secret" not in page


def test_a_set_whose_background_gives_people_away_is_told(ask: Any) -> None:
    for file in Path("faces").glob("*.png"):
        image = cv2.imread(str(file))
        colour = np.random.default_rng(sum(file.name.encode()[:7])).integers(0, 256, 3)
        image[:6], image[-6:], image[:, :4], image[:, -4:] = colour, colour, colour, colour
        cv2.imwrite(str(file), image)
    said = ask("-o", "report")
    assert said.returncode == 0, said.stderr
    assert "leak: the background alone" in said.stderr
    assert "<b>Leak.</b>" in Path("report/report.html").read_text()


def test_the_report_says_which_pairs_of_a_list_were_taken(here: Here, ask: Any) -> None:
    faces = [f"face-{family}{letter}-{number}.png" for family in range(6) for letter in "ab" for number in range(2)]
    pairs = [(faces[i], faces[i + 1], 1) for i in range(0, 24, 2)] + [(faces[i], faces[(i + 4) % 24], 0) for i in range(24)]
    lines = [f"{one},{other},{same},{at % 2 + 1}" for at, (one, other, same) in enumerate(pairs)]
    Path("faces/faces.csv").unlink()
    Path("faces/pairs.csv").write_text("\n".join(["image1,image2,same,fold", *lines]) + "\n")
    for words, part, count in (((), "all", 36), (("--folds", "1"), "folds 1", 18)):
        said = here("ahan", "evaluate", "faces", "--model", embed_file(), "-o", "report", "--draws", 20, *words)
        assert said.returncode == 0, said.stderr
        told = json.loads(Path("report/report.json").read_text())
        assert told["split"] == part
        assert told["sets"]["general"]["genuine"] + told["sets"]["general"]["impostors"] == count
    assert "18 of the 36 pairs" in Path("report/report.html").read_text()
    assert "--split" in ask("-o", "r", "--split", "some").line
    assert "lies in the split val" in ask("-o", "r").line


def test_of_kin_it_is_told_what_colour_alone_reaches(here: Here, ask: Any) -> None:
    """Parent and child on one photograph, each pair in a light of its own."""
    rows, generator = np.empty((40, 4), object), np.random.default_rng(0)
    Path("kin/images/father-dau").mkdir(parents=True)
    Path("kin/meta_data").mkdir()
    for n in range(20):
        light = generator.uniform(0.3, 1, 3)
        for who in (1, 2):
            face = cv2.imread(f"faces/face-{n % 6}{'ab'[who - 1]}-{n % 4}.png")
            cv2.imwrite(f"kin/images/father-dau/fd_{n:03}_{who}.jpg", (face * light).astype(np.uint8))
        for kin in (0, 1):
            rows[2 * n + kin] = [n % 5 + 1, kin, f"fd_{n:03}_1.jpg", f"fd_{n if kin else (n + 5) % 20:03}_2.jpg"]
    savemat("kin/meta_data/fd_pairs.mat", {"pairs": rows})
    said = here("ahan", "evaluate", "kin", "--model", embed_file(), "-o", "report", "--draws", 20, "--limit", "dark=0")
    assert said.returncode == 0, said.stderr
    told = json.loads(Path("report/report.json").read_text())
    assert told["colour"]["auc"] > 0.8
    assert "The mean colour alone" in Path("report/report.html").read_text()
    ask("-o", "other")
    assert "colour" not in json.loads(Path("other/report.json").read_text())


def test_what_cannot_be_evaluated_is_one_line(ask: Any, here: Here) -> None:
    Path("taken").touch()
    for words, part in (
        (("-o", "taken"), "is a file"),
        ((), "-o"),
        (("-o", "r", "--group", "height"), "no column 'height'"),
        (("-o", "r", "--split", "train"), "no genuine pair"),
        (("-o", "r", "--draws", 0), "not a count"),
        (("-o", "r", "--seed", -1), "is no seed"),
        (("-o", "r", "--calibration", "none.json"), "no such calibration"),
        (("-o", "r", "--hard-by", "none.ts"), "no such file"),
    ):
        said = ask(*words)
        assert (said.returncode, said.stdout) == (2, ""), said.stderr
        assert part in said.line
    for data, part in (("none", "no such file or folder"), ("faces/face-0a-0.png", "not recognised")):
        said = here("ahan", "evaluate", data, "--model", embed_file(), "-o", "r")
        assert (said.returncode, part in said.line) == (2, True)
    for file in Path("faces").glob("*.png"):
        cv2.imwrite(str(file), np.zeros((64, 64, 3), np.uint8))
    assert "two usable faces" in ask("-o", "r").line
