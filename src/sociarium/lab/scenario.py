"""A scenario: a Pydantic class whose fields are the parameters, and whose ``build`` composes a simulation."""

from __future__ import annotations

import difflib
import hashlib
import io
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sociarium.kernel.errors import UsageError
from sociarium.kernel.simulation import Simulation
from sociarium.lab.routing import deal, routes_of


class Scenario(BaseModel):
    """The base of all scenarios. A parameter says its unit by ``json_schema_extra={"unit": "months"}``."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, protected_namespaces=())

    slug: ClassVar[str] = ""
    title: ClassVar[str] = ""
    progress: ClassVar[tuple[str, ...]] = ()  # event kinds worth showing while a run goes on
    headline: ClassVar[tuple[str, ...]] = ()  # measures that sum a run up
    least_good: ClassVar[float] = 0.5  # share of agent-turns that must end ok or repaired; below it a run is marked invalid

    speakers: ClassVar[tuple[str, ...]] = ()  # kinds of agents that ``routing`` deals models to; none: all

    model: str | None = Field(
        None, description="language model for the agents, such as local:smollm2, or several: default=MODEL; NAME=MODEL; none: rule minds"
    )
    routing: dict[str, Annotated[int, Strict()] | Annotated[float, Strict()] | Annotated[str, Strict()] | list[int]] = Field(
        default_factory=dict[str, Any],
        description="of several models, who has which: {NAME: 0.2} (of each world), {NAME: 3}, {NAME: [agents]} or {NAME: column=value}",
    )

    def build(self, seed: int) -> Simulation:
        """A simulation with this seed, without record and without door: whoever runs it attaches them."""
        raise NotImplementedError(type(self).__name__)

    def routes(self) -> dict[str, str]:
        """Which model answers which route."""
        return {} if self.model is None else routes_of(self.model)

    def built(self, seed: int) -> Simulation:
        """What ``build`` makes, each agent with the model that ``routing`` gives it: what is run."""
        simulation = self.build(seed)
        if self.routing:
            deal(simulation.world.population, seed, self.routing, self.routes(), self.speakers)
        return simulation

    def total_ticks(self) -> int | None:
        """How many ticks a run has at most, where that is known: for the progress bar."""
        return None

    def cadence(self) -> int:
        """Ticks between snapshots, and between digests of the whole state. Large populations choose more than 1."""
        return 1

    def summed_up(self) -> tuple[str, ...]:
        """Measures that sum this run up: the ``headline``, and those that a parameter brings about."""
        return self.headline

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        """One line for a person who watches, for an event of ``progress``; ``row`` has actor, name, group, tick and the event's data."""
        words = ", ".join(f"{name} {value}" for name, value in row.items() if name not in ("actor", "name", "group", "tick"))
        return f"{row.get('name', 'world')}: {words}"

    def plot(self, folder: Path, target: Path) -> Path | None:
        """Draw a run, or all replicates of a folder (``seed-*``) with their spread; None where this scenario has no picture."""
        return None

    def replay(self, folder: Path, target: Path) -> Path | None:
        """Write an HTML page by which a run can be stepped through, complete in itself; None where this scenario has none."""
        return None

    def parameters(self) -> dict[str, Any]:
        """Plain data, as the manifest keeps it."""
        return self.model_dump(mode="json")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """From settings as a person gives them: texts are read as YAML scalars, and may carry the parameter's unit."""
        given: dict[str, Any] = {}
        for name, value in settings.items():
            if name not in cls.model_fields:
                near = difflib.get_close_matches(name, cls.model_fields, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise UsageError(f"{cls.slug} has no parameter {name!r}{hint} See: sociarium describe {cls.slug}")
            given[name] = _read(cls, name, value) if isinstance(value, str) else value
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "parameters"
            raise UsageError(
                f"{cls.slug}: {where}: {first['msg']} (got {_short(first['input'])}). See: sociarium describe {cls.slug}"
            ) from None

    def changed(self, settings: Mapping[str, Any]) -> Self:
        """The same scenario with some parameters set anew."""
        return type(self).of({**self.parameters(), **settings})

    @classmethod
    def home(cls) -> Path:
        """The folder of this scenario's data: card, prompts, wordings. A class in a script has the script's, in a notebook the current."""
        if package := cls.__module__.rpartition(".")[0]:
            return Path(str(resources.files(package)))
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        return Path(file).parent if file else Path.cwd()

    @classmethod
    def prompt_digests(cls) -> dict[str, str]:
        """BLAKE2b-128 of every prompt file, for the manifest."""
        files = sorted((cls.home() / "prompts").rglob("*.md"))
        return {str(f.relative_to(cls.home())): hashlib.blake2b(f.read_bytes(), digest_size=16).hexdigest() for f in files}


def read_settings(path: Path) -> dict[str, Any]:
    """Settings from a YAML file."""
    try:
        loaded = _yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no settings file {path}") from None
    except (YAMLError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} is not readable YAML: {_one_line(error)}") from None
    if not isinstance(loaded, dict):
        raise UsageError(f"{path} must hold a mapping of parameters, such as 'months: 12'")
    return {str(name): value for name, value in cast("dict[Any, Any]", loaded).items()}


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """``k=v`` pairs of the command line."""
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set takes name=value, not {pair!r}")
        settings[name.strip()] = value
    return settings


def _read(scenario: type[Scenario], name: str, text: str) -> Any:
    """A YAML value, or the text itself where the parameter is a text; a number may be followed by the parameter's own unit only."""
    field = scenario.model_fields[name]
    if field.annotation is str:
        return text
    declared: Any = field.json_schema_extra
    extra = cast("dict[str, Any]", declared) if isinstance(declared, dict) else {}
    unit = str(extra.get("unit", ""))
    number, _, word = text.strip().partition(" ")
    if word and _is_number(number) and _is_number_field(field.annotation):
        if not unit:
            raise UsageError(f"{scenario.slug}: {name} has no unit, but {word!r} was given: write {name}={number}")
        if word.strip().rstrip("s") != unit.rstrip("s"):
            raise UsageError(f"{scenario.slug}: {name} is in {unit}, not in {word!r}: write {name}={number} for {number} {unit}")
        text = number
    try:
        return _yaml(text)
    except YAMLError as error:
        raise UsageError(f"{scenario.slug}: {name}={_short(text)} is not a readable value: {_one_line(error)}") from None


def _yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))  # pyright: ignore[reportUnknownMemberType]


def _is_number_field(annotation: Any) -> bool:
    return annotation in (int, float) or annotation in (int | None, float | None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
