"""The kit: every law of the contract, over answers written from the documented format."""

from typing import Any

from jackfield.testing import Case, conformance

from jackfield_groq import plugin

HELLO: dict[str, Any] = {
    "model": "a-model",
    "text": "Hello!",
    "usage": (9, 2),
    "finish": "stop",
    "pair": "hello",
}

CASES = (
    Case(wire="wire/hello.json", **HELLO),
    Case(wire="wire/hello.sse", **HELLO),
    Case(model="a-model", wire="wire/tool.json", tool_call=("add", {"a": 1, "b": 2}), finish="tool_calls"),
)


@conformance(plugin, *CASES)
def test_conformance(check):
    check()
