import json

from benchmarks.rows import kept, spread


def test_a_kept_row_is_not_made_again_until_its_recipe_changes(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"value": len(made)}

    assert kept(tmp_path, "a row, 0", {"sizes": (1, 2)}, make)["value"] == 1
    assert kept(tmp_path, "a row, 0", {"sizes": (1, 2)}, make)["value"] == 1
    assert kept(tmp_path, "a row, 0", {"sizes": (1, 3)}, make)["value"] == 2
    assert [json.loads(path.read_text())["value"] for path in tmp_path.iterdir()] == [2]


def test_one_seed_has_no_interval_and_several_have():
    assert spread("top1", [0.5]) == {"top1": 0.5, "top1_ci95": "-"}
    assert spread("top1", [0.4, 0.6])["top1_ci95"] == "1.2706"  # t 12.706, deviation 0.1414, two seeds
