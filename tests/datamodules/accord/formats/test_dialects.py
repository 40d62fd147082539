"""Each format as it is distributed, in miniatures of our own numbers."""

import pytest

from datamodules.accord.formats import detect_format, read, read_solution
from datamodules.accord.instances import JobShop

FLOW = """number of jobs, number of machines, initial seed, upper bound and lower bound :
          3           2   873654221          14          12
processing times :
  5  1  2
  4  3  6
number of jobs, number of machines, initial seed, upper bound and lower bound :
          2           1   1          7          7
processing times :
 3 4
"""
JOBS = " 2 2\n 0 3 1 2\n 1 2 0 4\n"
OR_JOBS = f"""
 This file contains two instances.
 Each line lists the machine number and processing time for each step of the job.
 +++++++++++++++++++++++++++++
 instance one
 +++++++++++++++++++++++++++++
 Somebody 2x2 instance (Table 1)
{JOBS} +++++++++++++++++++++++++++++

 instance two

 +++++++++++++++++++++++++++++
 Somebody 1x2 instance; Optimal value: 9
 1 2
 1 4 0 5
 +++++++++++++++++++++++++++++
 END OF DATA
"""
TAILLARD_JOBS = """Nb of jobs, Nb of Machines, Time seed, Machine seed, Upper bound, Lower bound
 2 2 840612802 398197754 9 7
Times
 3 2
 2 4
Machines
 1 2
 2 1
"""


def text(path, content, **options):
    path.write_bytes(content.encode())
    return read(path, **options)


def test_taillards_rows_are_machines_and_his_columns_jobs(tmp_path):
    first, second = text(tmp_path / "tai3_2.txt", FLOW)
    assert first.times.tolist() == [[5, 4], [1, 3], [2, 6]]
    assert (first.name, first.best, first.proven) == ("tai3_2_01", 14, False)  # the upper bound of the heading
    assert (second.name, second.best, second.proven) == ("tai3_2_02", 7, True)  # equal to the lower one


def test_standard_job_shops_have_comments_a_name_and_tails_of_anything(tmp_path):
    (shop,) = text(tmp_path / "x.txt", f"#+++++\n# instance ft02\n#+++\n# a comment\n{JOBS} ub 7\n")
    assert shop.jobs == (((0, 3), (1, 2)), ((1, 2), (0, 4)))
    assert shop.name == "ft02"
    assert shop.notes == ("1 lines after the last job were left out",)


def test_a_flow_shop_in_the_job_shops_text_has_to_be_asked_for(tmp_path):
    in_order = "2 2\n0 3 1 2\n0 2 1 4\n"
    (shop,) = text(tmp_path / "vfr.txt", in_order)
    assert shop.kind == "jssp"
    assert "with kind pfsp" in shop.notes[0]
    (flow,) = text(tmp_path / "vfr.txt", in_order, kind="pfsp")
    assert flow.times.tolist() == [[3, 2], [2, 4]]
    with pytest.raises(ValueError, match="jobs pass the machines in different orders"):
        text(tmp_path / "j.txt", JOBS, kind="pfsp")


def test_or_library_shops_are_told_by_the_order_of_the_machines(tmp_path):
    one, two = text(tmp_path / "jobshop1.txt", OR_JOBS)
    assert detect_format(tmp_path / "jobshop1.txt") == "or-library-job-shop"
    assert (one.name, two.name, two.jobs, two.best, two.proven) == ("one", "two", (((1, 4), (0, 5)),), 9, True)
    flows = " +++\n instance car1\n +++\n Carlier 2x2\n 2 2\n 0 3 1 2\n 0 2 1 4\n +++\n"
    (flow,) = text(tmp_path / "flowshop1.txt", flows)
    assert (flow.kind, flow.times.tolist()) == ("pfsp", [[3, 2], [2, 4]])
    assert text(tmp_path / "flowshop1.txt", flows, kind="jssp")[0].kind == "jssp"


def test_taillards_job_shops_count_machines_from_one(tmp_path):
    (shop,) = text(tmp_path / "tai2_2.txt", TAILLARD_JOBS)
    assert shop.jobs == (((0, 3), (1, 2)), ((1, 2), (0, 4)))
    assert (shop.best, shop.proven) == (9, False)
    (bare,) = text(tmp_path / "bare.txt", TAILLARD_JOBS[TAILLARD_JOBS.index("Times") :])
    assert (bare.jobs, bare.best) == (shop.jobs, None)


def test_fjsplib_holds_jobs_of_unequal_length_and_no_choice_of_machines(tmp_path):
    (shop,) = text(tmp_path / "x.txt", "2 3 1\n3 1 1 5 1 3 2 1 1 9\n1 1 2 4\n")
    assert isinstance(shop, JobShop)
    assert (shop.jobs, shop.machines) == ((((0, 5), (2, 2), (0, 9)), ((1, 4),)), 3)
    with pytest.raises(ValueError, match=r"x.txt, line 3: an operation with 2 machines to choose from; .* use CP-SAT"):
        text(tmp_path / "x.txt", "2 3 1\n1 1 1 5\n1 2 1 4 2 4\n")


def test_a_row_of_fjsplib_is_not_taken_for_one_of_the_standard_text(tmp_path):
    (shop,) = text(tmp_path / "x.txt", "2 2\n1 1 1 5\n1 1 2 4\n")
    assert shop.jobs == (((0, 5),), ((1, 4),))


def test_a_knapsacks_tail_of_zeros_and_ones_is_not_believed(tmp_path):
    (sack,) = text(tmp_path / "f1_l-d_kp_3_7", "3 7\n6 4\n5 3\n2 3\n1 0\n0\n")
    assert (sack.values.tolist(), sack.weights.tolist(), sack.capacity) == ([6, 5, 2], [4, 3, 3], 7)
    assert sack.name == "f1_l-d_kp_3_7"
    assert sack.best is None
    assert "not guaranteed" in sack.notes[0]


def test_decimals_are_multiplied_by_a_power_of_ten_that_is_kept(tmp_path):
    (sack,) = text(tmp_path / "f5", "2 3\n0.125126 1.5\n33 2.50\n")
    assert (sack.values.tolist(), sack.value_scale) == ([125126, 33000000], 10**6)
    assert (sack.weights.tolist(), sack.capacity, sack.scale) == ([150, 250], 300, 100)


def test_kplib_has_gaps_and_cutting_stock_has_none(tmp_path):
    (sack,) = text(tmp_path / "s000.kp", "\n2\n9\n\n5 4\n6 3\n")
    assert (sack.values.tolist(), sack.weights.tolist()) == ([5, 6], [4, 3])
    (cut,) = text(tmp_path / "a.csp", "2\r\n9\r\n5\t2\r\n3\t1\r\n")
    assert (cut.kind, cut.weights.tolist()) == ("binpack", [5, 5, 3])
    same = "2\n9\n5 2\n3 1\n"
    with pytest.raises(ValueError, match=r"say the kind, knapsack or binpack, or name the file .kp or .csp"):
        text(tmp_path / "a.txt", same)
    assert text(tmp_path / "a.txt", same, kind="knapsack")[0].values.tolist() == [5, 3]
    assert text(tmp_path / "a.txt", same, kind="binpack")[0].weights.tolist() == [5, 5, 3]


@pytest.mark.parametrize("part", "cwps")
def test_the_florida_set_is_four_files_and_any_of_them_will_do(part, tmp_path):
    for end, content in {"c": "165\n", "w": " 23\n 100\n 89\n", "p": "92\n57\n49\n", "s": "1\n1\n0\n"}.items():
        (tmp_path / f"p01_{end}.txt").write_text(content)
    (sack,) = read(tmp_path / f"p01_{part}.txt")
    assert (sack.name, sack.capacity, sack.weights.tolist(), sack.values.tolist()) == ("p01", 165, [23, 100, 89], [92, 57, 49])
    assert (sack.best, sack.proven) == (149, True)
    assert len(read(tmp_path)) == 1  # the folder holds one knapsack, not four


def test_pisingers_sets_tell_the_optimum(tmp_path):
    sets = "kp_1\nn 2\nc 9\nz 11\ntime 0.01\n1,5,4,1\n2,6,3,1\n-----\n\nkp_2\nn 1\nc 3\n1,5,4,0\n-----\n"
    one, two = text(tmp_path / "knapPI.csv", sets)
    assert (one.name, one.best, one.proven, one.values.tolist(), one.weights.tolist(), one.capacity) == (
        "kp_1",
        11,
        True,
        [5, 6],
        [4, 3],
        9,
    )
    assert (two.name, two.best) == ("kp_2", None)


def test_or_library_bins_have_names_best_counts_and_decimals(tmp_path):
    one, two = text(tmp_path / "binpack.txt", " 2\n u3_00 \n 150 3 2\n42\n69\n67\n t3_00\n 100.0 2 1\n49.8\n50.2\n")
    assert (one.name, one.capacity, one.best, one.proven, one.weights.tolist()) == ("u3_00", 150, 2, False, [42, 69, 67])
    assert (two.capacity, two.scale, two.best, two.weights.tolist()) == (1000, 10, 1, [498, 502])


def test_scholls_files_end_their_lines_as_dos_does(tmp_path):
    (bins,) = text(tmp_path / "N1C1W1_A.BPP", "3\r\n100\r\n99\r\n9\r\n0\r\n")
    assert (bins.name, bins.capacity, bins.weights.tolist()) == ("N1C1W1_A", 100, [99, 9, 0])


def test_accords_input_is_an_instance(tmp_path):
    (shop,) = text(tmp_path / "a.txt", "Schedule these two jobs quickly.\nJ0:\nM0:3 M1:2\nJ1:\nM1:2 M0:4\n")
    assert shop.jobs == (((0, 3), (1, 2)), ((1, 2), (0, 4)))


def test_accords_solutions_are_told_from_the_lists(tmp_path):
    (shop,) = text(tmp_path / "a.txt", JOBS)
    for solution in (
        "J0-M0: 0+3 -> 3\nJ1-M1: 0+2 -> 2\nJ0-M1: 3+2 -> 5\nJ1-M0: 3+4 -> 7\nMakespan: 7\n",
        "[[0, 0, 0, 3], [1, 1, 0, 2], [0, 1, 3, 2], [1, 0, 3, 4]]\nMaximum end completion time or Makespan: 7\n",
    ):
        assert read_solution(solution, shop) == (((0, 3), (0, 3)), 7)
