"""Personas and their text."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sociarium.kernel.errors import UsageError
from sociarium.populations.personas import Persona, distinct_names, first_distinct


def test_only_what_is_known_is_told_and_in_one_order() -> None:
    assert Persona(name="John").block() == "Name: John"
    full = Persona(name="Kate", age=41, traits=("patient", "blunt"), goals="Fish for years.", facts={"City": "Delft", "Religion": ""})
    assert full.block() == "Name: Kate\nAge: 41\nTraits: patient, blunt\nGoals: Fish for years.\nCity: Delft"


def test_a_name_is_one_line_and_an_age_is_human() -> None:
    for bad in ({"name": "John\nKate"}, {"name": ""}, {"name": "  "}, {"name": "J", "age": 131}, {"name": "J", "job": "x"}):
        with pytest.raises(ValidationError):
            Persona.model_validate(bad)


def test_two_agents_of_one_name_are_refused_and_never_renamed() -> None:
    people = [Persona(name=name) for name in ("John", "Kate", "JOHN")]
    with pytest.raises(UsageError, match="personas 1 and 3"):
        distinct_names(people)
    assert [person.name for person in first_distinct(people, 2)] == ["John", "Kate"]
    with pytest.raises(UsageError, match="only 2"):
        first_distinct(people, 3)
