"""What the paper and its system file claim, checked on the engine: one function a claim of the card."""

from sociarium.scenarios.large_population_models.checks_composition import (
    against_objects,
    coupling_one,
    coupling_zero,
    disabled_substep,
    edge_visits,
    energy_books,
    fused_step,
    memory,
    no_grass,
    no_predators,
    rounding,
    scaling_slope,
    tensor_is_loop,
)  # fmt: skip
from sociarium.scenarios.large_population_models.checks_gradients import (
    all_recovered,
    counterfactual,
    deaths_lift,
    five_step_signs,
    initial_confounded,
    initial_known,
    mean_field,
    mortality_confounded,
    one_step_gradient,
    score_function_unbiased,
    sensitivity,
    smooth_gradient,
    weekly_confounded,
)  # fmt: skip
from sociarium.scenarios.large_population_models.checks_sites import (
    bytes_sent,
    decentralised_fit,
    decentralised_trajectory,
    lost_aggregator,
    noise_bias,
    noise_spread,
    shares_uniform,
    sums_exact,
)  # fmt: skip

__all__ = [
    "against_objects", "all_recovered", "bytes_sent", "counterfactual", "coupling_one", "coupling_zero", "deaths_lift", "decentralised_fit",
    "decentralised_trajectory", "disabled_substep", "edge_visits", "energy_books", "five_step_signs", "fused_step", "initial_confounded",
    "initial_known", "lost_aggregator", "mean_field", "memory", "mortality_confounded", "no_grass", "no_predators", "noise_bias",
    "noise_spread", "one_step_gradient", "rounding", "scaling_slope", "score_function_unbiased", "sensitivity", "shares_uniform",
    "smooth_gradient", "sums_exact", "tensor_is_loop", "weekly_confounded",
]  # fmt: skip
