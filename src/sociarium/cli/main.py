"""The command line: one verb a file, imported when it is called."""

from __future__ import annotations

import os
import sys

from cyclopts import App, CycloptsError

import sociarium
from sociarium.kernel.errors import SociariumError

VERBS = {  # verb -> where it lives, what it does
    "list": ("look:list_scenarios", "The scenarios there are."),
    "describe": ("look:describe", "Paper, parameters and claims of a scenario."),
    "run": ("run:run", "Run a scenario, record it, and say what came of it."),
    "forecast": ("forecast:forecast", "What a run will cost: calls, tokens, money and time, with intervals."),
    "show": ("show:show", "What a record holds."),
    "resume": ("run:resume", "Go on with a run that was stopped or killed."),
    "replay": ("run:replay", "Run a record again with no model, to the same digest."),
    "branch": ("run:branch", "A new run that shares the first ticks of another."),
    "replicate": ("replicate:replicate", "Check a paper's claims: published, ours with interval, verdict."),
    "doctor": ("look:doctor", "Check a run folder against its checksums."),
    "bench": ("bench:bench", "Measure, beside the raw library in the same run."),
    "qualify": ("qualify:qualify_model", "Measure a model as a sampler of people: a table, a report and a picture."),
    "serve-model": ("models:serve_model", "Serve a model over HTTP in the OpenAI shape."),
}

app = App(name="sociarium", version=sociarium.__version__, help="Societies of language-model, rule and learned agents, in one engine.")
for verb, (home, purpose) in VERBS.items():
    app.command(f"sociarium.cli.{home}", name=verb, help=purpose)
models = App(name="models", help="Language models that run on this machine: list them, pull their weights.")
models.command("sociarium.cli.models:list_models", name="list", help="The models that run here without a key.")
models.command("sociarium.cli.models:pull", name="pull", help="Fetch the weights of a model and check them.")
app.command(models)


def main(tokens: list[str] | None = None) -> None:
    """Run a command and exit with its code: 0 well, 1 a failed check, 2 bad input, 3 record, 4 model, 5 budget, 6 mismatch, 130 stopped."""
    from sociarium.models.secret import no_core_dumps

    no_core_dumps()
    sys.exit(_run(sys.argv[1:] if tokens is None else tokens))


def _run(tokens: list[str]) -> int:
    if tokens and not tokens[0].startswith("-") and tokens[0] not in (*VERBS, "models"):
        return _fail(_unknown(tokens[0]), 2)  # said here: Cyclopts would import every verb to say it
    try:
        result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _fail(str(error), 2)
    except SociariumError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    except BrokenPipeError:  # whoever read our output has seen enough; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}", 3)
    return result if isinstance(result, int) else 0


def _unknown(verb: str) -> str:
    import difflib

    near = difflib.get_close_matches(verb, [*VERBS, "models"], 1)
    return f"there is no command {verb!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(VERBS)}, models")


def _fail(text: str, code: int) -> int:
    from sociarium.cli.console import complain

    complain(text)
    return code
