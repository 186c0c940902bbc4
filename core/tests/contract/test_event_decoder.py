"""A decoder that a plugin writes as one method."""

import orjson
import pytest

from jackfield import (
    Finish,
    MalformedResponseError,
    OverloadedError,
    RawEvent,
    Started,
    StreamInterruptedError,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import EventDecoder, Failure, FailureInStream, Frame, Head, whole_tool_call
from jackfield.testing import reply_of


class ChatDecoder(EventDecoder):
    """Reads objects of one key: the name of a method, and its arguments."""

    def __init__(self):
        super().__init__({"end": "stop", "limit": "length"})

    def read(self, data):
        for name, arguments in data.items():
            getattr(self, name)(*arguments)


def fed(*objects):
    decoder = ChatDecoder()
    events = decoder.start(Head(200))
    for value in objects:
        events += decoder.feed(Frame(orjson.dumps(value)))
    return decoder, events


def test_objects_become_events():
    decoder, events = fed(
        {"add_started": ["a1", "m"]},
        {"add_thinking": ["Hm."]},
        {"add_text": ["Hel"]},
        {"add_text": ["lo", ], "add_usage": [3, 2]},
        {"add_raw": ["weather", {"sun": True}]},
        {"add_finish": ["limit"]},
    )  # fmt: skip
    assert events == [
        Started("a1", "m"), ThinkingDelta("Hm."), TextDelta("Hel"), TextDelta("lo"), UsageUpdate(Usage(3, 2)),
        RawEvent("weather", {"sun": True}), Finish("length", raw="limit"),
    ]  # fmt: skip
    assert decoder.finish() == []


def test_a_frame_may_be_the_object_itself_and_have_a_name():
    decoder = ChatDecoder()
    assert decoder.feed(Frame({"add_text": ["x"]}, "delta")) == [TextDelta("x")]
    assert decoder.event == "delta"


def test_a_new_call_and_the_end_end_the_call_before():
    decoder, events = fed(
        {"add_tool_call": ["c1", "add"]},
        {"add_arguments": ['{"a":']},
        {"add_arguments": ["1}"]},
        {"add_tool_call": ["c2", "now", {}]},
        {"add_tool_call": ["c3", "say"]},
        {"add_finish": ["tools"]},
    )
    assert events == [
        ToolCallStart(0, "c1", "add"), ToolCallDelta(0, '{"a":'), ToolCallDelta(0, "1}"), ToolCallEnd(0),
        *whole_tool_call(1, "c2", "now", {}), ToolCallStart(2, "c3", "say"), ToolCallEnd(2),
        Finish("other", raw="tools"),
    ]  # fmt: skip
    decoder.finish()
    calls = reply_of(events).choices[0].message.tool_calls
    assert [(call.name, dict(call.arguments)) for call in calls] == [
        ("add", {"a": 1}),
        ("now", {}),
        ("say", {}),
    ]


def test_arguments_without_a_call_are_malformed():
    with pytest.raises(MalformedResponseError, match="without a tool call"):
        fed({"add_tool_call": ["c1", "add", "{}"]}, {"add_arguments": ["{}"]})


@pytest.mark.parametrize(
    "objects", [[], [{"add_text": ["Hel"]}], [{"add_started": ["a1"]}], [{"add_usage": [1, 2]}]]
)
def test_an_answer_that_did_not_finish_is_interrupted(objects):
    decoder, _ = fed(*objects)
    with pytest.raises(StreamInterruptedError):
        decoder.finish()


def test_each_choice_that_began_must_finish():
    decoder = ChatDecoder()
    decoder.add_text("a", choice=0)
    decoder.add_text("", choice=1)
    decoder.add_finish("end", choice=0)
    with pytest.raises(StreamInterruptedError):
        decoder.finish()
    decoder.add_finish("end", choice=1)
    assert decoder.finish() == []


def test_what_is_not_json_is_malformed_and_shown():
    with pytest.raises(MalformedResponseError, match="not JSON.*<html>") as caught:
        ChatDecoder().feed(Frame(b"<html>"))
    assert caught.value.body == b"<html>"


def test_an_error_inside_the_answer_is_a_failure():
    with pytest.raises(FailureInStream) as caught:
        ChatDecoder().fail({"error": "busy"}, status=503)
    failure = caught.value.failure
    assert failure == Failure(status=503, in_stream=True, data={"error": "busy"})
    assert isinstance(failure.error(), OverloadedError)


def test_a_decoder_must_say_how_it_reads():
    class Silent(EventDecoder):
        pass

    with pytest.raises(NotImplementedError, match="Silent must implement read"):
        Silent().feed(Frame(b"{}"))


def test_a_whole_tool_call_keeps_json_that_a_model_wrote():
    events = whole_tool_call(0, "c1", "add", '{"a": 1', choice=2)
    assert events == [ToolCallStart(0, "c1", "add", 2), ToolCallDelta(0, '{"a": 1', 2), ToolCallEnd(0, 2)]
    (call,) = reply_of([*events, Finish("tool_calls", 2)]).choices[0].message.tool_calls
    assert call.arguments_raw == '{"a": 1'


def test_arguments_that_are_an_object_keep_their_large_numbers():
    class Decoder(EventDecoder):
        def read(self, data):
            for call in data["calls"]:
                self.add_tool_call(call["id"], "f", call["input"])
            self.add_finish("end")

    decoder = Decoder()
    data = (
        b'{"calls": [{"id": "a", "input": {"n": 12345678901234567890123}}, {"id": "b", "input": {"n": 2}}]}'
    )
    (choice,) = reply_of(decoder.feed(Frame(data))).choices
    assert [dict(call.arguments) for call in choice.message.tool_calls] == [
        {"n": 12345678901234567890123},
        {"n": 2},
    ]
