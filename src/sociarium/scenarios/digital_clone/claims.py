"""What the paper and its system file claim, checked on the engine: one function a claim of the card."""

from sociarium.scenarios.digital_clone.checks_learning import (
    classifier_stable,
    edge_rule,
    no_leak,
    planted_area,
    planted_slope,
    shuffled_labels,
    windows_refused,
    without_cosines,
)  # fmt: skip
from sociarium.scenarios.digital_clone.checks_spread import (
    band_coverage,
    band_power,
    branching_extinct,
    branching_layers,
    edge_percolation,
    hub_removal,
    linear_bound,
    monotone_measures,
    node_process_by_receiver,
    node_process_not_monotone,
    one_decision,
    plain_band,
    threshold,
)  # fmt: skip
from sociarium.scenarios.digital_clone.checks_words import (
    blind_to_words,
    blocks_found,
    climb_exact,
    comments_reach_others,
    empty_comments,
    mutated_share,
    no_blocks,
    reach_by_topic,
    recorded_follow_lists,
    share_rates,
    texts_unchanged,
    twin,
    winners_curse,
    words_of_ones_own,
)  # fmt: skip

__all__ = [
    "band_coverage", "band_power", "blind_to_words", "blocks_found", "branching_extinct", "branching_layers", "classifier_stable",
    "climb_exact", "comments_reach_others", "edge_percolation", "edge_rule", "empty_comments", "hub_removal", "linear_bound",
    "monotone_measures", "mutated_share", "no_blocks", "no_leak", "node_process_by_receiver", "node_process_not_monotone", "one_decision",
    "plain_band", "planted_area", "planted_slope", "reach_by_topic", "recorded_follow_lists", "share_rates", "shuffled_labels",
    "texts_unchanged", "threshold", "twin", "windows_refused", "winners_curse", "without_cosines", "words_of_ones_own",
]  # fmt: skip
