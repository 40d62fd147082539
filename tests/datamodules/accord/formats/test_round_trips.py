"""What is written is read again, field by field."""

import pytest

from datamodules.accord.checker import check
from datamodules.accord.errors import LossyConversionError, UnsupportedError
from datamodules.accord.formats import (
    FORMATS,
    convert,
    detect_format,
    instance_text,
    read,
    read_solution,
    read_solutions,
    solution_text,
    write,
)
from datamodules.accord.formats.records import differences, to_record
from datamodules.accord.instances import KINDS
from datamodules.accord.solution import Solution
from tests.datamodules.accord.formats.instances import FULL, plain, plan

WRITERS = [(name, kind) for name, one in FORMATS.items() if one.write for kind in one.kinds]
PLANS = [(name, kind) for name, one in FORMATS.items() if one.write_solution for kind in one.kinds]
# a table without rows, and a matrix of one number, are no CSV
EVERY_FIELD = [
    (name, one) for name in ("ours", "csv") for kind in KINDS for one in FULL[kind] if name == "ours" or one.size > 1 or kind == "pfsp"
]


@pytest.mark.parametrize(("name", "kind"), WRITERS)
def test_every_format_gives_back_what_it_was_given(name, kind, tmp_path):
    """The name is the file's where the format has none."""
    before = plain(kind)
    (path, *_) = write(before, tmp_path / f"mini{FORMATS[name].suffixes[0]}", name)
    assert detect_format(path) == name or (name, kind) == ("job-shop", "pfsp")
    (after,) = read(path, kind="pfsp" if (name, kind) == ("job-shop", "pfsp") else None)
    if name.startswith("accord"):
        assert set(differences(before, after)) <= {"metric"}
    else:
        assert differences(before, after) == []


@pytest.mark.parametrize(("name", "instance"), EVERY_FIELD, ids=lambda one: one if isinstance(one, str) else f"{one.kind}-{one.name}")
def test_ours_and_csv_hold_every_field_of_every_kind(name, instance, tmp_path):
    write(instance, tmp_path / "a", name)
    (after,) = read(tmp_path / "a", kind=instance.kind)
    assert differences(instance, after) == []
    if name == "ours":
        assert to_record(after) == to_record(instance)  # the notes, too


def test_formats_that_hold_many_hold_them_in_order(tmp_path):
    for name, made in FORMATS.items():
        if made.many:
            for kind in made.kinds:
                before = [plain(kind, "a"), plain(kind, "b"), plain(kind, "c")]
                write(before, tmp_path / "f.txt", name)
                after = read(tmp_path / "f.txt")
                assert [one.name for one in after] == (["a", "b", "c"] if made.names else ["f_01", "f_02", "f_03"])
                assert [set(differences(x, y)) - {"name", "metric"} for x, y in zip(before, after, strict=True)] == [set()] * 3
                assert [one.name for one in read(f"{tmp_path / 'f.txt'}#2")] == [after[1].name]
                assert [one.name for one in read(f"{tmp_path / 'f.txt'}#{after[2].name}")] == [after[2].name]
        elif made.write:
            with pytest.raises(UnsupportedError, match="holds one instance a file, not 2"):
                write([plain(made.kinds[0])] * 2, tmp_path / "g", name)
            assert not (tmp_path / "g").exists()


@pytest.mark.parametrize(("name", "kind"), PLANS)
def test_a_plan_and_its_objective_are_given_back_by_every_format(name, kind, tmp_path):
    instance, made = plain(kind), plan(plain(kind))
    write((instance, made), tmp_path / "plan", name)
    back, declared = read_solution(tmp_path / "plan", instance)
    assert sorted(back) == sorted(made) if name == "lists" else back == made
    objective = check(instance, made).objective
    assert declared == objective or (name, kind) == ("lists", "binpack")  # that text has no total
    text = solution_text(instance, made, name)
    assert read_solution(text if text.count("\n") > 0 else text + "\n", instance)[0] == back


def test_a_solution_in_ours_keeps_status_bound_trace_and_all(tmp_path):
    instances = [plain("knapsack", "a"), plain("knapsack", "b")]
    solutions = [
        Solution("knapsack", (1, 2), 14, "optimal", 14, 0.25, "dp", "", ((0.1, 11, "greedy"), (0.2, 14, "dp"))),
        Solution("knapsack", None, None, "unknown", reason="time was over"),
    ]
    path = tmp_path / "out.jsonl"
    write(list(zip(instances, solutions, strict=True)), path)
    assert read_solutions(path.read_text(), instances) == solutions
    assert read_solutions(path.read_text(), instances[::-1]) == solutions[::-1]  # by name


@pytest.mark.parametrize("kind", KINDS)
def test_converting_there_and_back_is_the_same_instance(kind, tmp_path):
    write(plain(kind), tmp_path / "mini.json")
    before = read(tmp_path / "mini.json")
    assert convert(tmp_path / "mini.json", tmp_path / "mini.csv") == []
    assert convert(tmp_path / "mini.csv", tmp_path / "back.jsonl") == []
    assert [differences(*pair) for pair in zip(before, read(tmp_path / "back.jsonl"), strict=True)] == [[]]


def test_a_conversion_that_would_lose_something_says_what_and_writes_nothing(tmp_path):
    write(FULL["binpack"][0], tmp_path / "t3.json")
    with pytest.raises(
        LossyConversionError, match=r"bpplib would lose the best known value; that the best value is proven; allow it with --lossy"
    ):
        convert(tmp_path / "t3.json", tmp_path / "t3.bpp")
    assert not (tmp_path / "t3.bpp").exists()
    assert convert(tmp_path / "t3.json", tmp_path / "t3.bpp", lossy=True) == ["the best known value", "that the best value is proven"]
    (after,) = read(tmp_path / "t3.bpp")
    assert differences(FULL["binpack"][0], after) == ["best", "proven"]


def test_a_format_that_cannot_hold_an_instance_says_which_can(tmp_path):
    write(FULL["jssp"][0], tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"job 0 has 1 operations on 4 machines; .* use fjsplib, ours or csv"):
        convert(tmp_path / "a.json", tmp_path / "a.txt")
    assert convert(tmp_path / "a.json", tmp_path / "a.fjs") == []
    with pytest.raises(UnsupportedError, match=r"format tsplib holds no instances of kind jssp; ours, .* do"):
        convert(tmp_path / "a.json", tmp_path / "b", format="tsplib")
    with pytest.raises(ValueError, match=r"no format for .xyz; name one: ours"):
        convert(tmp_path / "a.json", tmp_path / "b.xyz")


def test_the_text_of_an_instance_can_be_read_as_it_is():
    for kind in KINDS:
        (after,) = read(instance_text(plain(kind)))
        assert differences(plain(kind), after) == []
    with pytest.raises(UnsupportedError, match="florida is 3 files"):
        instance_text(plain("knapsack"), "florida")
