"""The capabilities of Cortex' models, from the table and by route."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield import UnsupportedError
from jackfield.plugin import Capabilities, Capability, Limits, ModelRef, ParameterRule

from ._names import family_of, row_of, table
from ._settings import ROUTES, SQL_ROUTES

__all__ = ["capabilities", "known_models", "retired", "route_of", "rules_on"]

_REST: Final = "docs.snowflake.com, Cortex REST API (2026)"
_SQL: Final = "docs.snowflake.com, COMPLETE and AI_COMPLETE (2026)"
# Tokens of an answer at most, on REST and in SQL. Source: docs.snowflake.com, limits (2026).
_OUTPUT: Final = {"complete": 16_384, "openai": 16_384, "sql": 8_192, "legacy_sql": 8_192}


def _none(*names: str, why: str, source: str) -> dict[str, ParameterRule]:
    return {name: ParameterRule(supported=False, why=why, source=source) for name in names}


_UNKNOWN_TO_COMPLETE: Final = (
    "stop", "top_k", "seed", "n", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs",
    "parallel_tool_calls", "user",
)  # fmt: skip
_SQL_RULES: Final[Mapping[str, ParameterRule]] = {
    "temperature": ParameterRule(minimum=0, maximum=1, source=_SQL),
    "top_p": ParameterRule(minimum=0, maximum=1, source=_SQL),
    "max_tokens": ParameterRule(maximum=8192, source=_SQL),
    **_none(*_UNKNOWN_TO_COMPLETE, why="the SQL functions have no such option", source=_SQL),
}
_RULES: Final[Mapping[str, Mapping[str, ParameterRule]]] = {
    "complete": _none(*_UNKNOWN_TO_COMPLETE, why="inference:complete has no such field", source=_REST),
    "sql": _SQL_RULES,
    "legacy_sql": _SQL_RULES,
}
_EMBEDDING_RULES: Final = {
    **_none("dimensions", why="its embeddings have a fixed size", source=_REST),
    **_none(
        "input_type", "user", why="inference:embed and the SQL functions only accept texts", source=_REST
    ),
}
# What a route supports with any model.
_CARRIES: Final[Mapping[str, Mapping[str, bool]]] = {
    "openai": {"streaming": True, "system": True},
    "messages": {"streaming": True, "system": True},
    "complete": {"streaming": True, "system": True, "documents": False, "audio": False},
    "sql": dict.fromkeys(("streaming", "tools", "tool_choice", "parallel_tool_calls", "images", "documents", "audio",
                          "reasoning", "citations", "prompt_cache"), False),
}  # fmt: skip
_TOOLS: Final = ("tools", "tool_choice", "parallel_tool_calls", "images", "reasoning")


def rules_on(route: str) -> Mapping[str, ParameterRule]:
    """Return the rules of chats on a route."""
    return _RULES.get(route, {})


def known_models() -> Mapping[str, Mapping[str, Any]]:
    """Return the rows of the table."""
    models: Mapping[str, Mapping[str, Any]] = table()["models"]
    return models


def retired(model: str) -> str | None:
    """Return the day (ISO) from which a model is retired, if the table has one."""
    return (row_of(model) or {}).get("retired")


def route_of(model: ModelRef) -> str:
    """Return the route of a model: its own (`route` of its entry), else the connection's.

    Raises:
        UnsupportedError: There is no such route, or the connection's transport does not support it.
    """
    default: str = getattr(model.settings, "route", "openai")
    route = model.declared.get("route", default)
    if route not in ROUTES:
        raise UnsupportedError(
            f"there is no route {route!r}; the routes of snowflake are {', '.join(ROUTES)}", parameter="route"
        )
    if (route in SQL_ROUTES) != (default in SQL_ROUTES):
        raise UnsupportedError(
            f"a connection uses either REST or SQL, and {route} does not go with the connection's route {default}; "
            "declare a second connection with the same credentials",
            parameter="route",
        )
    return str(route)


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model on its route; of an unknown model, those of the route."""
    route = route_of(model)
    if route == "messages" and family_of(model.known_as) == "claude":
        from jackfield_anthropic.dialect import capabilities as of_claude

        from ._dialect import claude

        # Anthropic's own endpoint that counts tokens is not documented here.
        return of_claude(claude(), model).with_features(_REST, count_tokens=False)
    return _capabilities(model.known_as.lower(), route)


@lru_cache(maxsize=1024)
def _capabilities(model: str, route: str) -> Capabilities:
    row = row_of(model)
    source = f"table {table()['as_of']}"
    kind = (row or {}).get("kind", "chat")
    if kind != "chat":
        return _beside_chat(row or {}, kind, source)
    family = family_of(model)
    values: dict[str, bool] = dict(_CARRIES["sql" if route in SQL_ROUTES else route])
    if route in SQL_ROUTES:
        values |= {"system": True, "json": True, "json_schema": True}
    else:
        values |= _of_family(family, route, known=row is not None)
    features = {name: Capability(value, source) for name, value in values.items()}
    limits = Limits(
        context_window=(row or {}).get("context"), max_output_tokens=_OUTPUT.get(route) if row else None
    )
    found = Capabilities(features=features, parameters=rules_on(route), limits=limits, source=source)
    return found if row is None else attrs.evolve(found, known=True, kinds=frozenset({"chat"}))


def _of_family(family: str, route: str, *, known: bool) -> dict[str, bool]:
    """Return the features of a family of models over REST. Source: docs.snowflake.com, Cortex REST API (2026)."""
    if family == "other":
        # Only Claude's and OpenAI's models have tools and images.
        return {**dict.fromkeys(_TOOLS, False), "prompt_cache": False} if known else {}
    values = {**dict.fromkeys(_TOOLS, True), "json_schema": True, "prompt_cache": family == "claude"}
    if route == "complete":
        return {name: value for name, value in values.items() if name != "parallel_tool_calls"} | {
            "json": True
        }
    # Whether OpenAI's API can force Claude to write JSON without a schema is not documented.
    return values | {"json": True} if family == "openai" else values


def _beside_chat(row: Mapping[str, Any], kind: Any, source: str) -> Capabilities:
    rules = _EMBEDDING_RULES if kind == "embedding" else {}
    limits = Limits(max_input_tokens=row.get("input"), dimensions=row.get("dimensions"))
    features = {} if kind == "embedding" else {"streaming": Capability(value=False, source=source)}
    return Capabilities(
        known=True, kinds=frozenset({kind}), features=features, parameters=rules, limits=limits, source=source
    )
