"""Which end of a metric is the good one: of every metric that an application logs, and as its card and its recipes have it."""

from pathlib import Path

import pytest
import yaml

from apps.base.card import APPS, find_card
from apps.base.directions import falls

ROOT = Path(__file__).parents[3]
FALL = {
    "dcal": "loss calibration_error market/unmatched",
    "ahan": "twin_eer general_eer_low hard_twin_eer twin_accuracy_folds_error",
    "mil": "brier ece",
    "histograph": "loss mae rmse rmse/solubility",
    "otsnet": "loss broken cer SET/cer confidence_risk_coverage confidence_calibration_error",
    "hag": "mae mae_low medae rmse polyp_mae polyp_mae_high polyp_medae",
    "accord": "gap gap_tsp best_of_gap untrained_gap open_gap_with_rule state_error state_error_tsp",
}
RISE = {
    "dcal": "top1 top5 per_class cell_hit market/mAP market/R1 market/R10 market/mINP",
    "ahan": "twin_accuracy twin_accuracy_folds twin_auc twin_auc_low twin_d_prime twin_tar_far_0.01",
    "mil": "auc auc_hard average_precision accuracy balanced_accuracy precision recall f1 kappa c_index hard_recall attention_auc",
    "histograph": "accuracy balanced auc ap mrr hits_10 r2 r2/solubility",
    "otsnet": "words words_36 one_minus_ned SET/one_minus_ned SET/words_36 seen_36 unseen_36 mean_of_sets_36 pooled_94 fixed judge_auroc",
    "hag": "accuracy macro_f1 tri_macro_f1_low tri_balanced_accuracy within_1mm within_20pct bin10_weighted_f1 bin5_sensitivity bin5_auroc",
    "accord": "feasible open_feasible_cvrp accuracy accuracy_tsp instances_per_second",
}


@pytest.mark.parametrize("app", APPS)
def test_the_metrics_of_an_application_have_a_direction(app):
    assert {name: falls(f"test/{name}") for name in FALL[app].split()} == dict.fromkeys(FALL[app].split(), True)
    assert {name: falls(f"test/{name}") for name in RISE[app].split()} == dict.fromkeys(RISE[app].split(), False)


@pytest.mark.parametrize("app", APPS)
def test_directions_are_those_of_the_cards_and_the_recipes(app):
    card = find_card(app)
    assert falls(card.metric) is not card.higher_is_better
    for path in sorted((ROOT / "configs" / app).glob("*.yaml")):
        ranks = yaml.safe_load(path.read_text()).get("checkpoints", {})
        if "monitor" in ranks:
            assert falls(ranks["monitor"]) is (ranks["mode"] == "min"), path.name


@pytest.mark.parametrize("name", ["chance", "semantic", "polyp_bias", "loa_low", "seeds/half_interval", "top1/std_folds", "hours"])
def test_what_no_name_tells_is_not_guessed(name):
    assert falls(f"test/{name}") is None
