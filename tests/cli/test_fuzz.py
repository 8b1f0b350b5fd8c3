"""Whatever is given for a parameter is either taken, or refused in one line: drawn from each scenario's own schema."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import SociariumError, UsageError
from sociarium.lab.scenario import Scenario, parse_settings
from sociarium.scenarios import catalogue

SLUGS = ["pond", *(slug for slug in catalogue.slugs() if slug != "pond")]
ODD = [
    *("", " ", "null", "~", "true", ".nan", ".inf", "-.inf", "1e999", "0x10", "1_000", "[1, 2", "{a: b}"),
    *("!!python/name:os", "&a *a", "- 1", "2024-01-01"),
]
UNITS = ["months", "month", "days", "units", "%", "fish"]
WILD = st.one_of(
    st.text(max_size=30),
    st.sampled_from(ODD),
    st.integers().map(str),
    st.floats().map(repr),
    st.text(st.characters(categories=("Cc", "Cf", "Cs")), max_size=8),
    st.tuples(st.integers(-5, 200), st.sampled_from(UNITS)).map(lambda pair: f"{pair[0]} {pair[1]}"),
)


def _near(spec: dict[str, Any]) -> st.SearchStrategy[str]:
    """Values on, beside and between the bounds, and each word of a choice."""
    found: list[str] = []
    for one in spec.get("anyOf", [spec]):
        for name in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
            if name in one:
                found += [str(one[name] + step) for step in (-1, 0, 1)]
        found += [str(word) for word in one.get("enum", [])]
    return st.sampled_from(found or [str(spec.get("default"))])


@st.composite
def settings_of(draw: Any, schema: dict[str, Any]) -> list[str]:
    names = draw(st.lists(st.sampled_from(sorted(schema["properties"])), min_size=1, max_size=3, unique=True))
    return [f"{name}={draw(st.one_of(_near(schema['properties'][name]), WILD))}" for name in names]


@pytest.mark.parametrize("slug", SLUGS)
def test_settings_are_taken_or_refused_in_one_line(slug: str) -> None:
    kind = catalogue.scenario(slug)
    schema = kind.model_json_schema()

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(settings_of(schema))
    def check(pairs: list[str]) -> None:
        try:
            scenario = kind.of(parse_settings(pairs))
        except UsageError as refused:
            told = str(refused)
            assert told.strip()
            assert len(told.splitlines()) == 1, told
            assert len(told) < 1_000
            return
        assert isinstance(scenario, Scenario)
        assert kind.of(scenario.parameters()) == scenario, "what the manifest keeps means the same"

    check()


@pytest.mark.parametrize("slug", SLUGS)
def test_a_scenario_that_was_taken_can_be_built_and_begins(slug: str) -> None:
    """Valid values near the bounds, with few agents: a tick is played, or one clear error says what does not fit."""
    kind = catalogue.scenario(slug)
    schema = kind.model_json_schema()
    small = {"properties": {n: s for n, s in schema["properties"].items() if n != "model" and not _large(s)}}

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(settings_of(small))
    def check(pairs: list[str]) -> None:
        try:
            scenario = kind.of(parse_settings(pairs))
            if any(value > 200 for value in scenario.parameters().values() if isinstance(value, int)):
                return
            simulation = scenario.build(1)
        except SociariumError as refused:
            assert len(str(refused).splitlines()) == 1
            return
        assert asyncio.run(simulation.step())

    check()


def _large(spec: dict[str, Any]) -> bool:
    return any(one.get("maximum", 0) > 200 for one in spec.get("anyOf", [spec]))
