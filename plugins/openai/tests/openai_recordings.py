"""A second, simpler reading of recorded traffic of OpenAI's dialect, which decoders are compared with.

Plugins that build on the dialect read theirs with the same functions. The lines come from `recordings`.
"""

from __future__ import annotations

import base64
import json
import struct

from jackfield import ToolCall


def sse_values(text):
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        data = "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            yield json.loads(data)


def values_of(row):
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    return list(sse_values(body)) if kind == "sse" else body if kind == "parsed_events" else [body]


def piece_of(row, choice):
    whole = row["response"]["body_kind"] == "json"
    first, second = ("message", "delta") if whole else ("delta", "message")
    piece = choice.get(first) or choice.get(second)
    return piece if piece is not None else {"content": choice.get("text")}


def expected_choices(row):
    """`{index: {"text", "refusal", "thinking", "calls": [[name, arguments text]], "raw"}}`."""
    found = {}
    for value in values_of(row):
        for choice in value.get("choices") or []:
            blank = {"text": "", "refusal": "", "thinking": "", "calls": [], "keys": [], "raw": None}
            state = found.setdefault(choice.get("index", 0), blank)
            piece = piece_of(row, choice)
            state["text"] += piece.get("content") or ""
            state["refusal"] += piece.get("refusal") or ""
            details = "".join(
                d.get("text") or d.get("summary") or "" for d in piece.get("reasoning_details") or []
            )
            state["thinking"] += piece.get("reasoning_content") or piece.get("reasoning") or details
            if piece.get("function_call"):
                add_call(state, 0, piece["function_call"])
            for position, call in enumerate(piece.get("tool_calls") or []):
                fallback = len(state["keys"]) + position if "name" in (call.get("function") or {}) else 0
                add_call(state, call.get("index", fallback), call.get("function") or call["custom"])
            state["raw"] = choice.get("finish_reason") or state["raw"]
    return found


def add_call(state, key, function):
    if key not in state["keys"]:
        state["keys"].append(key)
        state["calls"].append([function.get("name"), ""])
    call = state["calls"][state["keys"].index(key)]
    arguments = function.get("arguments", function.get("input")) or ""
    call[1] += arguments if isinstance(arguments, str) else json.dumps(arguments)


def expected_usage(row):
    """Input, output, cached and thinking tokens; None if the service did not report them."""
    said = [v.get("usage") or (v.get("x_groq") or {}).get("usage") for v in values_of(row)]
    usage = next((u for u in reversed(said) if u), None)
    if usage is None:
        return (None, None, None, None)
    inside = usage.get("prompt_tokens_details") or {}
    outside = usage.get("reasoning_tokens")
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", outside)
    cached = inside.get("cached_tokens", usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens")))
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    apart = thought and None not in (read, written) and usage.get("total_tokens") == read + written + thought
    if apart:  # xAI's models count thinking beside the answer
        written = usage["total_tokens"] - read
    return (read, written, cached, thought)


FINISH = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "length": "length", "tool_calls": "tool_calls",
    "function_call": "tool_calls", "content_filter": "content_filter", None: "other",
}  # fmt: skip


def same_arguments(ours: ToolCall, text):
    try:
        value = json.loads(text) if text.strip() else {}
    except ValueError:
        value = None
    return ours.arguments == value if isinstance(value, dict) else ours.arguments_raw == text


def check_choices(row, answer):
    expected = expected_choices(row)
    assert {choice.index for choice in answer.choices} == set(expected)
    for choice in answer.choices:
        want = expected[choice.index]
        message = choice.message
        assert message.text == want["text"]
        assert "".join(p.text for p in message.parts if type(p).__name__ == "Thinking") == want["thinking"]
        assert "".join(p.text for p in message.parts if getattr(p, "refusal", False)) == want["refusal"]
        assert [call.name for call in message.tool_calls] == [name for name, _ in want["calls"]]
        for ours, (_, text) in zip(message.tool_calls, want["calls"], strict=True):
            assert same_arguments(ours, text)
            assert ours.id
        assert choice.finish_raw == want["raw"]
        finish = FINISH[want["raw"]]
        if finish == "stop":
            finish = "tool_calls" if want["calls"] else "refusal" if want["refusal"] else "stop"
        assert choice.finish_reason == finish
    used = answer.usage
    mine = (used.input_tokens, used.output_tokens, used.cached_input_tokens, used.reasoning_tokens)
    assert mine == expected_usage(row)


def check_response(row, answer):
    values = values_of(row)
    last = values[-1]["response"] if row["response"]["body_kind"] == "sse" else values[-1]
    items = last["output"]
    if not items:  # some recordings leave the output out of the last event
        items = [v["item"] for v in values if v.get("type") == "response.output_item.done"]
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    (choice,) = answer.choices
    assert choice.text == "".join(p["text"] for p in parts if p["type"] == "output_text")
    refusal = "".join(p["refusal"] for p in parts if p["type"] == "refusal")
    assert "".join(p.text for p in choice.message.parts if getattr(p, "refusal", False)) == refusal
    calls = [item for item in items if item["type"] in ("function_call", "custom_tool_call")]
    assert [(c.id, c.name) for c in choice.message.tool_calls] == [(i["call_id"], i["name"]) for i in calls]
    for ours, item in zip(choice.message.tool_calls, calls, strict=True):
        # One recording was edited in its whole texts alone; a reader of the stream saw the pieces.
        pieces = [
            v["delta"]
            for v in values
            if v.get("item_id") == item["id"] and v["type"].endswith("arguments.delta")
        ]
        assert same_arguments(ours, "".join(pieces) or item.get("arguments", item.get("input")))
    kept = [part for part in choice.message.parts if type(part).__name__ == "RawPart"]
    spoken = ("message", "reasoning", "function_call", "custom_tool_call")
    assert [part.data for part in kept] == [item for item in items if item["type"] not in spoken]
    thinking = [part for part in choice.message.parts if type(part).__name__ == "Thinking"]
    assert [part.data["item"]["id"] for part in thinking] == [
        i["id"] for i in items if i["type"] == "reasoning"
    ]
    usage = last["usage"]
    assert answer.usage.input_tokens == usage["input_tokens"]
    assert answer.usage.output_tokens == usage["output_tokens"]
    details = usage.get("output_tokens_details") or {}
    assert answer.usage.reasoning_tokens == details.get("reasoning_tokens")
    reason = (last.get("incomplete_details") or {}).get("reason")
    plain = "tool_calls" if calls else "refusal" if refusal else "stop"
    assert choice.finish_reason == {"max_output_tokens": "length", None: plain}[reason]
    assert answer.model == last["model"]


def floats_of(value):
    if isinstance(value, str):
        raw = base64.b64decode(value)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return [struct.unpack("<f", struct.pack("<f", number))[0] for number in value]


def message_in(body):
    if isinstance(body, str):
        return body
    inner = body.get("error", body)
    inner = inner[0] if isinstance(inner, list) else inner
    return inner if isinstance(inner, str) else inner["message"]
