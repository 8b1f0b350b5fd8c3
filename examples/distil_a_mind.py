"""Forty lakes whose fishers think in words, and a policy that learns from them: how many questions it saves, at what error.

Any model's name may be given: local:smollm2, http://… The scripted model answers at random, so that there is little to learn but shares.
"""

import sys

from sociarium import ModelService, open_backend
from sociarium.kernel.protocols import NoJournal
from sociarium.minds.distilled import Distillation, distil
from sociarium.scenarios import catalogue

model = sys.argv[1] if len(sys.argv) > 1 else "scripted:schema"
lakes = int(sys.argv[2]) if len(sys.argv) > 2 else 40
game = catalogue.scenario("govsim").of(
    {"model": model, "pace": "choices", "embedder": "hashing", "language": "none", "lakes": lakes, "choose_most": 15}
)
rules = Distillation(
    ("commons.harvest",),
    ("commons.stock", "commons.share", "commons.month"),
    values={"quantity": range(0, 16, 5)},
    limits={"quantity": "commons.stock"},
    warm_up=5 * lakes,
    unsure=0.15,
)

simulation = game.build(seed=1)
policy = distil(simulation, rules)
simulation.door = ModelService({"default": open_backend(model)}, journal=NoJournal(), seed=1)
simulation.run_sync()
report = policy.report()
print(f"{report.decisions} decisions: {report.early + report.unsure + report.audited} asked, {100 * report.saved:.0f} % saved")
print(f"  {report.early} before anything was known, {report.unsure} unsure, {report.audited} audits, {report.restarts} fresh starts")
low, high, chance = report.disagreement_low, report.disagreement_high, report.disagreement_by_chance
print(f"  the policy disagreed in {report.disagreement:.2f} [{low:.2f}, {high:.2f}] of the audits ({chance:.2f} by chance alone)")
print(f"  distance of the shares of options {report.distance:.3f} ({report.distance_by_chance:.3f} by chance alone)")
print(f"model calls: {simulation.door.summary()['calls']}")
