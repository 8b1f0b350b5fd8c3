"""Options as a tree of tokens: what options share is scored once, and a fork of several options is often scored in one look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Tokens = tuple[int, ...]
Force = Callable[[Tokens, Tokens, bool], tuple[Sequence[float], Mapping[int, float]]]
"""(prefix, chain, whether the alternatives are wanted) to the log-probability of each token of the chain after the prefix, and the
log-probabilities of some alternatives to the chain's first token."""


def log_likelihoods(options: Sequence[Tokens], force: Force) -> list[float]:
    """The total log-likelihood in nats of each option's tokens, all after one prompt."""
    scores: dict[Tokens, float] = {(): 0.0}  # by prefix
    walk((), [tuple(option) for option in options], scores, force)
    return [scores[tuple(option)] for option in options]


def walk(prefix: Tokens, options: Sequence[Tokens], scores: dict[Tokens, float], force: Force) -> None:
    """Score all tokens after ``prefix``, whose own score is known."""
    depth = len(prefix)
    forks: dict[int, list[Tokens]] = {}
    for option in options:
        if len(option) > depth:
            forks.setdefault(option[depth], []).append(option)
    for number, (token, branch) in enumerate(forks.items()):
        step = (*prefix, token)
        if step in scores:  # seen among the alternatives
            walk(step, branch, scores, force)
            continue
        chain = straight(branch, depth)
        steps, others = force(prefix, chain, len(forks) > number + 1)
        for length, step_score in enumerate(steps, start=1):
            scores[prefix + chain[:length]] = scores[prefix + chain[: length - 1]] + step_score
        for other in forks:
            if other in others:
                scores.setdefault((*prefix, other), scores[prefix] + others[other])
        walk(prefix + chain, branch, scores, force)


def straight(branch: Sequence[Tokens], depth: int) -> Tokens:
    """What all options of the branch have in common from ``depth`` on."""
    first, last = min(branch), max(branch)
    end = depth
    while end < min(len(first), len(last)) and first[end] == last[end]:
        end += 1
    return first[depth:end]
