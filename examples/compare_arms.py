"""Does one greedy neighbour matter? Two arms on the same ten seeds, and the difference with its interval."""

from sociarium import Experiment
from sociarium.scenarios import catalogue

GovSim = catalogue.scenario("govsim")
ARMS = {
    "all sustainable": {"policies": "sustainable"},
    "one greedy": {"policies": "sustainable*4,greedy"},
}

results = Experiment(GovSim, ARMS, seeds=range(10)).run_sync()
for measure, unit in (("commons.months", "months"), ("commons.gain", "tons an agent")):
    effect = results.difference("one greedy", "all sustainable", measure)
    print(f"{measure}: {effect.estimate:+.1f} {unit} (95 % interval {effect.low:.1f} to {effect.high:.1f})")
