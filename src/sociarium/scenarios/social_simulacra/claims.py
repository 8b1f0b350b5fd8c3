"""What the paper and its system file claim, checked on the engine. One function a claim of the card; they stand in three files."""

from sociarium.scenarios.social_simulacra.checks_measures import (
    a_model_can_judge,
    a_model_follows,
    anova_level,
    breaking_share,
    description_carries_design,
    judge_measured,
    persona_diversity,
    raters,
    sensitivity_disjoint,
    sensitivity_identical,
    sensitivity_rises,
    telling,
)
from sociarium.scenarios.social_simulacra.checks_prompts import ablations, prompt_plumbing
from sociarium.scenarios.social_simulacra.checks_threads import (
    expansion_calls,
    expansion_stops,
    multiverse_at_zero,
    multiverse_spread,
    provenance,
    reply_law,
    reply_mean,
    what_if_isolation,
)

__all__ = [
    "a_model_can_judge", "a_model_follows", "ablations", "anova_level", "breaking_share", "description_carries_design", "expansion_calls",
    "expansion_stops", "judge_measured", "multiverse_at_zero", "multiverse_spread", "persona_diversity",
    "prompt_plumbing", "provenance", "raters", "reply_law", "reply_mean", "sensitivity_disjoint",
    "sensitivity_identical", "sensitivity_rises", "telling", "what_if_isolation",
]  # fmt: skip
