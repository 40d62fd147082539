import pytest
import torch

from apps.otsnet.adapt import adapt
from apps.otsnet.readers import build_reader
from tests.apps.otsnet.tiny import eyes


@pytest.mark.parametrize("name", ["otsnet", "ctc", "parseq"])
def test_characters_keep_their_rows_in_another_charset_and_slots_their_places(name: str) -> None:
    observe = eyes(grid="4x32") if name == "ctc" else eyes()
    old, new = build_reader(name, "abc", 4, observe), build_reader(name, "xcab", 6, observe)  # type: ignore[arg-type]
    made = new.state_dict()
    before = {key: value.clone() for key, value in made.items()}
    report = adapt(new, old.state_dict(), "abc", "xcab")
    after, source = new.state_dict(), old.state_dict()
    assert report.missing == report.unexpected == []
    assert report.mismatched == {}
    heads = [key for key in after if key.endswith("head.weight")]
    assert heads
    for key in heads:
        assert torch.equal(after[key][[0, 2, 3, 4]], source[key][[0, 3, 1, 2]])
        assert torch.equal(after[key][1], before[key][1])
    for key in (key for key in after if key.endswith("embed.weight")):
        assert torch.equal(after[key][[0, 2, 3, 4, 5, 6, 7]], source[key][[0, 3, 1, 2, 4, 5, 6]])
    for key in (key for key in after if key in ("locator.slots", "queries")):
        assert torch.equal(after[key][:, :4], source[key])
        assert torch.equal(after[key][:, 4:], before[key][:, 4:])
    for key in after:
        if key not in report.resized:
            assert torch.equal(after[key], source[key])


@pytest.mark.parametrize("name", ["otsnet", "ctc", "parseq"])
def test_a_letter_of_one_case_begins_as_both_of_its_cases(name: str) -> None:
    observe = eyes(grid="4x32") if name == "ctc" else eyes()
    old, new = build_reader(name, "aAbC", 4, observe), build_reader(name, "cba", 4, observe)  # type: ignore[arg-type]
    adapt(new, old.state_dict(), "aAbC", "cba")
    after, source = new.state_dict(), old.state_dict()
    for key in after:
        if key.endswith(("head.weight", "head.bias")):
            a = source[key][1] + source[key][2]
        elif key.endswith("embed.weight"):
            a = (source[key][1] + source[key][2]) / 2
        else:
            continue
        assert torch.allclose(after[key][3], a)
        assert torch.equal(after[key][1:3], source[key][[4, 3]])


def test_case_is_kept_apart_where_the_new_charset_has_both() -> None:
    old, new = build_reader("otsnet", "aAb", 4, eyes()), build_reader("otsnet", "abC", 4, eyes())
    adapt(new, old.state_dict(), "aAb", "abC")
    assert torch.equal(new.state_dict()["position_head.weight"][1], old.state_dict()["position_head.weight"][1])


def test_fewer_slots_keep_the_first() -> None:
    old, new = build_reader("otsnet", "abc", 6, eyes()), build_reader("otsnet", "abc", 4, eyes())
    adapt(new, old.state_dict(), "abc", "abc")
    assert torch.equal(new.state_dict()["locator.slots"], old.state_dict()["locator.slots"][:, :4])


def test_positions_of_another_picture_are_resized_and_another_width_is_named() -> None:
    old, new = build_reader("otsnet", "abc", 6, eyes(width=128)), build_reader("otsnet", "abc", 6, eyes())
    report = adapt(new, old.state_dict(), "abc", "abc", old_cells=(8, 16))
    assert report.resized["observer.place"] == report.resized["observer.key_place"] == "128 to 64"
    report = adapt(build_reader("otsnet", "abc", 6, eyes(dim=32)), old.state_dict(), "abc", "abc")
    assert report.mismatched["observer.norm.weight"] == "(16,) in the file, (32,) in the model"
