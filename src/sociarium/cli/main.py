"""The command line: one verb a file, imported when it is called."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError

import sociarium
from sociarium.kernel.errors import SociariumError

VERBS = {  # verb -> where it lives
    "list": "sociarium.cli.look:list_scenarios",
    "describe": "sociarium.cli.look:describe",
    "run": "sociarium.cli.run:run",
    "forecast": "sociarium.cli.forecast:forecast",
    "show": "sociarium.cli.show:show",
    "resume": "sociarium.cli.run:resume",
    "replay": "sociarium.cli.run:replay",
    "branch": "sociarium.cli.run:branch",
    "replicate": "sociarium.cli.replicate:replicate",
    "doctor": "sociarium.cli.look:doctor",
    "bench": "sociarium.cli.bench:bench",
    "serve-model": "sociarium.cli.models:serve_model",
}

app = App(name="sociarium", version=sociarium.__version__, help="Societies of language-model, rule and learned agents, in one engine.")
for verb, home in VERBS.items():
    app.command(home, name=verb)
models = App(name="models", help="Language models that run on this machine: list them, pull their weights.")
models.command("sociarium.cli.models:list_models", name="list")
models.command("sociarium.cli.models:pull", name="pull")
app.command(models)


def main(tokens: list[str] | None = None) -> None:
    """Run a command and exit with its code: 0 well, 1 a failed check, 2 bad input, 3 record, 4 model, 5 budget, 6 mismatch, 130 stopped."""
    sys.exit(_run(sys.argv[1:] if tokens is None else tokens))


def _run(tokens: list[str]) -> int:
    try:
        result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _fail(str(error), 2)
    except SociariumError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    except BrokenPipeError:
        return 0
    return result if isinstance(result, int) else 0


def _fail(text: str, code: int) -> int:
    from sociarium.cli.console import complain

    complain(text)
    return code
