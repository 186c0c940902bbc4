"""Fakes for the tests of programs, and the conformance kit for the tests of plugins.

Names load when they are first used: a program that wants a fake need not import the kit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._answers import Answer
    from ._case import Case
    from ._check import Check, Result, checks
    from ._conformance import check_provider, conformance
    from ._fake_answers import FakeAnswer
    from ._fakes import FakeProvider
    from ._guard import NetworkForbiddenError, forbid_network, no_sockets
    from ._http_reader import RecordedRequest
    from ._pauses import no_retry_pauses
    from ._protocols import FullProviderPlugin, ProviderPlugin
    from ._server import RecordingServer
    from ._stand_ins import StandIn, stand_ins

_MODULE_BY_NAME = {
    "Answer": "_answers",
    "Case": "_case",
    "Check": "_check",
    "FakeAnswer": "_fake_answers",
    "FakeProvider": "_fakes",
    "FullProviderPlugin": "_protocols",
    "NetworkForbiddenError": "_guard",
    "ProviderPlugin": "_protocols",
    "RecordedRequest": "_http_reader",
    "RecordingServer": "_server",
    "Result": "_check",
    "StandIn": "_stand_ins",
    "check_provider": "_conformance",
    "checks": "_check",
    "conformance": "_conformance",
    "forbid_network": "_guard",
    "no_retry_pauses": "_pauses",
    "no_sockets": "_guard",
    "stand_ins": "_stand_ins",
}

__all__ = [
    "Answer",
    "Case",
    "Check",
    "FakeAnswer",
    "FakeProvider",
    "FullProviderPlugin",
    "NetworkForbiddenError",
    "ProviderPlugin",
    "RecordedRequest",
    "RecordingServer",
    "Result",
    "StandIn",
    "check_provider",
    "checks",
    "conformance",
    "forbid_network",
    "no_retry_pauses",
    "no_sockets",
    "stand_ins",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_BY_NAME.get(name)
    if module is None:
        msg = f"module 'jackfield.testing' has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    from jackfield._deprecation import warn_of

    value = getattr(import_module(f".{module}", __name__), name)
    if not warn_of(f"{__name__}.{name}"):  # one that is to go says so each time
        globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_BY_NAME])
