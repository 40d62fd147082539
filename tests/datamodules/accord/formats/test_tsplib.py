"""TSPLIB and CVRPLIB: keys, sections, tours and routes, and everything that is wrong with a file, with its line."""

import numpy as np
import pytest

from datamodules.accord.errors import InfeasibleError, InvalidInstanceError, ParseError, PrecisionError, UnsupportedError
from datamodules.accord.formats import read, read_solution

TSP = """NAME: mini
TYPE : TSP (A. Person)
COMMENT : one
COMMENT: two
DIMENSION:3
EDGE_WEIGHT_TYPE : EUC_2D
NODE_COORD_SECTION
2 3 4
1 0.0e+00 0
3 1.0e+01 0
EOF
"""
EXPLICIT = """NAME : e
TYPE : TSP
DIMENSION : 3
EDGE_WEIGHT_TYPE : EXPLICIT
EDGE_WEIGHT_FORMAT : LOWER_DIAG_ROW
EDGE_WEIGHT_SECTION
 9999 5
 0 7 8
 0
DISPLAY_DATA_SECTION
1 0 0
2 1 1
3 2 2
EOF
"""
VRP = """NAME : mini-n4-k2
COMMENT : (A. Person, No of trucks: 3, Optimal value: 42)
TYPE : CVRP
DIMENSION : 4
EDGE_WEIGHT_TYPE : EUC_2D
CAPACITY : 10
NODE_COORD_SECTION
1 0 0
2 3 4
3 6 8
4 0 5
DEMAND_SECTION
1 0
2 4
3 6
4 7
DEPOT_SECTION
 1
 -1
EOF
"""


def read_as(tmp_path, text, **options):
    path = tmp_path / "file.vrp"
    path.write_bytes(text.encode())
    (instance,) = read(path, **options)
    return instance


def test_ids_may_be_out_of_order_and_numbers_have_exponents(tmp_path):
    tsp = read_as(tmp_path, TSP)
    assert (tsp.kind, tsp.name, tsp.metric) == ("tsp", "mini", "EUC_2D")
    assert tsp.xy.tolist() == [[0, 0], [3, 4], [10, 0]]
    assert tsp.distances.tolist() == [[0, 5, 10], [5, 0, 8], [10, 8, 0]]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("EOF\n", ""),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace(" ", "\t"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text + "\n\n# anything after the end\n",
        lambda text: text.replace(" : ", ":"),
    ],
    ids=["no EOF", "CR LF", "mark", "tabs", "empty lines", "tail", "no spaces"],
)
@pytest.mark.parametrize("text", [TSP, EXPLICIT, VRP], ids=["tsp", "explicit", "vrp"])
def test_what_does_not_matter_changes_nothing(text, change, tmp_path):
    before, after = read_as(tmp_path, text), read_as(tmp_path, change(text))
    assert (before.distances == after.distances).all()
    assert (before.name, before.best) == (after.name, after.best)


def test_weights_may_break_their_lines_anywhere_and_the_diagonal_does_not_count(tmp_path):
    tsp = read_as(tmp_path, EXPLICIT)
    assert tsp.distances.tolist() == [[0, 5, 7], [5, 0, 8], [7, 8, 0]]
    assert tsp.xy.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert tsp.metric == "explicit"


def test_asymmetric_problems_are_read(tmp_path):
    text = EXPLICIT.replace("TYPE : TSP", "TYPE : ATSP", 1).replace("LOWER_DIAG_ROW", "FULL_MATRIX")
    tsp = read_as(tmp_path, text.replace(" 9999 5\n 0 7 8\n 0", "0 1 2\n3 0 4\n5 6 0"))
    assert tsp.distances.tolist() == [[0, 1, 2], [3, 0, 4], [5, 6, 0]]


def test_a_vrp_has_its_fleet_by_name_and_its_best_value_by_comment(tmp_path):
    vrp = read_as(tmp_path, VRP)
    assert (vrp.size, vrp.capacity, vrp.demands.tolist()) == (3, 10, [0, 4, 6, 7])
    assert (vrp.fleet, vrp.named_fleet) == (None, 2)  # the name goes before the comment's 3 trucks
    assert (vrp.best, vrp.proven) == (42, True)
    assert read_as(tmp_path, VRP.replace("-k2", "")).named_fleet == 3
    assert read_as(tmp_path, VRP.replace("CAPACITY : 10", "CAPACITY : 10\nVEHICLES : 4")).fleet == 4


@pytest.mark.parametrize(("fleet", "expected"), [("name", 2), (5, 5), ("7", 7), ("free", None)])
def test_the_fleet_is_a_rule_that_is_asked_for(fleet, expected, tmp_path):
    assert read_as(tmp_path, VRP, fleet=fleet).fleet == expected


def test_another_rounding_has_another_best_value(tmp_path):
    """5.5 of the brief: a best known value of a different rounding is a trap."""
    real = read_as(tmp_path, VRP, rounding="none")
    assert (real.metric, real.scale, real.best) == ("real", 10**6, None)
    assert real.distances[1, 3] == 3162278
    assert read_as(tmp_path, VRP, rounding="trunc1").distances[1, 3] == 31
    golden = VRP.replace("Optimal value: 42", "Best value: 41.87")
    assert read_as(tmp_path, golden).best is None
    assert read_as(tmp_path, golden, rounding="none").best == 41870000


def test_a_capacity_beside_a_file_that_says_another_is_refused(tmp_path):
    own = read_as(tmp_path, VRP).capacity
    assert read_as(tmp_path, VRP, capacity=own).best == 42
    with pytest.raises(InvalidInstanceError, match=f"its capacity is {own}, not 20"):
        read_as(tmp_path, VRP, capacity=20)


def test_a_depot_that_is_not_the_first_node_becomes_node_0(tmp_path):
    vrp = read_as(tmp_path, VRP.replace(" 1\n -1", " 3\n -1").replace("1 0\n2 4\n3 6", "1 6\n2 4\n3 0"))
    assert vrp.demands.tolist() == [0, 6, 4, 7]
    assert vrp.xy[0].tolist() == [6, 8]
    assert np.array_equal(vrp.distances, vrp.distances.T)
    assert "the depot is node 3" in vrp.notes[0]


_END = "DEPOT_SECTION\n"
WRONG = {
    "short": (TSP, "3 1.0e+01 0\n", "", InvalidInstanceError, "line 7: 2 nodes, DIMENSION says 3"),
    "long": (TSP, "DIMENSION:3", "DIMENSION:2", InvalidInstanceError, "line 10: node 3; DIMENSION 2 has nodes 1 to 2"),
    "twice": (TSP, "3 1.0e+01 0", "2 1 0", InvalidInstanceError, "line 10: node 2 is there twice, first in line 8"),
    "from 0": (TSP, "1 0.0e", "0 0.0e", InvalidInstanceError, "line 9: node 0"),
    "nan": (TSP, "2 3 4", "2 nan 4", InvalidInstanceError, "line 8: coordinate nan; give a finite number"),
    "inf": (TSP, "2 3 4", "2 3 inf", InvalidInstanceError, "line 8: coordinate inf"),
    "word": (TSP, "2 3 4", "2 3 four", ParseError, "line 8: 'four' where a number is expected .coordinate."),
    "flat": (TSP, "2 3 4", "2 3", ParseError, "line 8: 2 words; a node is `id x y`"),
    "weight type": (
        TSP,
        "EUC_2D",
        "EUC_4D",
        ParseError,
        "line 6: EDGE_WEIGHT_TYPE 'EUC_4D' is not known; there are EUC_2D, .*GEO and EXPLICIT",
    ),
    "3D": (TSP, "EUC_2D", "EUC_3D", UnsupportedError, "line 6: EUC_3D of TSPLIB is not read; write the distances as EXPLICIT"),
    "no type": (TSP, "EDGE_WEIGHT_TYPE : EUC_2D\n", "", ParseError, "no EDGE_WEIGHT_TYPE"),
    "no dimension": (TSP, "DIMENSION:3\n", "", ParseError, "no DIMENSION"),
    "no nodes": (TSP, "DIMENSION:3", "DIMENSION:0", InvalidInstanceError, "line 5: DIMENSION 0; it must be positive"),
    "half a node": (TSP, "DIMENSION:3", "DIMENSION:2.5", InvalidInstanceError, "line 5: DIMENSION 2.5; it must be a whole number"),
    "too many": (TSP, "DIMENSION:3", "DIMENSION:1000000", UnsupportedError, "line 5: 1,000,000 nodes; at most"),
    "too long": (TSP, "DIMENSION:3", "DIMENSION:1e400", PrecisionError, "line 5: DIMENSION 1e400 does not fit"),
    "no section": (
        TSP,
        "NODE_COORD_SECTION\n2 3 4\n1 0.0e+00 0\n3 1.0e+01 0\n",
        "",
        ParseError,
        "line 6: EUC_2D, but there is no NODE_COORD",
    ),
    "other type": (TSP, "TYPE : TSP (A. Person)", "TYPE : SOP", UnsupportedError, "TYPE SOP is not modelled"),
    "two keys": (TSP, "COMMENT: two", "NAME : other", ParseError, "line 4: a second NAME"),
    "unknown key": (TSP, "COMMENT: two", "SALESMEN : 4", UnsupportedError, "line 4: SALESMEN is not known, and may be a constraint"),
    "fixed edges": (
        TSP,
        "EOF",
        "FIXED_EDGES_SECTION\n1 2\n-1\nEOF",
        UnsupportedError,
        "line 11: FIXED_EDGES_SECTION asks for edges .* use OR-Tools",
    ),
    "short matrix": (EXPLICIT, " 0\nDISPLAY", "DISPLAY", ParseError, "line 8: expected 6 weights .LOWER_DIAG_ROW of DIMENSION 3., found 5"),
    "long matrix": (
        EXPLICIT,
        " 0\nDISPLAY",
        " 0 1\nDISPLAY",
        ParseError,
        "line 9: 1 words more than LOWER_DIAG_ROW of DIMENSION 3 has, from '1'",
    ),
    "layout": (EXPLICIT, "LOWER_DIAG_ROW", "SPIRAL", ParseError, "line 5: EDGE_WEIGHT_FORMAT 'SPIRAL' is not known"),
    "no layout": (EXPLICIT, "EDGE_WEIGHT_FORMAT : LOWER_DIAG_ROW\n", "", ParseError, "no EDGE_WEIGHT_FORMAT"),
    "negative": (EXPLICIT, "0 7 8", "0 -7 8", InvalidInstanceError, "line 8: weights .* -7; it must be at least 0"),
    "decimals": (EXPLICIT, "0 7 8", "0 7.0123456789 8", PrecisionError, "weights with 10 decimals; round them to 9"),
    "two depots": (VRP, " 1\n -1", " 1\n 2\n -1", UnsupportedError, "line 17: 2 depots; one is modelled: use PyVRP or VROOM"),
    "no depot": (VRP, " 1\n -1", " -1", ParseError, "line 17: no depot"),
    "no depots": (VRP, "DEPOT_SECTION\n 1\n -1\n", "", ParseError, "no DEPOT_SECTION"),
    "depot asks": (VRP, "1 0\n2 4", "1 1\n2 4", InvalidInstanceError, "line 13: the depot asks for 1"),
    "too heavy": (VRP, "3 6\n4 7", "3 60\n4 7", InfeasibleError, "line 15: node 3 has 60, a vehicle holds 10: no plan can exist"),
    "demand twice": (VRP, "3 6\n4 7", "3 6\n3 7", InvalidInstanceError, "line 16: node 3 is there twice, first in line 15"),
    "demand gone": (VRP, "4 7\n", "", InvalidInstanceError, "line 12: demands of 3 nodes, DIMENSION says 4"),
    "negative demand": (VRP, "4 7\n", "4 -7\n", InvalidInstanceError, "line 16: demand -7"),
    "no capacity": (VRP, "CAPACITY : 10\n", "", ParseError, "no CAPACITY"),
    "length": (VRP, "CAPACITY : 10", "CAPACITY : 10\nDISTANCE : 200", UnsupportedError, "line 7: DISTANCE asks for a limit .* use PyVRP"),
    "service": (VRP, "CAPACITY : 10", "CAPACITY : 10\nSERVICE_TIME : 10", UnsupportedError, "line 7: SERVICE_TIME asks for service times"),
    "windows": (
        VRP,
        _END,
        f"TIME_WINDOW_SECTION\n1 0 9\n{_END}",
        UnsupportedError,
        "line 17: TIME_WINDOW_SECTION asks for time windows, .* PyVRP",
    ),
    "services": (VRP, _END, f"SERVICE_TIME_SECTION\n1 0\n{_END}", UnsupportedError, "line 17: SERVICE_TIME_SECTION asks for service times"),
    "pickups": (VRP, _END, f"BACKHAUL_SECTION\n1 -1\n{_END}", UnsupportedError, "BACKHAUL_SECTION asks for pickups, deliveries"),
    "no vehicles": (VRP, "CAPACITY : 10", "CAPACITY : 10\nVEHICLES : 0", InvalidInstanceError, "line 7: VEHICLES 0; it must be positive"),
}


@pytest.mark.parametrize("what", WRONG)
def test_everything_that_is_wrong_has_its_error_its_file_and_its_line(what, tmp_path):
    text, before, after, error, message = WRONG[what]
    assert before in text
    with pytest.raises(error, match=f"file.vrp.*{message}"):
        read_as(tmp_path, text.replace(before, after, 1))


def test_no_distance_and_no_service_time_are_no_constraint(tmp_path):
    assert read_as(tmp_path, VRP.replace("CAPACITY : 10", "CAPACITY : 10\nDISTANCE : 0\nSERVICE_TIME : 0")).capacity == 10


def test_a_tour_counts_from_one_and_tells_its_length(tmp_path):
    tsp = read_as(tmp_path, TSP)
    tour = "NAME : mini.opt.tour\nCOMMENT : Optimal tour (23)\nTYPE : TOUR\nDIMENSION : 3\nTOUR_SECTION\n1 3\n2\n-1\nEOF\n"
    assert read_solution(tour, tsp) == ((0, 2, 1), 23)
    assert read_solution(tour.replace("\n-1\nEOF", ""), tsp)[0] == (0, 2, 1)
    assert read_solution(tour.replace("Optimal tour (23)", "Length = 24"), tsp)[1] == 24
    with pytest.raises(InvalidInstanceError, match="line 4: DIMENSION 4, the instance has 3 nodes"):
        read_solution(tour.replace("DIMENSION : 3", "DIMENSION : 4"), tsp)
    with pytest.raises(ParseError, match=r"line 6: 'three' where a number is expected .node."):
        read_solution(tour.replace("1 3", "1 three"), tsp)
    with pytest.raises(ParseError, match=r"a solution .tour., no instance"):
        read(tour)


def test_a_sol_counts_customers_without_the_depot(tmp_path):
    vrp = read_as(tmp_path, VRP)
    assert read_solution("Route #1: 2 1 \nRoute #2: 3\nRoute #3:\nCost 42\n", vrp) == (((2, 1), (3,)), 42)
    assert read_solution("route 1 : 2 1\nroute 2 : 3\n", vrp) == (((2, 1), (3,)), None)
    with pytest.raises(ParseError, match=r"line 1: 'x' where a number is expected .customer."):
        read_solution("Route #1: 2 x\nCost 42\n", vrp)
    with pytest.raises(ParseError, match=r"a solution of cvrp .sol., the instance is a tsp"):
        read_solution("Route #1: 2 1\nCost 42\n", read_as(tmp_path, TSP))
