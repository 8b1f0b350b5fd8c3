"""The guessing game at scale: rule players, language players, personas, and the record of a run."""

import asyncio
import math

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.claims import checks_of, match_checks
from sociarium.lab.running import Options
from sociarium.minds.prompts import Prompt
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.scenarios import catalogue
from sociarium.scenarios.agentscope import claims
from sociarium.scenarios.agentscope.scenario import AgentScope
from sociarium.testing import digest_of, mind_test, seed_test, sharing_test, state_test, ticks_of

RATIOS = (1 / 2, 3 / 5, 2 / 3, 51 / 100, 67 / 100)


def of(**settings):
    return AgentScope.of(settings)


def ticks(seed=1, **settings):
    return ticks_of(of(**settings).build(seed))


def talked(reply, seed=1, **settings):
    scenario = of(model="scripted:schema", **settings)
    backend = ScriptedBackend(reply)
    records = []
    options = Options(backends={"scripted:schema": backend}, on_tick=[records.append])
    finished = asyncio.run(running.in_memory(scenario, seed, options))
    return finished, records, backend


@pytest.mark.parametrize("shift", [0.0, 5.0])
@pytest.mark.parametrize("ratio", RATIOS)
def test_best_responses_fall_to_the_equilibrium(ratio, shift):
    records = ticks(players="best_response", participants=200, rounds=30, ratio=ratio, shift=shift)
    means = [float(record.measures["guess.mean"][0]) for record in records]
    start, end = 50.0, shift / (1 - ratio)
    for k, mean in enumerate(means):
        assert mean == pytest.approx(end + (start - end) * ratio**k, rel=1e-12, abs=1e-12)
    assert abs(means[-1] - end) < 1e-3


def test_level_two_reports_two_steps_and_counts_are_exact():
    record = ticks(players={"level0": 0.2, "level1": 0.5, "level2": 0.3}, participants=100, rounds=1)[0]
    numbers = record.events[0].data["number"]
    assert np.count_nonzero(np.isclose(numbers, 100 / 3)) == 50
    assert np.count_nonzero(np.isclose(numbers, 200 / 9)) == 30


def test_statistics_are_those_of_the_reports():
    record = ticks(participants=501, rounds=1)[0]
    numbers = record.events[0].data["number"]
    measures = {name: float(values[0]) for name, values in record.measures.items()}
    assert measures["statistics.median"] == np.median(numbers)
    assert measures["guess.deviation"] == pytest.approx(numbers.std())
    assert (measures["statistics.least"], measures["statistics.most"]) == (numbers.min(), numbers.max())
    assert measures["statistics.distance"] == pytest.approx(numbers.mean())
    assert measures["statistics.exact_share"] == np.mean(numbers == 0)
    spread = next(rows for rows in record.events if rows.kind == "statistics.histogram")
    assert spread.data["counts"].sum() == 501


@pytest.mark.parametrize("groups", [4, 7, 64])
def test_the_mean_does_not_depend_on_the_parts_and_the_failed_are_in_neither_sum_nor_count(groups):
    players = {"level0": 0.5, "level1": 0.3, "silent": 0.2}
    one, parts = ticks(players=players, participants=1000), ticks(players=players, participants=1000, groups=groups)
    for whole, split in zip(one, parts, strict=True):
        assert split.measures["guess.mean"][0] == pytest.approx(whole.measures["guess.mean"][0], rel=1e-12)
        assert split.measures["guess.reports"][0] == 800
        assert split.measures["statistics.failure_share"][0] == pytest.approx(0.2)
        assert split.shares() == {"ok": 800, "failed": 200}


def test_with_nobody_to_report_there_is_no_number_at_all():
    record = ticks(players="silent", participants=5, rounds=1)[0]
    assert math.isnan(record.measures["guess.mean"][0]) and math.isnan(record.measures["statistics.median"][0])
    assert record.measures["statistics.failure_share"][0] == 1


def test_contracts_hold():
    def build(seed=3):
        return of(participants=30, groups=3, players={"level0": 0.5, "level1": 0.5}, rounds=4).build(seed)

    seed_test(build)
    state_test(build)
    sharing_test(build)
    mind_test(build)


def test_ten_thousand_players_take_three_rounds():
    assert ticks(participants=10_000)[-1].measures["guess.reports"][0] == 10_000


@pytest.mark.slow
def test_a_hundred_thousand_and_a_million_players_too():
    for count in (100_000, 1_000_000):
        record = ticks(participants=count)[-1]
        assert record.measures["guess.reports"][0] == count
        assert not [rows for rows in record.events if rows.kind == "guess.reported"]
        assert abs(record.measures["guess.mean"][0] - 50) < 5 * 29.15 / math.sqrt(count)


def answering(numbers):
    """Raw answers in words; the second call finds ``numbers[i]`` in the i-th of them."""

    def reply(request, draw):
        last = request.blocks[-1].text
        if request.schema is not None:
            found = next(block.text for block in request.blocks if "I take" in block.text)
            return '{"number": ' + found.split("I take ")[1].split()[0] + "}"
        assert "number" in last
        return f"I take {numbers(request)} this time"

    return reply


def test_a_language_player_remembers_announcements_and_its_own_raw_answers():
    seen = []

    def number(request):
        seen.append("\n".join(f"{block.role}: {block.text}" for block in request.blocks))
        return 30

    _, records, _ = talked(answering(number), participants=1, rounds=3)
    assert [record.measures["guess.mean"][0] for record in records] == [30, 30, 30]
    assert "The winning number of the last round was 20." in seen[1]
    assert "assistant: I take 30 this time" in seen[1]
    assert seen[2].count("assistant: I take 30 this time") == 2
    assert seen[0].startswith("system: You take part in a game")


def test_a_player_that_never_gives_a_legal_number_fails_after_its_attempts_and_never_counts_as_minus_one():
    finished, records, backend = talked(answering(lambda request: -1), participants=4, rounds=1, attempts=3)
    assert math.isnan(records[0].measures["guess.mean"][0])
    assert records[0].measures["statistics.failure_share"][0] == 1
    assert finished.summary.turns == {"malformed": 4}
    assert backend.calls >= 4 * 3 * 2


def test_a_second_attempt_that_reads_counts_as_repaired():
    tried: dict[int, int] = {}

    def number(request):
        tried[0] = tried.get(0, 0) + 1
        return 999 if tried[0] == 1 else 12

    finished, records, _ = talked(answering(number), participants=1, rounds=1)
    assert finished.summary.turns == {"repaired": 1}
    assert records[0].measures["guess.mean"][0] == 12


def test_backgrounds_are_written_once_and_shown_to_their_own_player_only():
    shown = []

    def reply(request, draw):
        text = "\n".join(block.text for block in request.blocks)
        if request.schema is not None and "background" in request.schema["properties"]:
            job = text.split("profession: ")[1].split("\n")[0]
            return '{"name": "The ' + job + '", "gender": "x", "age": 40, "background": "Lives as ' + job + '."}'
        shown.append(text)
        return '{"number": 10}'

    settings = {"personas": "profession", "renormalise": True, "system_prompt": 13, "answer": "schema"}
    _, _, backend = talked(reply, participants=6, rounds=2, **settings)
    assert backend.calls == 6 + 12
    assert all(text.count("Lives as ") == 1 for text in shown)
    assert len({text.split("Lives as ")[1].split(".")[0] for text in shown}) == 6
    told = ("Exactly one player knows game theory", "There are 6 players: 1 professor of game theory")
    assert all(words in text for text in shown for words in told)


def test_quotas_are_exact_and_shares_that_do_not_sum_to_one_are_refused_unless_they_are_weights():
    with pytest.raises(UsageError, match=r"sum to 1\.2.*renormalise=true"):
        of(personas="profession").build(1)
    people = of(personas="profession", renormalise=True, participants=600).build(1).world.population["player"]
    assert set(np.unique(people["profession"].astype(str), return_counts=True)[1].tolist()) == {100}
    assert set(np.unique(people["gender"].astype(str), return_counts=True)[1].tolist()) == {300}
    assert all(text.endswith(".") and "The profession is" in text for text in people["background"])


def test_every_system_prompt_is_a_file_that_says_the_rule():
    for number in range(1, 14):
        prompt = Prompt.load(AgentScope.home() / "prompts" / f"rules_{number:02d}.md")
        assert {"maximum", "ratio"} <= set(prompt.variables)
        assert ("shift" in prompt.variables) == (6 <= number <= 9)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"players": "language"}, "need a model"),
        ({"system_prompt": 10}, "set personas"),
        ({"model": "scripted:schema", "system_prompt": 6}, "set shift=5"),
        ({"model": "scripted:schema", "shift": 5}, "use 6 to 9"),
        ({"groups": 101}, "cannot fill"),
        ({"players": {"level0": 0.5}}, "sum to 0.5"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings, told):
    with pytest.raises(UsageError, match=told):
        of(**settings).build(1)


def test_unknown_players_are_named():
    with pytest.raises(UsageError, match="no players 'level9'"):
        of(players="level9")


def test_a_run_with_a_model_replays_to_the_same_digest_and_is_drawn(tmp_path):
    scenario = of(model="scripted:schema?delay=0.001", participants=6, rounds=2, groups=2, players={"language": 0.5, "level1": 0.5})
    first = asyncio.run(running.start(scenario, 5, tmp_path / "run"))
    again = asyncio.run(running.replay(tmp_path / "run", catalogue.scenario))
    assert first.digest == again.digest
    target = scenario.plot(tmp_path / "run", tmp_path / "plot.png")
    assert target is not None and target.read_bytes()[:4] == b"\x89PNG"


def test_equal_seeds_give_equal_ticks_with_a_million_settings_aside():
    assert digest_of(ticks(7, participants=50)) == digest_of(ticks(7, participants=50))


def test_each_claim_of_the_card_has_its_check():
    match_checks(catalogue.card("agentscope"), checks_of(claims))
