"""Claims about threads: how long they become, what a question changes, and that every text can be made again."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.casting import ThreadRules
from sociarium.environments.social.thread_table import Sort
from sociarium.environments.social.threads import Slot
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream, key_of
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Options, simulation_of
from sociarium.lab.statistics import chi_square, mean_interval
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Request
from sociarium.scenarios.social_simulacra.members import hostile
from sociarium.scenarios.social_simulacra.questions import multiverse, regenerated, thread, what_if
from sociarium.scenarios.social_simulacra.scenario import SocialSimulacra
from sociarium.scenarios.social_simulacra.stubs import Stub, played, prompt_of, threads_of

CHANCES = (0.5, 0.65, 0.8)
MANY = 10_000
KINDS, WIDTH, TRIALS = 10, 5, 1_000


def _same(slot: Slot) -> str:
    return "words"


async def _lengths(chance: float, seed: int) -> NDArray[np.int64]:
    table = threads_of(await played(Stub(_same), seed, personas=990, threads=MANY, reply=chance, breaking=0)).table
    return table.done - 1


@claim("reply-law")
async def reply_law(context: ClaimContext) -> Measured:
    """The smallest p of three chi-square tests over nine cells; the means, in standard errors; and the longest thread."""
    smallest, furthest, longest = 1.0, 0.0, 0
    for chance in CHANCES:
        rules, lengths = ThreadRules(chance), (await _lengths(chance, context.seeds[0]))
        smallest = min(smallest, chi_square(np.bincount(lengths, minlength=rules.width), rules.shares()))
        furthest = max(furthest, abs(lengths.mean() - rules.mean()) / (lengths.std() / MANY**0.5))
        longest = max(longest, int(lengths.max()))
    return Measured.exactly(smallest, holds=smallest > 0.001 and furthest < 4 and longest == 8)


@claim("reply-mean")
async def reply_mean(context: ClaimContext) -> Measured:
    """Mean replies at the default chance."""
    return Measured.estimated(mean_interval(await _lengths(0.65, context.seeds[-1])), holds=True)


@claim("what-if-isolation")
async def what_if_isolation(context: ClaimContext) -> Measured:
    """Insertions over which the prefix, the original or an equal insertion's continuation differed in any byte; they are as many as
    there are utterances. Members who answer hostility in kind turn hostile below a hostile insertion, and nowhere else."""
    wrong = asked = 0
    simulation = await played(None, context.seeds[0], personas=40, threads=12, reply=0.8, breaking=0, contagion=1.0)
    for number in range(12):
        before = thread(simulation, number)
        for after in range(len(before.lines) - 1):
            asked += 1
            own = before.lines[after + 1]
            same = await what_if(simulation, number, after, own.name, own.phrase, text=own.text)
            troll = await what_if(simulation, number, after, "Rick Stone", text="What a stupid idiot.")
            below = [hostile(line.text) for line in troll.lines[after + 2 :]]
            wrong += same.lines != before.lines or troll.lines[: after + 1] != before.lines[: after + 1]
            wrong += not all(below) or any(hostile(line.text) for line in troll.lines[: after + 1])
        wrong += thread(simulation, number) != before
    return Measured.exactly(float(wrong), holds=wrong == 0 and asked > 20)


@claim("multiverse-at-zero")
async def multiverse_at_zero(context: ClaimContext) -> Measured:
    """Distinct texts among five alternatives of a model that draws, at temperature 0; above it, more, the same for a seed."""
    counts: list[list[int]] = []
    for temperature in (0.0, 0.75, 0.75):
        simulation = await _spoken(temperature, context.seeds[0])
        texts = [[one.text for one in (await multiverse(simulation, number, 0, WIDTH))] for number in range(6)]
        counts.append([len(set(some)) for some in texts] + [hash(tuple(map(tuple, texts)))])
    most = max(counts[0][:-1])
    return Measured.exactly(float(most), holds=most == 1 and counts[1] == counts[2] and max(counts[1][:-1]) > 1)


@claim("multiverse-spread")
async def multiverse_spread(context: ClaimContext) -> Measured:
    """Distinct texts among five draws of ten equally likely ones: the mean of 1,000 threads."""
    chooser = Stub(lambda slot: f"text {slot.draw % KINDS}")
    simulation = SocialSimulacra.of({"personas": 0, "threads": TRIALS, "reply": 0.0, "breaking": 0.0}).build(context.seeds[0])
    simulation.minds.all[:] = [chooser]
    chooser.begin(simulation.world)
    await simulation.run()
    cast("Rounds", simulation.schedule).rounds += 1
    for number in range(TRIALS):
        simulation.inject("threads.multiverse", thread=number, position=0, width=WIDTH)
    await simulation.run()
    table = threads_of(simulation).table
    others = np.flatnonzero(table.sort == Sort.MULTIVERSE).reshape(TRIALS, WIDTH)
    texts = [{threads_of(simulation).text(row, 0) for row in rows} for rows in others.tolist()]
    found, expected = mean_interval([len(some) for some in texts], 0.9973), KINDS * (1 - (1 - 1 / KINDS) ** WIDTH)
    return Measured.estimated(found, holds=found.holds(expected))


@claim("expansion-calls")
async def expansion_calls(context: ClaimContext) -> Measured:
    """Calls for 1,000 personas where three in ten proposals are known already."""
    random = Stream(key_of(context.seeds[0], "repeats"))
    fresh = np.cumsum(random.uniform(np.arange(4_000)) >= 0.3)
    simulation = await played(Stub(_same, lambda call: int(fresh[call])), context.seeds[0], personas=1_000, threads=0)
    members = simulation.world.population["member"]
    pairs = {(str(name), str(phrase)) for name, phrase in zip(members["name"], members["phrase"], strict=True)}
    seeds = [one.name for one in SocialSimulacra.of({}).designed()[1]]
    kept = members["name"][:10].tolist() == seeds and members["seed"].tolist() == [True] * 10 + [False] * 1_000
    calls = float(simulation.world["membership"].measures()["calls"][0])
    return Measured.exactly(calls, holds=kept and len(pairs) == len(members) == 1_010)


@claim("expansion-stops")
async def expansion_stops(context: ClaimContext) -> Measured:
    """A designer who only repeats stops with an error that says so."""
    try:
        await played(Stub(_same, lambda call: call % 3), context.seeds[0], personas=50, threads=0)
    except UsageError as error:
        return Measured.exactly("stops with an error", holds="3 of 50" in str(error) and "brought nothing new" in str(error))
    return Measured.exactly("goes on", holds=False)


@claim("provenance")
async def provenance(context: ClaimContext) -> Measured:
    """Share of texts that come out the same when made again from what is stored with them, by rule and by a model that draws; the chain
    of designs verifies, and does not once a version is changed."""
    right = tried = 0
    for simulation in (
        await played(None, context.seeds[0], personas=50, threads=20, edits=[{"goal": "bread only"}]),
        await _spoken(0.75, context.seeds[0]),
    ):
        threads = threads_of(simulation)
        for number in range(len(threads.table)):
            for position, text in enumerate(threads.texts(number)):
                tried += 1
                right += (await regenerated(simulation, number, position)) == text
        threads.designs[0].verify()
    return Measured.exactly(right / tried, holds=right == tried and tried > 100)


async def _spoken(temperature: float, seed: int) -> Simulation:
    """Members of a model whose words are a function of prompt and draw."""

    def words(request: Request, draw: int | None) -> str:
        number = key_of(prompt_of(request), draw if request.sampling.temperature > 0 else None)
        return f"word{number % 1_000_003}"

    scenario = SocialSimulacra.of({"model": "scripted:schema", "personas": 0, "threads": 25, "temperature": temperature})

    async def run() -> Simulation:
        simulation = await simulation_of(scenario, seed, Options(backends={"scripted:schema": ScriptedBackend(words)}))
        await simulation.run()
        return simulation

    return await run()
