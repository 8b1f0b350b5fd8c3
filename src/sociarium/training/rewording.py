"""Red teaming with words: which wording of a post goes furthest, by changing a word at a time and keeping what scores higher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

Score = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Climb:
    """``texts`` and ``scores``: the start and every wording that was kept, in order. ``tried``: wordings that were scored."""

    texts: tuple[str, ...]
    scores: tuple[float, ...]
    tried: int

    @property
    def best(self) -> str:
        return self.texts[-1]

    @property
    def gain(self) -> float:
        """By how much the search believes to have improved. Where scores are noisy this is too much (the winner's curse): score the best
        and the start anew, on draws that the search has not seen."""
        return self.scores[-1] - self.scores[0]


def climb(start: str, vocabulary: Sequence[str], score: Score, random: Stream, *, steps: int = 100) -> Climb:
    """Try ``steps`` wordings, each the best so far with one word, by lot, in place of another; a wording is kept if it scores higher.

    With an exact ``score``, such as the summed chance over all edges, what is kept never falls. With a simulated one it does not either,
    as far as the search can tell, which is its trouble: see ``Climb.gain``.
    """
    words = start.split()
    if not words or not vocabulary or steps < 1:
        raise UsageError("a climb needs a text with a word, a vocabulary, and at least one step")
    texts, scores = [" ".join(words)], [score(" ".join(words))]
    for step in range(steps):
        place, word = (int(random.integers(0, len(options) - 1, [step], index)[0]) for index, options in enumerate((words, vocabulary)))
        changed = [*words[:place], vocabulary[word], *words[place + 1 :]]
        found = score(" ".join(changed))
        if found > scores[-1]:
            words = changed
            texts.append(" ".join(words))
            scores.append(found)
    return Climb(tuple(texts), tuple(scores), steps + 1)
