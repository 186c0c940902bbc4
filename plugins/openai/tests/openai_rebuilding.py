"""Recorded requests of OpenAI's dialect, built again through our API: equal, or different for a named reason.

Plugins that build on the dialect build theirs with the same functions.
"""

from __future__ import annotations

import copy
import json
from collections import Counter

import attrs
from recordings import Odd

from jackfield import Message, RawPart, Reasoning, Thinking, Tool, ToolCall, ToolResult, UnsupportedError
from jackfield.plugin import ChatRequest, CompletionRequest, EmbedRequest, Options
from jackfield.testing import messages_of

SAME_NAME = (
    "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "n",
    "parallel_tool_calls", "user",
)  # fmt: skip


def message_of(wire, dialect):
    """Build a message; thinking and unknown parts have classes of their own."""
    if not isinstance(wire, dict) or wire.get("role") not in (
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
    ):
        raise Odd("a message that is none, or has the role function")
    if isinstance(wire.get("content"), dict):
        raise Odd("content that is an object")
    known = {
        k: v
        for k, v in wire.items()
        if k in ("role", "content", "name", "tool_calls", "tool_call_id", "refusal")
    }
    calls = known.pop("tool_calls", None) if wire["role"] == "assistant" else None
    known["tool_calls"] = [
        {k: v for k, v in call.items() if k in ("id", "type", "function")} for call in calls or ()
    ]
    if isinstance(known.get("content"), list):
        known["content"] = [part_of(part, dialect) for part in known["content"]]
    (message,) = messages_of([known])
    thinking = [
        Thinking(wire[field], dialect.id, None, {"field": field})
        for field in ("reasoning_content", "reasoning")
        if isinstance(wire.get(field), str)
    ]
    if "reasoning_details" in wire:
        thinking.append(Thinking("", dialect.id, None, {"reasoning_details": wire["reasoning_details"]}))
    return attrs.evolve(message, parts=(*thinking, *message.parts)) if thinking else message


def part_of(part, dialect):
    kind = part["type"]
    image = part.get("image_url")
    plain = kind == "text" and set(part) == {"type", "text"}
    plain = plain or (kind == "image_url" and set(part) == {"type", "image_url"} and isinstance(image, dict))
    if kind == "file":
        data = part["file"].get("file_data", "")
        plain = data.startswith("data:") and ";base64," in data
    return part if plain or kind == "input_audio" else RawPart(dialect.id, part)


def chat_of(body, dialect):
    if "model" not in body:
        raise Odd("a request without a model")
    if "messages" not in body:
        raise Odd("a chat without messages")
    options, extra = {}, {}
    for name, value in body.items():
        if value is None or name in ("model", "messages", "stream") or sent_anyway(name, value, body):
            continue
        if name in {dialect.max_tokens, "max_tokens"}:
            options["max_tokens"] = value
        elif name in SAME_NAME:
            options[name] = value
        elif name == "stop" and not isinstance(value, dict):
            options["stop"] = (value,) if isinstance(value, str) else tuple(value)
        elif name == "logit_bias":
            options[name] = value
        elif name == "reasoning_effort":
            options["reasoning"] = Reasoning(effort=value)
        elif name == "tools" and all(plain_tool(tool) for tool in value):
            options["tools"] = tuple(Tool.from_dict(tool) for tool in value)
        elif name == "tool_choice" and choice_of(value) is not None:
            options["tool_choice"] = choice_of(value)
        elif name == "response_format" and value["type"] == "json_object":
            options["response_format"] = "json"
        elif name == "response_format" and "schema" in value.get("json_schema", {}):
            options["response_format"] = value["json_schema"]["schema"]
            rest = {k: v for k, v in value["json_schema"].items() if k != "schema"}
            extra["response_format"] = {"json_schema": rest}
        else:
            extra[name] = value
    messages = tuple(message_of(message, dialect) for message in body["messages"])
    given = Options(**options, extra={dialect.id: extra})
    return ChatRequest(messages, given, body.get("stream") is True)


def sent_anyway(name, value, body):
    """Return whether we always send this; then it is not compared."""
    return name == "stream_options" and value == {"include_usage": True} and body.get("stream") is True


def plain_tool(tool):
    function = tool.get("function", {})
    return set(tool) == {"type", "function"} and set(function) <= {
        "name",
        "description",
        "parameters",
        "strict",
    }


def choice_of(value):
    if isinstance(value, str):
        return value
    return (
        value["function"]["name"]
        if value == {"type": "function", "function": {"name": value["function"]["name"]}}
        else None
    )


def as_we_write_it(body, dialect, ours, reasons):
    """Rewrite a recorded body in our form, and count the reasons."""
    body = copy.deepcopy(body)

    def note(reason):
        reasons[reason] += 1

    for name in [name for name, value in body.items() if value is None]:
        del body[name]
        note("null is the same as not given, and is not sent")
    if body.get("stream") is False:
        del body["stream"]
        note("stream: false is the default, and is not sent")
    if dialect.max_tokens != "max_tokens" and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
        note("max_tokens is deprecated for chats: max_completion_tokens")
    if body.get("stream") and "stream_options" not in body and dialect.usage_option:
        body["stream_options"] = {"include_usage": True}
        note("a stream is asked for its usage")
    if isinstance(body.get("stop"), str):
        body["stop"] = [body["stop"]]
        note("one stop sequence is sent as a list")
    if body.get("tools") == []:
        del body["tools"]
        note("an empty list of tools is not sent")
    schema = (body.get("response_format") or {}).get("json_schema")
    if isinstance(schema, dict) and "schema" in schema and "name" not in schema:
        schema["name"] = "response"
        note("a JSON schema has a name, which OpenAI requires")
    if isinstance(schema, dict) and "schema" in schema and "strict" not in schema:
        schema["strict"] = ours["response_format"]["json_schema"]["strict"]
        note("strict is told for a JSON schema, true where the schema is closed")
    for tool in body.get("tools") or []:
        if (
            isinstance(tool.get("function"), dict)
            and "parameters" not in tool["function"]
            and plain_tool(tool)
        ):
            tool["function"]["parameters"] = {"type": "object", "properties": {}}
            note("a tool without parameters is told to take an empty object")
    for message in body["messages"]:
        rewrite_message(message, note)
    body["messages"] = list(move_files(body["messages"], note))
    return body


def move_files(messages, note):
    """Put the files of tool results into a user's turn after them."""
    moved = []
    for message in messages:
        if moved and message["role"] != "tool":
            yield {"role": "user", "content": moved}
            moved = []
        content = message.get("content")
        files = [part for part in content if part["type"] != "text"] if isinstance(content, list) else []
        if files and message["role"] == "tool":
            note("files of a tool's result are sent in a user's turn after it")
            text = f"Files of the result of a tool (call {message['tool_call_id']}):"
            moved += [{"type": "text", "text": text}, *files]
            (kept,) = [part["text"] for part in content if part["type"] == "text"]
            message["content"] = kept
        yield message
    if moved:
        yield {"role": "user", "content": moved}


def rewrite_message(message, note):
    if message["role"] == "developer":
        message["role"] = "system"
        note("developer and system are one role to the service")
    content = message.get("content")
    if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
        message["content"] = content[0]["text"]
        note("content of one text part is sent as a string")
    if message["role"] == "assistant" and "content" not in message:
        message["content"] = None
        note("an assistant turn without text says content: null")
    if message.get("content") == [] or (message["role"] == "tool" and message.get("content") is None):
        message["content"] = ""
        note("empty content is sent as an empty string")
    for name in [n for n in ("name", "refusal") if n in message and message[n] is None]:
        del message[name]
        note("null is the same as not given, and is not sent")
    for part in message["content"] if isinstance(message.get("content"), list) else ():
        if part.get("type") == "file" and "filename" not in part["file"] and "file_data" in part["file"]:
            part["file"]["filename"] = "document.pdf"
            note("a file has a name, which OpenAI requires")
    for name in [n for n in message if n not in KEPT]:
        del message[name]
        note(f"a message's {name} is none of the request's documented fields")
    if "tool_calls" in message and message["role"] != "assistant":
        del message["tool_calls"]
        note("only an assistant calls tools")
    for call in message.get("tool_calls") or []:
        for name in [n for n in call if n not in ("id", "type", "function")]:
            del call[name]
            note(f"a tool call's {name} is none of the request's documented fields")
        text = call["function"]["arguments"]
        if compact(text) != text:
            call["function"]["arguments"] = compact(text)
            note("arguments are written without spaces")


KEPT = {"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "reasoning", "reasoning_content",
        "reasoning_details"}  # fmt: skip


def compact(text):
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) if isinstance(value, dict) else text


def compare(lines, dialect, make, rewrite, rebuild):
    """Rebuild recorded requests; count those that are equal, differ, or cannot be rebuilt."""
    reasons, odd, refused, equal, faults = Counter(), Counter(), Counter(), 0, {}
    for row, body in lines:
        try:
            request = make(body, dialect)
        except (Odd, KeyError, ValueError, TypeError) as fault:
            odd[str(fault)[:60]] += 1
            continue
        try:
            ours = rebuild(row, body, dialect, request)
        except UnsupportedError as fault:
            refused[row["response"]["status"], fault.parameter] += 1
            continue
        if ("messages" in ours) != ("messages" in body):
            odd["a completion asked of a model that only chats"] += 1
            continue
        local = Counter()
        theirs = rewrite(body, dialect, ours, local)
        if ours == theirs:
            equal += 1
            reasons.update(local.keys())
        else:
            keys = [k for k in {*ours, *theirs} if ours.get(k, "-") != theirs.get(k, "-")]
            faults[row["id"], row.get("variant")] = {k: (ours.get(k, "-"), theirs.get(k, "-")) for k in keys}
    return equal, dict(reasons), dict(odd), dict(refused), faults


def completion_of(body, dialect):
    if "model" not in body:
        raise Odd("a request without a model")
    options, extra = {}, {}
    for name, value in body.items():
        if value is None or name in ("model", "prompt", "stream"):
            continue
        if name == "logprobs":
            options["top_logprobs"] = value
        elif name == "stop":
            options["stop"] = (value,) if isinstance(value, str) else tuple(value)
        elif name in (*SAME_NAME, "max_tokens", "suffix", "logit_bias"):
            options[name] = value
        else:
            extra[name] = value
    prompt = body["prompt"]
    if isinstance(prompt, list):
        if not (len(prompt) == 1 and isinstance(prompt[0], str)):
            extra["prompt"] = prompt
        prompt = str(prompt[0])
    return CompletionRequest(
        prompt, Options(**options, extra={dialect.id: extra}), body.get("stream") is True
    )


def completion_as_we_write_it(body, dialect, ours, reasons):
    body = copy.deepcopy(body)
    for name in [name for name, value in body.items() if value is None]:
        del body[name]
        reasons["null is the same as not given, and is not sent"] += 1
    if body.get("stream") is False:
        del body["stream"]
        reasons["stream: false is the default, and is not sent"] += 1
    if body.get("stream") and "stream_options" not in body and dialect.usage_option:
        body["stream_options"] = {"include_usage": True}
        reasons["a stream is asked for its usage"] += 1
    prompt = body["prompt"]
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        body["prompt"] = prompt[0]
        reasons["a list of one prompt is sent as the prompt"] += 1
    if isinstance(body.get("stop"), str):
        body["stop"] = [body["stop"]]
        reasons["one stop sequence is sent as a list"] += 1
    return body


def embedding_of(body, dialect):
    extra = {k: v for k, v in body.items() if k not in ("model", "input", "dimensions", "encoding_format")}
    given = body["input"]
    if not isinstance(given, str) and not all(isinstance(text, str) for text in given):
        extra["input"], given = given, "token ids"
    if body.get("encoding_format", "base64") != "base64" or (
        "encoding_format" in body and not dialect.base64
    ):
        extra["encoding_format"] = body["encoding_format"]
    options = {"dimensions": body["dimensions"]} if "dimensions" in body else {}
    return EmbedRequest(
        inputs=(given,) if isinstance(given, str) else tuple(given), **options, extra={dialect.id: extra}
    )


def embedding_as_we_write_it(body, dialect, ours, reasons):
    body = dict(body)
    if isinstance(body["input"], str):
        body["input"] = [body["input"]]
        reasons["one input is sent as a list"] += 1
    if "encoding_format" not in body and dialect.base64:
        body["encoding_format"] = "base64"
        reasons["base64 is asked for"] += 1
    return body


def response_of(body, dialect):
    if "model" not in body:
        raise Odd("a request without a model")
    options, extra = {}, {}
    for name, value in body.items():
        if value is None or name in ("model", "input", "stream"):
            continue
        if name in ("temperature", "top_p", "user", "parallel_tool_calls"):
            options[name] = value
        elif name == "instructions":
            options["system"] = value
        elif name == "max_output_tokens":
            options["max_tokens"] = value
        elif name == "tools" and all(t["type"] == "function" and set(t) <= FLAT for t in value):
            options["tools"] = tuple(Tool.from_dict(tool) for tool in value)
        elif name == "tool_choice" and flat_choice(value):
            options["tool_choice"] = flat_choice(value)
        elif name == "reasoning":
            options["reasoning"] = Reasoning(value.get("effort"), None, value.get("summary"))
            extra["reasoning"] = {k: v for k, v in value.items() if k not in ("effort", "summary")}
        elif name == "text" and "schema" in value.get("format", {}):
            options["response_format"] = value["format"]["schema"]
            rest = {k: v for k, v in value["format"].items() if k != "schema"}
            extra["text"] = {**value, "format": rest}
        else:
            extra[name] = value
    given = body["input"]
    messages = (
        [Message("user", given)]
        if isinstance(given, str)
        else [m for item in given for m in item_of(item, dialect)]
    )
    return ChatRequest(
        tuple(messages), Options(**options, extra={dialect.id: extra}), body.get("stream") is True
    )


FLAT = {"type", "name", "description", "parameters", "strict"}


def flat_choice(value):
    if isinstance(value, str):
        return value
    return value["name"] if set(value) == {"type", "name"} and value["type"] == "function" else None


def item_of(item, dialect):
    """Build messages from an input item; an item without a neutral form becomes a raw part."""
    kind, role = item.get("type", "message"), item.get("role")
    plain = kind == "message" and set(item) <= {"type", "role", "content"}
    if plain and isinstance(item["content"], str):
        return [Message("system" if role == "developer" else role, item["content"])]
    if plain and role == "user":
        return [Message("user", tuple(RawPart(dialect.id, part) for part in item["content"]))]
    if kind == "function_call" and set(item) <= {"type", "call_id", "name", "arguments", "id", "namespace"}:
        own = {k: item[k] for k in ("id", "namespace") if k in item}
        call = ToolCall(
            item["call_id"], item["name"], json.loads(item["arguments"] or "{}"), None, {dialect.id: own}
        )
        return [Message("assistant", (call,))]
    if kind == "function_call_output" and isinstance(item["output"], str) and "status" not in item:
        return [Message("tool", (ToolResult(item["call_id"], item["output"]),))]
    if kind == "reasoning":
        data = {"item": item}
        return [Message("assistant", (Thinking("", dialect.id, None, data),))]
    return [Message("assistant", (RawPart(dialect.id, item),))]


def response_as_we_write_it(body, dialect, ours, reasons):
    body = copy.deepcopy(body)
    for name in [name for name, value in body.items() if value is None]:
        del body[name]
        reasons["null is the same as not given, and is not sent"] += 1
    if body.get("stream") is False:
        del body["stream"]
        reasons["stream: false is the default, and is not sent"] += 1
    if body.get("store") is False and "include" not in body and "include" in ours:
        body["include"] = ["reasoning.encrypted_content"]
        reasons["thinking that is not kept is asked for as it can be sent back"] += 1
    if isinstance(body["input"], str):
        body["input"] = [{"role": "user", "content": body["input"]}]
        reasons["a text alone is sent as a user turn"] += 1
    reasoning = body.get("reasoning")
    for name in [n for n, v in (reasoning or {}).items() if v is None]:
        del reasoning[name]
        reasons["null is the same as not given, and is not sent"] += 1
    if reasoning == {}:
        del body["reasoning"]
        reasons["an empty object is not sent"] += 1
    for item in body["input"]:
        plain = set(item) <= {"type", "role", "content"} and isinstance(item.get("content"), str)
        if item.get("role") == "developer" and plain:
            item["role"] = "system"
            reasons["developer and system are one role to the service"] += 1
        parts = item.get("content")
        one = isinstance(parts, list) and len(parts) == 1 and set(parts[0]) == {"type", "text"}
        if item.get("role") == "user" and one and set(item) <= {"type", "role", "content"}:
            item["content"] = parts[0]["text"]
            reasons["content of one text part is sent as a string"] += 1
        if item.get("type") == "message" and (plain or item.get("role") == "user"):
            del item["type"]
            reasons["type: message is the default, and is not sent"] += 1
        if (
            item.get("type") == "function_call"
            and "status" not in item
            and compact(item["arguments"]) != item["arguments"]
        ):
            item["arguments"] = compact(item["arguments"])
            reasons["arguments are written without spaces"] += 1
    for tool in body.get("tools") or []:
        if not all(t["type"] == "function" and set(t) <= FLAT for t in body["tools"]):
            break
        if tool.get("description", "") is None:
            del tool["description"]
            reasons["null is the same as not given, and is not sent"] += 1
        if tool.get("strict") is None:
            tool["strict"] = False
            reasons["strict is told; the service would take it as true"] += 1
    form = (body.get("text") or {}).get("format", {})
    if "schema" in form and "strict" not in form:
        form["strict"] = ours["text"]["format"]["strict"]
        reasons["strict is told for a JSON schema, true where the schema is closed"] += 1
    return body
