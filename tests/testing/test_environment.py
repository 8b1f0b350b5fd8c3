"""A sound environment passes every check; each check finds its defect."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium import testing
from sociarium.environments.commons.commons import Commons, CommonsRules
from sociarium.kernel.errors import RecordError
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.testing import ConformanceError

from .worlds import pond


def test_a_sound_environment_passes():
    testing.environment_test(pond)


def test_commons_passes():
    def build():
        population = Population.of("fisher", 20, group=np.arange(20) // 5)
        environment = Commons(CommonsRules(horizon=5))
        return Simulation(population, [environment], [testing.FuzzMind(3, illegal=False)], Rounds([Phase("harvest", "commons")], 6), seed=2)

    testing.environment_test(build)


@pytest.mark.parametrize(
    ("check", "defect", "says"),
    [
        (testing.purity_test, "impure", "observe and describe change nothing"),
        (testing.purity_test, "short column", "3 values for 12 agents"),
        (testing.sharing_test, "counts calls", "lanes shared out in another way"),
        (testing.sharing_test, "touches", "lanes shared out in another way"),
        (testing.refusal_test, "half", "not carried out by half"),
        (testing.refusal_test, "no reason", "without a reason"),
        (testing.state_test, "rounds", "state, load, state"),
        (testing.state_test, "alias", "copy its arrays"),
        (testing.state_test, "loads all", "leaves the others as they are"),
        (testing.groups_test, "touches", "group 0 alone"),
        (testing.admission_test, "short measure", "1 values for 4 groups"),
    ],
)
def test_a_defect_is_found(check, defect, says):
    def build():
        simulation = pond(defect)
        if defect in ("impure", "alias"):
            simulation.world["pond"].looks = np.zeros(1)
        return simulation

    with pytest.raises(ConformanceError, match=says):
        check(build)


def test_an_environment_that_is_short_of_rows_after_admission_fails():
    with pytest.raises(IndexError):
        testing.admission_test(lambda: pond("short"))


def test_a_state_that_is_no_plain_data_is_named():
    def build():
        simulation = pond()
        simulation.world["pond"].state = lambda groups=None: {"level": object()}
        return simulation

    with pytest.raises(RecordError, match="level"):
        testing.state_test(build)


def test_a_survey_that_changes_something_is_found():
    def build():
        simulation = pond()
        observe = simulation.world["pond"].observe

        def impure(turn):
            if turn.kind == "probe":
                simulation.world["pond"].level += 1
            return observe(turn)

        simulation.world["pond"].observe = impure
        return simulation

    with pytest.raises(ConformanceError, match="a survey and an unused environment"):
        testing.probe_test(build)


def test_seed_and_fork():
    testing.seed_test(lambda seed: pond(seed=seed))
    testing.fork_test(pond)
    with pytest.raises(ConformanceError, match="the seed reaches no draw"):
        testing.seed_test(lambda seed: pond())


def test_a_run_that_keeps_state_outside_itself_fails_the_seed_test():
    shared = [0.0]

    def build(seed):
        simulation = pond(seed=seed)
        shared[0] += 1
        simulation.world["pond"].level += shared[0]
        return simulation

    with pytest.raises(ConformanceError, match="seed 1 twice: tick 0 differs in"):
        testing.seed_test(build)
