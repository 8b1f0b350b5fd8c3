"""From what a user writes to the backend it names. Nothing heavy is imported before it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

from sociarium.kernel.errors import UsageError
from sociarium.models.backend import Backend

FORMS = """\
  local:NAME            a small model on this machine (`sociarium models list` shows the names), or local:/path/model.gguf
  http://HOST/v1#MODEL  any OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama (https too)
  openai:MODEL          OpenAI, key in OPENAI_API_KEY
  anthropic:MODEL       Anthropic, key in ANTHROPIC_API_KEY
  wordllama, hashing    embeddings on this machine
  scripted:NAME         replies by a script: schema, echo, fixed
  faulty:RATE:SPEC      any of these with faults injected"""


# scheme -> the module and the function (spec -> Backend) that opens it
_OPENERS = {
    "anthropic": ("sociarium.models.backends.http", "open_http"),
    "faulty": ("sociarium.models.backends.faulty", "open_faulty"),
    "hashing": ("sociarium.models.backends.embed", "open_embedder"),
    "http": ("sociarium.models.backends.http", "open_http"),
    "https": ("sociarium.models.backends.http", "open_http"),
    "local": ("sociarium.models.backends.local", "open_local"),
    "openai": ("sociarium.models.backends.http", "open_http"),
    "scripted": ("sociarium.models.backends.scripted", "open_scripted"),
    "wordllama": ("sociarium.models.backends.embed", "open_embedder"),
}


def open_backend(spec: str) -> Backend:
    """The backend that ``spec`` names. Raises ``UsageError`` for anything that is not one of ``FORMS``."""
    scheme = re.split("[:?]", spec, maxsplit=1)[0]
    opener = _OPENERS.get(scheme)
    if opener is None:
        raise UsageError(f"There is no model {spec!r}. A model is named by one of:\n{FORMS}")
    module, function = opener
    open_it: Callable[[str], Backend] = getattr(import_module(module), function)
    return open_it(spec)
