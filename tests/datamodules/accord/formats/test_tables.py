"""CSV of ours: columns, matrices of travel times, what is said above the table, and what is refused."""

import pytest

from datamodules.accord.distances import REAL_SCALE
from datamodules.accord.errors import InfeasibleError, InvalidInstanceError, ParseError, UnsupportedError
from datamodules.accord.formats import read, read_solution
from datamodules.accord.instances import CVRP, TSP, FlowShop, JobShop
from datamodules.accord.layouts import detect

CUSTOMERS = "id,x,y,demand\ndepot,0,0,\na,3,4,2\nb,-6,8,3\n"
ITEMS = "id,value,weight\na,6,4\nb,5,3\n"
SIZES = "id,size\na,6\nb,5.5\n"
TIMES = ",home,a,b\nhome,0,12,7.5\na,5,-,30\nb,9,1,\n"


def table(tmp_path, text, **options):
    (tmp_path / "t.csv").write_text(text)
    (instance,) = read(tmp_path / "t.csv", **options)
    return instance


def test_cities_have_straight_unrounded_distances_unless_rounding_is_asked_for(tmp_path):
    text = "id,x,y\n1,0,0\n2,1,1\n"
    tsp = table(tmp_path, text)
    assert isinstance(tsp, TSP)
    assert (tsp.name, tsp.metric, tsp.scale, int(tsp.distances[0, 1])) == ("t", "real", REAL_SCALE, 1414214)
    assert table(tmp_path, text, rounding="nint").distances[0, 1] == 1
    assert table(tmp_path, text, rounding="trunc1").distances[0, 1] == 14
    ceiling = "# metric: CEIL_2D\n# best: 4\n# proven: true\n" + text
    assert table(tmp_path, ceiling).distances[0, 1] == 2
    assert (table(tmp_path, ceiling).best, table(tmp_path, ceiling, rounding="nint").best) == (4, None)
    with pytest.raises(InvalidInstanceError, match="rounding none is for EUC_2D"):
        table(tmp_path, ceiling, rounding="none")


@pytest.mark.parametrize(
    "text",
    [
        "# capacity: 5\n" + CUSTOMERS,
        CUSTOMERS.replace("demand\n", "demand,capacity\n").replace(",\n", ",,5\n").replace(",2\n", ",2,\n").replace(",3\n", ",3,5\n"),
    ],
    ids=["above", "column"],
)
def test_the_capacity_stands_above_the_table_or_in_a_column(text, tmp_path):
    vrp = table(tmp_path, text)
    assert isinstance(vrp, CVRP)
    assert (vrp.capacity, vrp.demands.tolist(), vrp.fleet) == (5, [0, 2, 3], None)


def test_the_capacity_and_fleet_can_be_given_beside_the_file(tmp_path):
    vrp = table(tmp_path, CUSTOMERS, capacity=5, fleet=2)
    assert (vrp.capacity, vrp.fleet) == (5, 2)
    with pytest.raises(ParseError, match="no capacity; give a column capacity, a line `# capacity: 100` above the table, or --capacity"):
        table(tmp_path, CUSTOMERS)


@pytest.mark.parametrize(("text", "own"), [(CUSTOMERS, "6"), (ITEMS, "7"), (SIZES, "10"), (CUSTOMERS.replace(",2\n", ",2.5\n"), "6")])
def test_a_capacity_beside_a_table_that_says_another_is_refused(text, own, tmp_path):
    said = table(tmp_path, f"# capacity: {own}\n{text}", capacity=own).capacity
    assert said == table(tmp_path, text, capacity=own).capacity
    with pytest.raises(InvalidInstanceError, match=f"its capacity is {own}, not 20"):
        table(tmp_path, f"# capacity: {own}\n{text}", capacity="20")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_marks_and_line_ends_do_not_matter(mark, end, bom, tmp_path):
    (tmp_path / "t.csv").write_bytes((bom + CUSTOMERS.replace(",", mark).replace("\n", end)).encode())
    assert read(tmp_path / "t.csv", capacity=5)[0].demands.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "0,12,7.5\n5,0,30\n9,1,0\n",
        TIMES,
        "home,a,b\n0,12,7.5\n5,0,30\n9,1,0\n",
        ",0,1,2\n0,0,12,7.5\n1,5,0,30\n2,9,1,0\n",
        "1,2,3\n0,12,7.5\n5,0,30\n9,1,0\n",
        "# a comment\nid,0,1,2\n0,0,12,7.5\n1,5,0,30\n2,9,1,0\n",
    ],
    ids=["bare", "named", "header", "numbered", "counted", "ids"],
)
def test_a_matrix_of_travel_times_needs_no_coordinates(text, tmp_path):
    tsp = table(tmp_path, text)
    assert (tsp.kind, tsp.scale, tsp.xy) == ("tsp", 10, None)
    assert tsp.distances.tolist() == [[0, 120, 75], [50, 0, 300], [90, 10, 0]]


def test_customers_may_have_a_matrix_of_travel_times(tmp_path):
    vrp = table(tmp_path, "id,demand,home,a,b\nhome,,0,12,7\na,2,5,0,30\nb,3,9,1,0\n", capacity=5)
    assert (vrp.kind, vrp.demands.tolist(), vrp.distances.tolist()) == ("cvrp", [0, 2, 3], [[0, 12, 7], [5, 0, 30], [9, 1, 0]])


def test_items_make_a_knapsack_or_bins(tmp_path):
    sack = table(tmp_path, "# capacity: 7\n" + ITEMS)
    assert (sack.kind, sack.values.tolist(), sack.weights.tolist(), sack.capacity) == ("knapsack", [6, 5], [4, 3], 7)
    bins = table(tmp_path, SIZES, capacity="10")
    assert (bins.kind, bins.weights.tolist(), bins.capacity, bins.scale) == ("binpack", [60, 55], 100, 10)


@pytest.mark.parametrize(("names", "kept"), [(("0", "1"), ()), (("1", "2"), ("1", "2")), (("saw", "drill"), ("saw", "drill"))])
def test_operations_in_order_make_a_job_shop(names, kept, tmp_path):
    a, b = names
    shop = table(tmp_path, f"job,machine,time\nx,{a},3\ny,{b},2\nx,{b},2\ny,{a},4\n")
    assert isinstance(shop, JobShop)
    assert (shop.jobs, shop.machines) == ((((0, 3), (1, 2)), ((1, 2), (0, 4))), 2)
    assert (shop.labels, shop.machine_labels) == (("x", "y"), kept)


def test_operations_may_say_their_order(tmp_path):
    shop = table(tmp_path, "job,operation,machine,time\nx,2,1,2\nx,1,0,3\n")
    assert shop.jobs == (((0, 3), (1, 2)),)


def test_a_table_of_jobs_by_machines_is_a_flow_shop(tmp_path):
    shop = table(tmp_path, "job,saw,drill\nx,3,2\ny,2,4.5\n")
    assert isinstance(shop, FlowShop)
    assert (shop.times.tolist(), shop.scale) == ([[30, 20], [20, 45]], 10)
    assert table(tmp_path, "3,2\n2,4\n1,1\n", kind="pfsp").times.tolist() == [[3, 2], [2, 4], [1, 1]]


ASKED = {
    "ready": (CUSTOMERS, "time windows", "PyVRP"),
    "due": (CUSTOMERS, "due dates", "PyVRP"),
    "tw_start": (CUSTOMERS, "time windows", "VROOM"),
    "Ready Time": (CUSTOMERS, "time windows", "PyVRP"),
    "service": (CUSTOMERS, "service times", "OR-Tools"),
    "skills": (CUSTOMERS, "skills", "VROOM"),
    "pickup": (CUSTOMERS, "pickups", "PyVRP"),
    "vehicle type": (CUSTOMERS, "mixed fleets", "PyVRP"),
    "due_date": ("job,machine,time\nx,0,3\ny,1,2\n", "due dates", "OR-Tools"),
    "deadline": ("job,saw,drill\nx,3,2\ny,2,4\n", "due dates", "OR-Tools"),
    "release date": ("job,saw,drill\nx,3,2\ny,2,4\n", "time windows", "OR-Tools"),
    "conflicts": (SIZES, "further limits on items", "OR-Tools"),
    "volume": (ITEMS, "further limits on items", "OR-Tools"),
}


@pytest.mark.parametrize("column", ASKED)
def test_a_constraint_that_is_not_modelled_is_refused_with_the_tool_that_can(column, tmp_path):
    text, meaning, tool = ASKED[column]
    header, *rows = text.splitlines()
    text = "\n".join([f"{header},{column}", *(f"{row},5" for row in rows), ""])
    with pytest.raises(UnsupportedError, match=f"t.csv: column '{column}' asks for {meaning}.* which is not modelled .* use .*{tool}"):
        table(tmp_path, text, capacity=10) if "size" in header or "weight" in header or "demand" in header else table(tmp_path, text)


WRONG = {
    "unknown column": (
        "id,x,y,colour_of_door\n1,0,0,red\n2,1,1,blue\n",
        {},
        ParseError,
        "'colour_of_door' is not understood .* remove it",
    ),
    "two capacities": (
        "id,size,capacity\na,6,10\nb,5,12\n",
        {},
        UnsupportedError,
        "has 10 and 12; bins of different capacity",
    ),
    "mixed fleet": (
        "id,x,y,demand,capacity\nd,0,0,,5\na,3,4,2,6\n",
        {},
        UnsupportedError,
        "column 'capacity' has 5 and 6; vehicles of different capacity are not modelled: use PyVRP",
    ),
    "twice": (CUSTOMERS.replace("b,", "a,"), {"capacity": 5}, InvalidInstanceError, "line 4: 'a' is there twice, first in line 3"),
    "item twice": (ITEMS.replace("b,", "a,"), {"capacity": 5}, InvalidInstanceError, "line 3: 'a' is there twice"),
    "job twice": ("job,saw,drill\nx,3,2\nx,2,4\n", {}, InvalidInstanceError, "line 3: job 'x' is there twice"),
    "operation twice": (
        "job,operation,machine,time\nx,1,0,3\nx,1,1,2\n",
        {},
        InvalidInstanceError,
        "line 3: operation 1 of job x",
    ),
    "depot asks": (CUSTOMERS.replace("0,0,\n", "0,0,1\n"), {"capacity": 5}, InvalidInstanceError, "line 2: the first row is the depot"),
    "too heavy": (CUSTOMERS, {"capacity": 2}, InfeasibleError, "line 4: customer 2 has 3, a vehicle holds 2"),
    "too large": (SIZES, {"capacity": 5}, InfeasibleError, "line 2: item 0 has 60, a bin holds 50"),
    "nan": (CUSTOMERS.replace("-6", "nan"), {"capacity": 5}, InvalidInstanceError, "line 4: x nan; give a finite number"),
    "negative": (CUSTOMERS.replace("8,3", "8,-3"), {"capacity": 5}, InvalidInstanceError, "line 4: demand -3"),
    "no demand": (CUSTOMERS.replace("8,3", "8,"), {"capacity": 5}, ParseError, "line 4: 'nothing' where a number is expected .demand."),
    "cells": (CUSTOMERS.replace("8,3", "8"), {"capacity": 5, "kind": "cvrp"}, ParseError, "line 4: 3 cells; the header has 4"),
    "globe": (
        "id,lat,lon\n1,52.5,13.4\n2,48.1,11.6\n",
        {},
        UnsupportedError,
        "lat, lon: places on the globe; .* a matrix",
    ),
    "not square": ("0,1,2\n3,0,4\n", {"kind": "tsp"}, InvalidInstanceError, "2 rows of 3 distances; the matrix must be square"),
    "other order": (",b,a\na,0,1\nb,2,0\n", {}, InvalidInstanceError, "the matrix names its columns in another order than its rows"),
    "gap": ("0,1,2\n3,0,\n5,6,0\n", {"kind": "tsp"}, ParseError, "line 2: 'nothing' where a number is expected .distance."),
    "rounding": ("0,1\n3,0\n", {"rounding": "none"}, InvalidInstanceError, "rounding none is for coordinates"),
    "kind": (CUSTOMERS, {"kind": "tsp"}, ParseError, "column 'demand' belongs to kind cvrp"),
    "other kind": (ITEMS, {"kind": "cvrp"}, ParseError, "no column 'demand'; there are id, value"),
    "two columns": ("id,x,x\n1,0,0\n", {"kind": "tsp"}, ParseError, "line 1: two columns 'x'"),
    "machine": ("job,machine,time\nx,-1,3\n", {}, InvalidInstanceError, "line 2: machine -1; they are counted from 0 or from 1"),
    "no table": ("file,label\na.png,cat\n", {}, ParseError, "no table of a problem; there are id,x,y"),
}


@pytest.mark.parametrize("what", WRONG)
def test_everything_that_is_wrong_with_a_table_is_named(what, tmp_path):
    text, options, error, message = WRONG[what]
    with pytest.raises(error, match=f"t.csv.*{message}"):
        table(tmp_path, text, **options)


def test_a_table_of_something_else_is_not_claimed(tmp_path):
    (tmp_path / "t.csv").write_text("file,label\na.png,cat\n")
    with pytest.raises(ParseError):
        detect(tmp_path / "t.csv")


def test_plans_are_tables_too_and_their_order_may_be_lost(tmp_path):
    vrp = table(tmp_path, CUSTOMERS, capacity=5)
    assert read_solution("# objective: 9\nroute,stop,customer\n2,1,a\n1,2,b\n1,1,a\n", vrp) == (((1, 2), (1,)), 9 * REAL_SCALE)
    with pytest.raises(ParseError, match="the plan of a cvrp has route, stop, customer"):
        read_solution("stop,node\n1,0\n", vrp)
    shop = table(tmp_path, "job,machine,time\n0,0,3\n1,1,2\n")
    assert read_solution("job,operation,machine,start,end\n1,0,1,4,6\n0,0,0,0,3\n", shop)[0] == ((0,), (4,))
    with pytest.raises(InvalidInstanceError, match="line 2: operation 0 of job 0 is on machine 0, not 1"):
        read_solution("job,operation,machine,start,end\n0,0,1,0,3\n", shop)
    with pytest.raises(ParseError, match="no start of operation 0 of job 1"):
        read_solution("job,operation,machine,start,end\n0,0,0,0,3\n", shop)
