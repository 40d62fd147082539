"""Where texts come from: archives, packed files, folders, positions and names; and what is asked for beside them."""

import gzip
import io
import tarfile
import zipfile

import pytest

from datamodules.accord.errors import InvalidInstanceError, ParseError, PrecisionError
from datamodules.accord.formats import best_known, detect_format, instance_text, read, read_solution, with_best, write
from datamodules.accord.formats.records import differences
from datamodules.errors import DataError
from tests.datamodules.accord.formats.instances import FULL, plain, plan

BPP = "2\r\n10\r\n6\r\n4\r\n"
KP = "\n2\n9\n\n5 4\n6 3\n"


def tar(path, **members):
    with tarfile.open(path, "w") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("_DOT_", "."))
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


def test_members_of_archives_are_read_by_name_or_all(tmp_path):
    tar(tmp_path / "a.tar", N1_DOT_BPP=BPP, s__n050__x_DOT_kp=KP, x_DOT_sol="Route #1: 1\n", README_DOT_md="words")
    assert [(one.name, one.kind) for one in read(tmp_path / "a.tar")] == [("N1", "binpack"), ("s_n050_x", "knapsack")]
    assert [one.name for one in read(f"{tmp_path}/a.tar#N1.BPP")] == ["N1"]
    assert [one.name for one in read(f"{tmp_path}/a.tar#s/n050/x.kp")] == ["s_n050_x"]
    assert [one.name for one in read(f"{tmp_path}/a.tar#x.kp")] == ["s_n050_x"]  # the folders may be left out where that is enough
    assert detect_format(f"{tmp_path}/a.tar#x.kp") == "kplib"
    with pytest.raises(DataError, match=r"no member 'N2.BPP'; there are 4, such as N1.BPP"):
        read(f"{tmp_path}/a.tar#N2.BPP")


def test_zips_and_packed_files_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b/N1.BPP", BPP)
        archive.writestr("b/c.kp.gz", gzip.compress(KP.encode()))
    assert [one.name for one in read(tmp_path / "a.zip")] == ["b_N1", "b_c"]
    (tmp_path / "x.kp.gz").write_bytes(gzip.compress(KP.encode()))
    (sack,) = read(tmp_path / "x.kp.gz")
    assert (sack.name, sack.kind) == ("x", "knapsack")
    (tmp_path / "x.kp.gz").write_bytes(gzip.compress(KP.encode())[:-6])
    with pytest.raises(DataError, match=r"x.kp.gz: the gzip is cut short"):
        read(tmp_path / "x.kp.gz")


def test_a_member_that_leaves_its_folder_is_refused(tmp_path):
    tar(tmp_path / "a.tar", **{"..__evil_DOT_BPP": BPP})
    with pytest.raises(DataError, match="points out of the archive's folder"):
        read(tmp_path / "a.tar")


def test_one_of_many_is_chosen_by_position_from_one_or_by_name(tmp_path):
    write([plain("binpack", "u_00"), plain("binpack", "u_01"), plain("binpack", "2")], tmp_path / "b.txt")
    address = tmp_path / "b.txt"
    assert [read(f"{address}#{name}")[0].name for name in ("1", "u_01", "2", "3")] == ["u_00", "u_01", "2", "2"]  # a name goes first
    for name in ("0", "4", "u_07"):
        with pytest.raises(DataError, match=f"b.txt: 3 instances, none is '{name}'; give 1 to 3 or a name, such as u_00, u_01, 2"):
            read(f"{address}#{name}")
    (tmp_path / "odd#1.txt").write_text(instance_text(plain("binpack"), "or-library-bins"))
    assert len(read(f"{tmp_path}/odd#1.txt")) == 1  # the file's own name has the mark


def test_a_folder_is_all_instances_in_it_and_its_solutions_are_none(tmp_path):
    (tmp_path / "deep").mkdir()
    write(plain("tsp"), tmp_path / "deep/a.tsp")
    write(plain("cvrp"), tmp_path / "b.vrp")
    write((plain("cvrp"), plan(plain("cvrp"))), tmp_path / "b.sol")
    write((plain("cvrp"), plan(plain("cvrp"))), tmp_path / "plan.json")
    (tmp_path / "README.md").write_text("words")
    (tmp_path / ".hidden").write_text("words")
    (tmp_path / "best_known.csv").write_text("file,member,best,proven\n")
    assert [one.kind for one in read(tmp_path)] == ["cvrp", "tsp"]
    (tmp_path / "c.tsp").write_text("NAME : c\n")
    with pytest.raises(ParseError, match=r"c.tsp"):
        read(tmp_path)


def test_what_is_not_there_is_said(tmp_path):
    for missing in (tmp_path / "no.tsp", f"{tmp_path}/no.tar#a"):
        with pytest.raises(DataError, match="no such file or folder"):
            read(missing)
    with pytest.raises(DataError, match="no instances"):
        read(tmp_path)
    with pytest.raises(DataError, match="too long"):
        read("x" * 5000)  # a text without a line break is a path
    with pytest.raises(DataError, match="no such file"):
        read_solution(tmp_path / "no.sol", plain("cvrp"))


def test_a_text_is_what_has_a_line_break():
    (sack,) = read(KP, kind="knapsack")
    assert sack.values.tolist() == [5, 6]
    with pytest.raises(ParseError, match="the text: not recognised"):
        read("hello\nworld\n")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("tsp", {"kind": "cvrp"}, "tsplib, which holds tsp, not cvrp"),
        ("tsp", {"kind": "vrp"}, "kind 'vrp' is not known; there are tsp, cvrp"),
        ("tsp", {"capacity": 5}, "a tsp has no capacity: leave it out"),
        ("tsp", {"fleet": 2}, "a tsp has no fleet: leave it out"),
        ("tsp", {"rounding": "up"}, "rounding 'up' is not known"),
        ("cvrp", {"fleet": "name"}, r"mini names no fleet \(-k5\); give a number"),
        ("cvrp", {"fleet": "many"}, "fleet 'many' is not known; it is a number of vehicles, name or free"),
        ("cvrp", {"fleet": 0}, "a fleet of 0; at least 1 vehicle"),
        ("cvrp", {"capacity": -1}, "capacity -1; it must be at least 0"),
        ("cvrp", {"capacity": float("nan")}, "capacity nan; give a finite number"),
        ("cvrp", {"capacity": 5}, "its capacity is 10, not 5; leave --capacity out"),
        ("cvrp", {"capacity": 10.5}, "its capacity is 10, not 10.5; leave --capacity out"),
        ("knapsack", {"rounding": "nint"}, "rounding is for distances of tsp and cvrp, not for a knapsack"),
    ],
)
def test_an_option_that_does_nothing_or_cannot_be_is_a_mistake(kind, options, message, tmp_path):
    suffix = {"tsp": "tsp", "cvrp": "vrp", "knapsack": "kp"}[kind]
    write(plain(kind), tmp_path / f"mini.{suffix}")
    with pytest.raises(DataError, match=message):
        read(tmp_path / f"mini.{suffix}", **options)


def test_the_list_of_best_values_is_by_file_and_member(tmp_path):
    (tmp_path / "best_known.csv").write_text(
        "kind,name,file,member,n,m_or_capacity,best,proven,source,note\ncvrp,A,a.vrp,,3,2,784,1,x,\nbpp,B,b.tar,N1.BPP,2,10,1,0,x,\nknapsack,f,f5,,2,3,0.12,1,,\n"
    )
    known = best_known(tmp_path)
    assert known["a.vrp", ""] == (784, True)
    assert known["b.tar", "N1.BPP"] == (1, False)
    sack = with_best(FULL["knapsack"][0], *known["f5", ""])
    assert (sack.best, sack.proven) == (120000, False)  # in its integers; of two decimals, it is rounded
    assert differences(with_best(FULL["binpack"][0], 7, True), FULL["binpack"][0]) == ["best"]  # bins have no scale
    with pytest.raises(PrecisionError):
        with_best(plain("cvrp"), known["f5", ""][0], True)
    (tmp_path / "best_known.csv").write_text("file,member,best,proven\na,,1,1\na,,2,1\n")
    with pytest.raises(ParseError, match=r"best_known.csv, line 3: a  is there twice"):
        best_known(tmp_path)
    (tmp_path / "best_known.csv").write_text("file,value\n")
    with pytest.raises(ParseError, match="columns file, member, best and proven are needed"):
        best_known(tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write(plain("tsp"), tmp_path / "a.tsp")
    before = (tmp_path / "a.tsp").read_bytes()
    with pytest.raises(InvalidInstanceError, match="the plan cannot be written"):
        write((plain("tsp"), (0, 99)), tmp_path / "a.tsp", "tour")
    assert (tmp_path / "a.tsp").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.tsp"]
    with pytest.raises(DataError, match="no such folder; make it first"):
        write(plain("tsp"), tmp_path / "none/a.tsp")
