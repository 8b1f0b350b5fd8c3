"""What the paper and its system file claim, checked on the engine. One function a claim of the card; they stand in three files."""

from sociarium.scenarios.agenttorch.checks_epidemic import (
    all_isolate,
    engines,
    feedback,
    final_size,
    generation,
    growth,
    no_transmission,
    one_step_gradient,
    one_step_mean,
    speed,
    straight_through_ratio,
)
from sociarium.scenarios.agenttorch.checks_learning import (
    calibration_network,
    mortality,
    prompt_search,
    recovery,
    smoothed_cubic,
    smoothed_quadratic,
    straight_through_quadratic,
)
from sociarium.scenarios.agenttorch.checks_minds import (
    agents_agree,
    calls_at_scale,
    calls_of_archetypes,
    counterfactual,
    heuristics_agree,
    information,
    money,
    older,
    private_spread,
    private_variance,
    shares_of_groups,
    stimulus,
    told_feedback,
    unemployment,
)

__all__ = [
    "agents_agree", "all_isolate", "calibration_network", "calls_at_scale", "calls_of_archetypes", "counterfactual", "engines", "feedback",
    "final_size", "generation", "growth", "heuristics_agree", "information", "money", "mortality", "no_transmission", "older",
    "one_step_gradient", "one_step_mean", "private_spread", "private_variance", "prompt_search", "recovery", "shares_of_groups",
    "smoothed_cubic", "smoothed_quadratic", "speed", "stimulus", "straight_through_quadratic", "straight_through_ratio", "told_feedback",
    "unemployment",
]  # fmt: skip
