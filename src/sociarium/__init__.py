"""Sociarium: societies of language-model, rule and learned agents, in one engine.

The names below are imported when first used, so that ``import sociarium`` costs almost nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers: the same names
    from sociarium.kernel.actions import Actions, Choice, Flag, Integer, Number, Text, action, query
    from sociarium.kernel.content import Block, Content
    from sociarium.kernel.environment import Environment, Events, Outcome
    from sociarium.kernel.errors import SociariumError
    from sociarium.kernel.hawkes import Hawkes
    from sociarium.kernel.mind import Mind
    from sociarium.kernel.network import Network
    from sociarium.kernel.outcomes import Status
    from sociarium.kernel.population import Column, Population
    from sociarium.kernel.schedule import Activity, Calendar, Rounds, WakeUps
    from sociarium.kernel.simulation import Intervention, Simulation
    from sociarium.kernel.turn import Phase, Turn
    from sociarium.lab.experiment import Experiment
    from sociarium.lab.scenario import Scenario
    from sociarium.minds.language.mind import LanguageMind
    from sociarium.minds.rule import RuleMind
    from sociarium.models.budget import BudgetLimits
    from sociarium.models.opening import open_backend
    from sociarium.models.request import Request, Sampling
    from sociarium.models.service import ModelService
    from sociarium.record.frames import frames
    from sociarium.record.run import RunRecord

__version__ = "0.1.0"

_HOME: dict[str, str] = {  # public name -> module that defines it
    "Actions": "sociarium.kernel.actions",
    "Activity": "sociarium.kernel.schedule",
    "Hawkes": "sociarium.kernel.hawkes",
    "Block": "sociarium.kernel.content",
    "BudgetLimits": "sociarium.models.budget",
    "Calendar": "sociarium.kernel.schedule",
    "Choice": "sociarium.kernel.actions",
    "Column": "sociarium.kernel.population",
    "Content": "sociarium.kernel.content",
    "Environment": "sociarium.kernel.environment",
    "Events": "sociarium.kernel.environment",
    "Experiment": "sociarium.lab.experiment",
    "Flag": "sociarium.kernel.actions",
    "Integer": "sociarium.kernel.actions",
    "Intervention": "sociarium.kernel.simulation",
    "LanguageMind": "sociarium.minds.language.mind",
    "Mind": "sociarium.kernel.mind",
    "ModelService": "sociarium.models.service",
    "Network": "sociarium.kernel.network",
    "Number": "sociarium.kernel.actions",
    "Outcome": "sociarium.kernel.environment",
    "Phase": "sociarium.kernel.turn",
    "Population": "sociarium.kernel.population",
    "Request": "sociarium.models.request",
    "Rounds": "sociarium.kernel.schedule",
    "RuleMind": "sociarium.minds.rule",
    "RunRecord": "sociarium.record.run",
    "Sampling": "sociarium.models.request",
    "Scenario": "sociarium.lab.scenario",
    "Simulation": "sociarium.kernel.simulation",
    "SociariumError": "sociarium.kernel.errors",
    "Status": "sociarium.kernel.outcomes",
    "Text": "sociarium.kernel.actions",
    "Turn": "sociarium.kernel.turn",
    "WakeUps": "sociarium.kernel.schedule",
    "action": "sociarium.kernel.actions",
    "frames": "sociarium.record.frames",
    "open_backend": "sociarium.models.opening",
    "query": "sociarium.kernel.actions",
}

__all__ = [
    "Actions",
    "Activity",
    "Block",
    "BudgetLimits",
    "Calendar",
    "Choice",
    "Column",
    "Content",
    "Environment",
    "Events",
    "Experiment",
    "Flag",
    "Hawkes",
    "Integer",
    "Intervention",
    "LanguageMind",
    "Mind",
    "ModelService",
    "Network",
    "Number",
    "Outcome",
    "Phase",
    "Population",
    "Request",
    "Rounds",
    "RuleMind",
    "RunRecord",
    "Sampling",
    "Scenario",
    "Simulation",
    "SociariumError",
    "Status",
    "Text",
    "Turn",
    "WakeUps",
    "__version__",
    "action",
    "frames",
    "open_backend",
    "query",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'sociarium' has no attribute {name!r}; public names: {', '.join(sorted(_HOME))}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
