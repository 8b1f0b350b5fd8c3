"""Who is there at the beginning: a community's file, its seed personas, and a designer each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sociarium.environments.social.membership import DESIGNER
from sociarium.environments.social.threads import MEMBER
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.populations.expansion import Sketch

HERE = Path(__file__).parent


def community(name: str) -> Path:
    """The file of a community: one that comes with the scenario, or a path."""
    own = HERE / "communities" / f"{name}.yaml"
    if own.is_file():
        return own
    if not Path(name).suffix:
        known = ", ".join(sorted(path.stem for path in own.parent.glob("*.yaml")))
        raise UsageError(f"there is no community {name!r}; there are {known}, or give a YAML file")
    return Path(name)


def population(people: Sequence[Sketch], copies: int) -> Population:
    """Seeds of every copy of the community, and a designer for each."""
    columns = [
        Column("name", str, ""),
        Column("phrase", str, "", doc="who it is, in a few words"),
        Column("seed", np.bool_, False, doc="given by the designer"),
        Column("guest", np.bool_, False, doc="brought in by a question; never drawn to write"),
        Column("behaviour", str, "", Visibility.OWN, doc="what a guest does"),
    ]
    population = Population()
    population.declare(DESIGNER)
    population.admit(DESIGNER, copies, group=np.arange(copies))
    population.declare(MEMBER, columns)
    names, phrases = (np.array([getattr(one, name) for one in people] * copies, object) for name in ("name", "phrase"))
    groups = np.repeat(np.arange(copies), len(people))
    population.admit(MEMBER, len(groups), group=groups, name=names, phrase=phrases, seed=True)
    return population
