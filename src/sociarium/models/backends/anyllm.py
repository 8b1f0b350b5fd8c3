"""Any provider that Mozilla's any-llm knows, as a model: ``anyllm:PROVIDER/MODEL``. Needs the extra ``anyllm``.

The official clients of the providers make the calls, so what ``backends.http`` guards is theirs here: proxies from the environment
are used, and connections are their own. Journal, budget, time limits and retries stay ours: their retries are switched off. Where a
provider has an OpenAI-compatible address, ``http://`` is the leaner way to it.

Options: ``key=ENVIRONMENT_VARIABLE`` (by default the one that any-llm names for the provider), ``base=`` (an address that is not the
provider's own), ``schemas=send|prompt``, ``sampling=send|off``, ``seeds=off|send``, ``parallel=``, ``context=``, ``digest=``, ``price=``,
``price_cached=``, ``price_completion=``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from sociarium.kernel.errors import UsageError
from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_errors import TOO_LONG, retry_after
from sociarium.models.backends.http_guard import checked
from sociarium.models.backends.http_shapes import Chat, Manner
from sociarium.models.backends.http_spec import choice_of, prices_of
from sociarium.models.request import BackendFacts, Reply, Request
from sociarium.models.secret import Secret, from_environment
from sociarium.models.spec import split

KINDS = {  # any-llm's errors by the names of their classes, in our words
    "RateLimitError": ("rate_limited", True),
    "AuthenticationError": ("unauthorised", False),
    "MissingApiKeyError": ("unauthorised", False),
    "ContextLengthExceededError": ("context_too_long", False),
    "GatewayTimeoutError": ("read_timeout", True),
    "InvalidRequestError": ("bad_request", False),
    "ModelNotFoundError": ("bad_request", False),
    "UnsupportedParameterError": ("bad_request", False),
    "InsufficientFundsError": ("rate_limited", False),
}


class AnyLlmBackend:
    """One model of one provider. Replies are read by the rules of the chat shape, because any-llm gives all in that form."""

    def __init__(self, provider: Any, model: str, facts: BackendFacts, key: Secret) -> None:
        self._provider = provider
        self._model = model
        self._facts = facts
        self._key = key
        self._shape = Chat(model, facts, Manner())

    @property
    def facts(self) -> BackendFacts:
        return self._facts

    async def complete(self, request: Request, draw: int | None) -> Reply:
        if request.kind == "embed":
            raise CallFailed("bad_request", f"{self._facts.name} is asked for words only; use an embedder beside it", retryable=False)
        body = self._shape.fields(request, draw)
        errors = importlib.import_module("any_llm.exceptions")
        try:
            answer = await self._provider.acompletion(**body)
        except errors.ContentFilterError as refused:
            return Reply(finish="content_filter", error=self._told(refused), model=self._model)
        except errors.AnyLLMError as error:
            raise self._failure(error) from None
        except (OSError, TimeoutError) as error:
            raise CallFailed("unavailable", self._told(error), retryable=True) from None
        except (TypeError, ValueError, NotImplementedError) as error:  # what a provider's client cannot send or read
            raise CallFailed("bad_request", self._told(error), retryable=False) from None
        return self._shape.reply(request, answer.model_dump(mode="json"), {})

    async def close(self) -> None:
        client: Any = getattr(self._provider, "client", None)
        if client is not None and hasattr(client, "close"):
            await client.close()

    def _failure(self, error: Any) -> CallFailed:
        kind, again = KINDS.get(type(error).__name__, ("server_error", True))
        status = getattr(error, "status_code", None)
        told = self._told(error)
        if status is None and kind == "server_error":
            kind = "read_timeout" if "timed out" in told.lower() else "unavailable"
        if status in (502, 503, 529):
            kind = "unavailable"
        code = getattr(error, "code", None)
        if kind == "bad_request" and (code == "context_length_exceeded" or TOO_LONG.search(told)):
            kind = "context_too_long"
        again = again and code != "insufficient_quota"
        wish = retry_after({"retry-after": str(getattr(error, "retry_after", None) or "")})
        return CallFailed(kind, told, retryable=again, retry_after=wish)

    def _told(self, error: Exception) -> str:
        return self._key.scrub(f"{type(error).__name__}: {' '.join(str(error).split())}")[:400]


def open_anyllm(spec: str) -> AnyLlmBackend:
    """The backend of ``anyllm:PROVIDER/MODEL?options`` (see the module). Raises ``UsageError``."""
    name, options = split(spec, spec.removeprefix("anyllm:"))
    provider, slash, model = name.partition("/")
    if not slash or not provider or not model:
        raise UsageError(f"Model {spec!r}: write anyllm:PROVIDER/MODEL, such as anyllm:mistral/mistral-small-latest.")
    engine: Mapping[str, Any] = {
        "api": "any-llm",
        "schemas": choice_of(options, "schemas", ("send", "prompt"), "send"),
        "sampling": choice_of(options, "sampling", ("send", "off"), "send"),
        "seeds": choice_of(options, "seeds", ("off", "send"), "off"),
    }
    base = options.take("base", str, "")
    library = _library(spec)
    variable = options.take("key", str, "") or _variable(library, spec, provider)
    facts = BackendFacts(
        name=f"anyllm:{provider}/{model}",
        digest=options.take("digest", str, f"anyllm:{provider}/{model}"),
        engine=engine,
        log_probabilities=True,
        schemas=engine["schemas"] == "send",
        seeds=engine["seeds"] == "send",
        context=options.take("context", int, 128_000, least=1),
        parallel=options.take("parallel", int, 16, least=1),
        prices=prices_of(options, f"{provider}:{model}", provider),
    )
    options.done()
    key = from_environment(variable, f"Model {model!r}") if variable else Secret("")
    return AnyLlmBackend(_provider(library, spec, provider, key, checked(base) if base else ""), model, facts, key)


def _library(spec: str) -> Any:
    try:
        return importlib.import_module("any_llm")
    except ImportError as missing:
        raise UsageError(
            f"Model {spec!r} needs the package any-llm-sdk ({missing.name}); install it by: pip install 'sociarium[anyllm]'"
        ) from None


def _variable(library: Any, spec: str, provider: str) -> str:
    """The environment variable where any-llm looks for this provider's key; empty where it needs none."""
    errors: Any = importlib.import_module("any_llm.exceptions")
    try:
        named = library.AnyLLM.get_provider_class(provider).ENV_API_KEY_NAME
    except (errors.AnyLLMError, ImportError, ValueError) as error:
        raise UsageError(f"Model {spec!r}: {' '.join(str(error).split())[:300]}") from None
    return named if isinstance(named, str) and named.isupper() else ""


def _provider(library: Any, spec: str, provider: str, key: Secret, base: str) -> Any:
    errors: Any = importlib.import_module("any_llm.exceptions")
    wishes = {"api_key": key.reveal() or None, "api_base": base or None, "unified_exceptions": True}
    try:
        try:
            return library.AnyLLM.create(provider, max_retries=0, **wishes)
        except errors.UnsupportedParameterError:  # a client without retries to switch off
            return library.AnyLLM.create(provider, **wishes)
    except (errors.AnyLLMError, ImportError, ValueError) as error:
        raise UsageError(f"Model {spec!r}: {key.scrub(' '.join(str(error).split()))[:300]}") from None
