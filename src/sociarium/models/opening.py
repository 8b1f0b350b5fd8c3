"""From what a user writes to the backend it names. Nothing heavy is imported before it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

from sociarium.kernel.errors import SociariumError, UsageError
from sociarium.models.backend import Backend, Preparing
from sociarium.models.secret import refuse_keys
from sociarium.models.spec import split

FORMS = """\
  local:NAME            a small model on this machine (`sociarium models list` shows the names), or local:/path/model.gguf
  http://HOST/v1#MODEL  any OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama (https too), or several: http://A/v1,http://B/v1#MODEL
  openai:MODEL          OpenAI, key in OPENAI_API_KEY
  anthropic:MODEL       Anthropic, key in ANTHROPIC_API_KEY
  anyllm:PROVIDER/MODEL  any provider that any-llm knows (pip install 'sociarium[anyllm]')
  wordllama, hashing    embeddings on this machine
  scripted:NAME         replies by a script: schema, echo, fixed
  faulty:RATE:SPEC      any of these with faults injected"""


# scheme -> the module and the function (spec -> Backend) that opens it
_OPENERS = {
    "anthropic": ("sociarium.models.backends.http", "open_http"),
    "anyllm": ("sociarium.models.backends.anyllm", "open_anyllm"),
    "faulty": ("sociarium.models.backends.faulty", "open_faulty"),
    "http": ("sociarium.models.backends.http", "open_http"),
    "https": ("sociarium.models.backends.http", "open_http"),
    "openai": ("sociarium.models.backends.http", "open_http"),
    "scripted": ("sociarium.models.backends.scripted", "open_scripted"),
}


def open_backend(spec: str) -> Backend:
    """The backend that ``spec`` names. Raises ``UsageError`` for anything that is not one of ``FORMS``."""
    refuse_keys(spec)
    scheme, *rest = re.split("[:?]", spec, maxsplit=1)
    if scheme == "local" and rest and rest[0]:
        from sociarium.models.backends.local import open_local

        return open_local(spec)
    if scheme in ("wordllama", "hashing"):
        return _open_embedder(spec)
    if scheme not in _OPENERS:
        raise UsageError(f"There is no model {spec!r}. A model is named by one of:\n{FORMS}")
    module, function = _OPENERS[scheme]
    open_it: Callable[[str], Backend] = getattr(import_module(module), function)
    return open_it(spec)


async def ready(spec: str) -> Backend:
    """The backend that ``spec`` names, its server asked what it serves: what runs use. Raises ``UsageError`` and ``ModelError``."""
    backend = open_backend(spec)
    await prepared(backend)
    return backend


async def prepared(backend: Backend) -> Backend:
    """``backend`` once its facts are known."""
    if isinstance(backend, Preparing):
        try:
            await backend.prepare()
        except SociariumError:
            await backend.close()
            raise
    return backend


def _open_embedder(spec: str) -> Backend:
    """``wordllama``, ``hashing?dimensions=256``."""
    from sociarium.models.backends.embed import HashingEmbedder, WordLlamaEmbedder

    name, options = split(spec, spec)
    if name not in ("hashing", "wordllama"):
        raise UsageError(f"There is no model {spec!r}. A model is named by one of:\n{FORMS}")
    dimensions = options.take("dimensions", int, 256, least=8) if name == "hashing" else 0
    options.done()
    return HashingEmbedder(dimensions) if name == "hashing" else WordLlamaEmbedder()
