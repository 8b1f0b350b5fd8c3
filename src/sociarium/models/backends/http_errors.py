"""What an HTTP status and an error body mean, in the words of ``CallFailed``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

from sociarium.models.backend import CallFailed
from sociarium.models.secret import Secret

TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum context|too long|too many tokens|exceeds? the (available|model)", re.IGNORECASE
)
OVERLOADED = 529  # Anthropic


def failure_of(status: int, headers: Mapping[str, str], data: bytes, key: Secret) -> CallFailed:
    """``headers`` have names in lower case."""
    code, text = _told(data, key)
    message = key.scrub(f"HTTP {status}: {text}" if text else f"HTTP {status}")[:400]
    wish = retry_after(headers)
    if status == 429:
        spent = code == "insufficient_quota"
        return CallFailed("rate_limited", message, retryable=not spent, retry_after=wish)
    if status in (401, 403):
        return CallFailed("unauthorised", message, retryable=False)
    if status == 408:
        return CallFailed("read_timeout", message, retryable=True)
    if status in (503, OVERLOADED):
        return CallFailed("unavailable", message, retryable=True, retry_after=wish)
    if status >= 500:
        return CallFailed("server_error", message, retryable=True, retry_after=wish)
    if status in (400, 413, 422) and (code == "context_length_exceeded" or TOO_LONG.search(text)):
        return CallFailed("context_too_long", message, retryable=False)
    if 300 <= status < 400:
        return CallFailed("bad_request", f"HTTP {status}: the server points elsewhere; name that address if you trust it", retryable=False)
    if 200 <= status < 300:
        return CallFailed("wrong_shape", message, retryable=True)
    return CallFailed("bad_request", message, retryable=False)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from ``retry-after-ms`` or ``Retry-After`` (a number, or a date against the server's own ``Date``)."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
            return float(text) * unit
    try:
        wanted = parsedate_to_datetime(headers["retry-after"])
        now = parsedate_to_datetime(headers["date"])
        return max(0.0, (wanted - now).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _told(data: bytes, key: Secret) -> tuple[str, str]:
    """Code and message of an error body, in the shapes that servers use."""
    text = key.scrub(data.decode("utf-8", "replace"))[:20_000]  # the key first: a cut would leave half of it
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        return "", " ".join(text.split())[:300]
    error: Any = cast("dict[str, Any]", body).get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        table = cast("dict[str, Any]", error)
        message = table.get("message") or table.get("detail") or ""
        return str(table.get("code") or table.get("type") or ""), " ".join(key.scrub(str(message)).split())[:300]
    return "", " ".join(key.scrub(str(error)).split())[:300]
