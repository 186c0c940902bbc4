"""Run the conformance kit on answers that were written from the documented format."""

from typing import Any

from jackfield import ContextLengthExceededError, OverloadedError
from jackfield.testing import Case, ProviderPlugin, conformance

import jackfield_tgi as plugin

_: ProviderPlugin = plugin  # a type checker checks the types of every hook

HELLO: dict[str, Any] = {
    "model": "tgi",
    "kind": "completion",
    "text": " upon a time",
    "finish": "length",
    "pair": "hello",
}

CASES = (
    Case(wire="wire/hello.json", usage=(None, 3), **HELLO),
    Case(wire="wire/hello.sse", usage=(1, 3), **HELLO),
    Case(
        model="tgi",
        kind="completion",
        wire="wire/too_long.json",
        status=422,
        error=ContextLengthExceededError,
    ),
    Case(model="tgi", kind="completion", wire="wire/overloaded.sse", error=OverloadedError),
    Case(kind="listing", wire="wire/info.json", models=("HuggingFaceTB/SmolLM2-135M",)),
)


@conformance(plugin, *CASES)
def test_conformance(check):
    check()
