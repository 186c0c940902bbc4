"""The keys of calls: equal calls have the same key."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield.plugin import UNSET, Call, EmbedRequest, Middleware, Request, RerankRequest

__all__ = ["VERSION", "canonical", "extra_of", "key_of"]

VERSION: Final = 3
"""Raise it when equal calls get other keys, or records another format."""

_HERE: Final = os.urandom(16).hex()

# `cache` marks a prefix for the service's own cache; `stream` is how the answer is read. Neither changes the answer.
_IRRELEVANT: Final = frozenset({"cache", "stream", "extra"})


async def key_of(call: Call, *, asked_by: Middleware, per_user: bool, per_key: bool) -> str:
    """Return the key of a call: a digest of all that the answer depends on.

    The connection's fingerprint says who answers. The part of `extra` for other providers does not count.

    Args:
        call: The call.
        asked_by: The cache; the middlewares behind it count.
        per_user: Whether `user` counts.
        per_key: Whether the keys, tokens and passwords of the connection count.

    Raises:
        TypeError: Something in the request has no canonical form.
    """
    import orjson

    model, request, fingerprint = call.model, call.request, call.fingerprint
    extra = extra_of(request)
    if fingerprint is None:
        # The call was made without a mesh, so outside this process it is unknown who answers.
        answered_by: Any = [_HERE, canonical(model.settings), canonical(model.declared)]
    else:
        answered_by = await fingerprint.digest(model.id, inside=asked_by, secrets=per_key)
        extra = fingerprint.relevant_extra(extra)
    facts = {
        "version": VERSION,
        "kind": call.kind,
        "request": type(request).__name__,
        "connection": call.connection,
        "provider": call.provider,
        "answered by": answered_by,
        "model": model.id,
        "underlying": model.underlying,
        "asked": canonical(request),
        "extra": canonical(extra),
    }
    if not per_user:
        _remove_user(facts["asked"])
    try:
        text = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half a character, or a number beyond 64 bits: two such texts must not get one key
        text = json.dumps(facts, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()


def extra_of(request: Request) -> Mapping[str, Mapping[str, Any]]:
    """Return the `extra` of a request."""
    if isinstance(request, EmbedRequest | RerankRequest):
        return request.extra
    return request.options.extra


def canonical(value: Any) -> Any:
    """Return JSON that is equal for equal meanings: the order of keys, 1 and 1.0, list and tuple make no difference.

    Raises:
        TypeError: A value has no canonical form.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if attrs.has(type(value)):
        fields = ((field.name, getattr(value, field.name)) for field in attrs.fields(type(value)))
        given = {n: canonical(v) for n, v in fields if n not in _IRRELEVANT and v is not UNSET}
        return {"type": type(value).__name__, **given}
    if isinstance(value, Mapping):
        return {str(key): canonical(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [canonical(one) for one in value]
    msg = f"a {type(value).__name__} has no canonical form"
    raise TypeError(msg)


def _remove_user(asked: dict[str, Any]) -> None:
    asked.pop("user", None)
    asked.get("options", {}).pop("user", None)
