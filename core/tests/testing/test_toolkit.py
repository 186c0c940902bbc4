"""The pieces of a call that a plugin's own tests take one at a time."""

from __future__ import annotations

from decimal import Decimal

import pytest
from plain_provider import PlainProvider

from jackfield import Finish, Message, PluginError, Text, TextDelta, UnsupportedError, Usage, UsageUpdate
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CostContext,
    ModelRef,
    Options,
    RateCard,
    hookimpl,
)
from jackfield.testing import cost_of, messages_of, reply_of, translated

HELLO = ChatRequest((Message("user", "hello"),), Options(max_tokens=5))


class Priced(PlainProvider):
    """An acme whose price depends on the prompt's length."""

    @hookimpl
    def jackfield_cost(self, model, usage, context):
        return RateCard.of(source="a test", input=4 if (context.input_tokens or 0) > 10 else 2, output=8)


def test_a_request_is_translated_as_a_call_does_it():
    result = translated(PlainProvider(), "plain-1", HELLO)
    assert "hello" in repr(result.wire.body)
    assert any(note.name == "max_tokens" for note in result.report)


def test_what_the_model_cannot_do_is_refused_before_the_plugin_is_asked():
    known = Capabilities(kinds=frozenset({"embedding"}))
    with pytest.raises(UnsupportedError, match="does not chat"):
        translated(PlainProvider(), ModelRef("plain-1"), HELLO, known)


def test_events_become_a_reply():
    folded = reply_of(
        [TextDelta("Hel"), TextDelta("lo"), UsageUpdate(Usage(3, 2)), Finish("stop", raw="end")],
        provider="acme",
    )
    (choice,) = folded.choices
    assert (choice.text, choice.finish_reason) == ("Hello", "stop")
    assert folded.usage == Usage(3, 2)


def test_a_cost_is_computed_with_the_plugins_rates():
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    assert cost_of(Priced(), "plain-1", usage).amount == Decimal(4)
    assert (
        cost_of(Priced(), "plain-1", Usage(input_tokens=5, output_tokens=0)).amount == Decimal(10) / 1_000_000
    )
    given = CostContext(when=0.0, input_tokens=1)
    assert cost_of(Priced(), ModelRef("plain-1"), usage, given).amount == Decimal(2)


def test_a_plugin_without_rates_has_an_unknown_cost():
    assert cost_of(PlainProvider(), "plain-1", Usage(1, 1)).status == "unknown"


def test_messages_are_read_as_a_caller_writes_them():
    assert messages_of("hi") == (Message("user", "hi"),)
    (message,) = messages_of([{"role": "user", "content": [{"type": "text", "text": "hi"}]}])
    assert message.parts == (Text("hi"),)


def test_what_is_not_a_plugin_is_named():
    with pytest.raises(PluginError, match="object"):
        translated(object(), "plain-1", HELLO)
