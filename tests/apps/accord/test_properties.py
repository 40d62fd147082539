"""The twenty properties of the brief's section 9: where each is stated, and those that need all parts at once.

Shapes: B instances, S rollouts, P paths, T steps, A actions.
"""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.accord.automata import automaton
from apps.accord.automata.trail import trail
from apps.accord.decoding import decode
from apps.accord.decoding.choosing import log_probs
from apps.accord.solver import Solver
from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems
from tests.apps.accord.automata.test_figures import scaled
from tests.apps.accord.made import KINDS, SMALLER, instances, random_network

TESTS = Path(__file__).parents[2]

# Property -> file and test under tests/.
PROPERTIES: dict[int, tuple[str, ...]] = {
    1: (
        "apps/accord/test_properties.py::test_a_thousand_random_instances_are_feasible_whatever_the_weights",
        "apps/accord/test_properties.py::test_ten_thousand_random_instances_are_feasible_whatever_the_weights",
        "apps/accord/test_decoding.py::test_whatever_the_weights_every_answer_is_feasible",
        "apps/accord/automata/test_rollouts.py::test_a_thousand_random_rollouts_are_feasible_and_cost_what_the_checker_says",
    ),
    2: (
        "apps/accord/automata/test_paths.py::test_the_best_path_is_the_optimum_and_every_path_is_a_plan",
        "apps/accord/automata/test_paths.py::test_no_path_of_a_hard_fleet_ends_before_all_are_served",
        "apps/accord/automata/test_certificate.py::test_an_open_action_can_always_be_completed_and_no_row_runs_out",
    ),
    3: ("apps/accord/automata/test_paths.py::test_the_best_path_is_the_optimum_and_every_path_is_a_plan",),
    4: (
        "apps/accord/automata/test_rollouts.py::test_a_thousand_random_rollouts_are_feasible_and_cost_what_the_checker_says",
        "apps/accord/test_properties.py::test_a_thousand_random_instances_are_feasible_whatever_the_weights",
    ),
    5: (
        "apps/accord/automata/test_replay.py::test_any_plan_is_replayed_along_open_actions_and_gets_no_worse",
        "apps/accord/automata/test_replay.py::test_an_optimal_plan_keeps_its_objective",
        "apps/accord/test_lessons.py::test_any_feasible_plan_becomes_allowed_actions_of_no_worse_an_objective",
    ),
    6: (
        "apps/accord/test_model.py::test_steps_from_the_cache_are_those_of_teacher_forcing",
        "apps/accord/test_decoding.py::test_an_answer_depends_neither_on_batch_mates_nor_on_padding",
        "apps/accord/test_decoding.py::test_more_rollouts_leave_the_earlier_ones_as_they_are",
    ),
    7: (
        "apps/accord/test_model.py::test_permuted_entities_permute_the_decisions",
        "apps/accord/test_model.py::test_permuted_items_are_packed_alike",
        "apps/accord/test_model.py::test_the_names_of_machines_do_not_matter",
    ),
    8: (
        "apps/accord/test_model.py::test_moving_and_scaling_by_a_power_of_two_changes_no_bit",
        "apps/accord/test_properties.py::test_other_units_are_decided_alike",
    ),
    9: (
        "core_attention/lora/test_lora.py::test_a_fresh_adapter_is_the_identity_bit_for_bit",
        "core_attention/lora/test_lora.py::test_each_row_is_answered_by_its_own_merged_map",
        "core_attention/lora/test_lora.py::test_shuffled_rows_give_shuffled_answers",
        "apps/accord/test_model.py::test_a_seventh_adapter_leaves_the_others_bit_identical",
    ),
    10: (
        "apps/accord/test_decoding.py::test_forced_steps_have_log_prob_zero_and_cost_nothing_where_the_state_is_all",
        "apps/accord/test_properties.py::test_the_chances_of_all_paths_add_up_to_one",
    ),
    11: (
        "apps/accord/solver/test_network.py::test_more_samples_are_never_worse",
        "apps/accord/solver/test_solver.py::test_every_step_of_the_trace_is_better_and_later",
        "apps/accord/solver/test_limit.py::test_the_network_keeps_the_limit_and_uses_it",  # real seconds: benchmarks
        "apps/accord/solver/test_limit.py::test_every_method_of_our_own_looks_at_the_clock_and_ends",
        "apps/accord/solver/test_solver.py::test_the_time_is_over_when_it_is_over",
    ),
    12: (
        "datamodules/accord/formats/test_round_trips.py::test_every_format_gives_back_what_it_was_given",
        "datamodules/accord/formats/test_round_trips.py::test_a_plan_and_its_objective_are_given_back_by_every_format",
        "datamodules/accord/test_texts.py::test_any_feasible_plan_is_read_as_it_was_written_and_both_texts_give_one",
        "datamodules/accord/test_texts.py::test_a_corrupted_total_is_reported_and_the_plan_is_the_same",
        "apps/accord/verbs/test_stated.py::test_a_state_that_is_not_so_is_told",
    ),
    13: (
        "datamodules/accord/test_distances.py::test_every_weight_type_rounds_as_tsplib_says",
        "datamodules/accord/formats/test_real_files.py::test_published_tours_and_routes_have_the_published_lengths",
        "datamodules/accord/test_synth.py::test_taillards_generator_makes_the_published_instances",
    ),
    14: (
        "datamodules/accord/test_checker.py::test_any_feasible_plan_is_accepted_and_any_corruption_of_it_is_named",
        "datamodules/accord/test_checker.py::test_every_breach_of_a_schedule",
        "datamodules/accord/test_labels.py::test_labels_are_feasible_and_those_read_are_those_made",
    ),
    15: (
        "apps/accord/router/test_router.py::test_held_out_templates_reach_their_kind_and_held_out_outsiders_are_refused",
        "apps/accord/router/test_router.py::test_texts_without_a_problem_are_refused",
        "apps/accord/router/test_router.py::test_a_megabyte_is_answered",
        "apps/accord/front/test_read.py::test_no_number_of_an_instance_is_made_up",
    ),
    16: (
        "datamodules/accord/formats/test_wrong_files.py::test_everything_that_is_wrong_has_its_error_its_file_and_its_line",
        "datamodules/accord/formats/test_tsplib.py::test_everything_that_is_wrong_has_its_error_its_file_and_its_line",
        "datamodules/accord/formats/test_tables.py::test_everything_that_is_wrong_with_a_table_is_named",
        "datamodules/accord/test_instances.py::test_what_is_no_problem_is_refused_by_name",
    ),
    17: (
        "apps/accord/test_properties.py::test_the_smallest_problems_are_answered_with_the_right_word",
        "apps/accord/automata/test_degenerate.py::test_operations_without_length_close_no_mask",
        "datamodules/accord/references/test_methods.py::test_degenerate_instances_are_solved_by_every_method",
    ),
    18: (
        "apps/accord/test_program.py::test_the_script_answers_as_decode_does_and_feasibly",
        "apps/accord/automata/test_script.py::test_the_script_says_the_same",
    ),
    19: (
        "apps/accord/test_decoding.py::test_the_same_seed_gives_the_same_bytes_and_another_seed_another_plan",
        "apps/accord/verbs/test_solve.py::test_the_same_seed_gives_the_same_bytes",
        "apps/accord/test_task.py::test_the_same_seed_gives_the_same_weights_whatever_the_workers",
    ),
    20: (
        "apps/accord/test_decoding.py::test_unmasked_a_broken_rollout_is_not_finished",
        "apps/accord/solver/test_network.py::test_unmasked_a_broken_rule_is_never_called_feasible",
        "apps/accord/automata/test_unmasked.py::test_a_rollout_is_broken_exactly_where_the_checker_finds_something",
    ),
}


def test_every_property_is_stated_by_tests_that_exist():
    assert sorted(PROPERTIES) == list(range(1, 21))
    for place in {place for places in PROPERTIES.values() for place in places}:
        file, name = place.split("::")
        functions = {node.name for node in ast.parse((TESTS / file).read_text("utf-8")).body if isinstance(node, ast.FunctionDef)}
        assert name in functions, place


WAYS = (  # how the same weights are decoded; temperatures beyond use are among them
    {},
    {"greedy": False, "temperature": 1.0, "rollouts": 2},
    {"greedy": False, "temperature": 1e-3},
    {"greedy": False, "temperature": 1e3},
    {"greedy": False, "temperature": 1e-45},  # below every float32
)


def drawn(kind: str, count: int, seed: int) -> list:
    """Of one entity up to ten, the odd ones among them; a third of the routes with the tightest fleet that the loads may allow."""
    some = problems.many(kind, count - len(problems.EXTREMES[kind]), 1, 10, seed)
    if kind != "cvrp":
        return some
    fleets = [max(1, -(-sum(one.demands.tolist()) // max(1, one.capacity))) for one in some]
    return [one.with_fleet(fleet) if at % 3 == 0 else one for at, (one, fleet) in enumerate(zip(some, fleets, strict=True))]


def answered(kind: str, count: int, seed: int, ways: tuple[dict, ...]) -> tuple[int, int]:
    """(plans judged, rows without a certificate): every plan passes the checker at the objective that the automaton says."""
    rules, some, judged, stuck = automaton(kind), drawn(kind, count, seed), 0, 0
    network, batch = random_network(seed, history=bool(seed % 2)), pack(some)
    for way in ways:
        found = decode(network, rules, batch, **way)
        assert torch.equal(found.finished_BS, ~found.stuck_BS)
        for b, one in enumerate(some):
            for s in range(found.actions_BST.shape[1]):
                if found.stuck_BS[b, s]:
                    assert one.fleet is not None
                    stuck += 1
                    continue
                report = check(one, rules.plan(one, found.actions_BST[b, s].tolist()))
                assert report.feasible, (one, report.violations)
                assert report.objective == found.objective_BS[b, s]
                judged += 1
    return judged, stuck


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_random_instances_are_feasible_whatever_the_weights(kind):
    judged, stuck = zip(*(answered(kind, 250, seed, (way,)) for seed, way in enumerate(WAYS)), strict=True)
    assert sum(judged) + sum(stuck) == 1500
    assert sum(stuck) < 225  # fleets that are too small


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_random_instances_are_feasible_whatever_the_weights(kind):
    judged, stuck = zip(*(answered(kind, 1000, 10 + seed, WAYS) for seed in range(10)), strict=True)
    print(f"{kind}: {sum(judged):,} plans of 10,000 instances, all feasible; {sum(stuck):,} rows without a certificate")
    assert sum(judged) + sum(stuck) == 6 * 10_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("history", [False, True])
def test_the_chances_of_all_paths_add_up_to_one(kind, history):
    network, rules = random_network(history=history), automaton(kind)
    for one in instances(kind, 3, SMALLER):
        _, paths_PT, _ = problems.leaves(rules, one, first=0 if kind == "tsp" else None)
        batch = pack([one] * len(paths_PT))
        seen = trail(rules, batch, paths_PT)
        with torch.no_grad():
            route_P = network.routes(kind, len(paths_PT))
            logits_PTA = network(kind, batch, seen.current_BT, seen.features_BTP, seen.options_BTAQ, seen.entity_BTA, route_P).logits_BTA
        chance_PT = log_probs(logits_PTA, seen.mask_BTA, 1.0).gather(2, paths_PT.clamp(min=0).unsqueeze(2)).squeeze(2)
        free_PT = seen.free_BT.clone()
        free_PT[:, 0] &= kind != "tsp"  # a round begins at node 0
        assert len(paths_PT) > 1
        total = chance_PT.masked_fill(~free_PT, 0.0).sum(1).exp().sum()
        torch.testing.assert_close(total, torch.tensor(1.0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("by", [3, 1000])
@pytest.mark.parametrize("kind", ["knapsack", "binpack", "pfsp", "jssp"])
def test_other_units_are_decided_alike(kind, by):
    network, rules, some = random_network(), automaton(kind), instances(kind, 8, seed=5)
    here, there = (decode(network, rules, pack(these)) for these in (some, [scaled(one, by) for one in some]))
    assert torch.equal(here.actions_BST, there.actions_BST)
    assert torch.equal(here.logp_BS, there.logp_BS)


SAME = np.zeros((4, 2))  # four places at one point
SMALLEST = {
    "one node": (TSP([[0]]), 0),
    "two nodes": (TSP([[0, 5], [5, 0]]), 10),
    "two nodes, one way": (TSP([[0, 5], [7, 0]]), 12),
    "four nodes at one point": (TSP(np.zeros((4, 4)), xy=SAME), 0),
    "no customer": (CVRP([[0]], [0], 5), 0),
    "customers at the depot": (CVRP(np.zeros((4, 4)), [0, 3, 3, 3], 5, xy=SAME), 0),
    "a knapsack that holds nothing": (Knapsack([3, 4], [1, 2], 0), 0),
    "no items": (Knapsack([], [], 5), 0),
    "no bins": (BinPacking([], 5), 0),
    "items as large as a bin": (BinPacking([5, 5, 5], 5), 3),
    "one machine": (FlowShop([[3], [1], [2]]), 6),
    "one job": (FlowShop([[1, 2, 3]]), 6),
    "operations of no length": (FlowShop(np.zeros((3, 2))), 0),
    "one machine of a job shop": (JobShop((((0, 3),), ((0, 2),)), 1), 5),
    "one job of a job shop": (JobShop((((0, 3), (1, 2), (0, 1)),), 2), 6),
    "operations of no length in a job shop": (JobShop((((0, 0), (1, 0)), ((1, 0), (0, 0))), 2), 0),
}


@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_problems_are_answered_with_the_right_word(name):
    instance, value = SMALLEST[name]
    for method in ("portfolio", "exact"):
        (answer,) = Solver().solve([instance], method)
        assert (answer.objective, answer.status) == (value, "optimal")
        assert check(instance, answer.plan, answer.objective).feasible
