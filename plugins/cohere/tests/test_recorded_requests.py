"""Recorded requests, built again through our API and compared; every difference has a reason."""

import base64
import json
from collections import Counter

from cohere_recordings import of, rows
from recordings import counted

import jackfield_cohere
from jackfield import Document, Image, Message, RawPart, Reasoning, Text, Thinking, Tool, ToolCall, ToolResult
from jackfield.plugin import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    ModelRef,
    Options,
    RerankRequest,
    SummarizeRequest,
)

NAMES = {"p": "top_p", "k": "top_k", "stop_sequences": "stop"}
PLAIN = {
    "max_tokens",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "p",
    "k",
    "stop_sequences",
}


def translated(request, model, **declared):
    ref = ModelRef(model, declared=declared)
    known = jackfield_cohere.jackfield_capabilities(ref)
    return jackfield_cohere.jackfield_translate(ref, request, known).wire.body


def options_of(body, skip=()):
    given = {
        NAMES.get(name, name): tuple(value) if name == "stop_sequences" else value
        for name, value in body.items()
        if name in PLAIN and value is not None
    }
    return {name: value for name, value in given.items() if name not in skip}


def tool_of(wire, strict):
    function = wire["function"]
    return Tool(function["name"], function.get("description"), function["parameters"], strict)


def part_of(wire):
    if wire["type"] == "text":
        return Text(wire["text"])
    if wire["type"] == "image_url":
        url, detail = wire["image_url"]["url"], wire["image_url"].get("detail")
        if url.startswith("data:"):
            kind, _, data = url.removeprefix("data:").partition(";base64,")
            return Image(data=base64.b64decode(data), media_type=kind, detail=detail)
        return Image(url=url, detail=detail)
    if wire["type"] == "document":
        return Document(text=json.dumps(wire["document"]["data"]), media_type="application/json")
    return Thinking(wire["thinking"], "cohere")


def parts_of(content):
    if isinstance(content, str):
        return [Text(content)]
    return [part_of(wire) for wire in content or ()]


def message_of(wire):
    if wire["role"] == "tool":
        content = wire["content"]
        told = content if isinstance(content, str) else tuple(parts_of(content))
        return Message("tool", (ToolResult(wire["tool_call_id"], told),))
    parts = parts_of(wire.get("content"))
    if wire.get("tool_plan"):
        parts.insert(0, Thinking(wire["tool_plan"], "cohere", data={"field": "tool_plan"}))
    for call in wire.get("tool_calls") or ():
        function = call["function"]
        parts.append(ToolCall(call["id"], function["name"], json.loads(function["arguments"])))
    return Message(wire["role"], tuple(parts))


def documents_of(body):
    return tuple(
        RawPart("cohere", {"type": "document", "document": one}) for one in body.get("documents") or ()
    )


def chat_of(body):
    """Return our request for a body of chat v2."""
    options = options_of(body)
    if "tools" in body:
        options["tools"] = tuple(tool_of(tool, body.get("strict_tools")) for tool in body["tools"])
    if "tool_choice" in body:
        options["tool_choice"] = body["tool_choice"].lower()
    if "thinking" in body:
        options["reasoning"] = Reasoning(effort="high" if body["thinking"]["type"] == "enabled" else "none")
    form = body.get("response_format")
    if form:
        options["response_format"] = form.get("json_schema") or form.get("schema") or "json"
    messages = [message_of(wire) for wire in body["messages"]]
    last = max(i for i, message in enumerate(messages) if message.role == "user")
    messages[last] = Message("user", (*documents_of(body), *messages[last].parts))
    return ChatRequest(tuple(messages), Options(**options), body.get("stream", False))


def neutral(body, reasons):
    """Write a recorded body of chat v2 as we write it, and count why."""

    def because(reason):
        reasons[reason] += 1

    body = json.loads(json.dumps(body))
    if body.get("stream") is False:
        because("stream: false is the default")
        del body["stream"]
    if body.get("documents") == []:
        because("an empty list of documents is none")
        del body["documents"]
    schema = body.get("response_format", {}).pop("schema", None)
    if schema:
        because("the schema's field is named json_schema, as in the API description")
        body["response_format"]["json_schema"] = schema
    for message in body["messages"]:
        neutral_message(message, because)
    return body


def neutral_message(message, because):
    for name in ("tool_calls", "citations", "tool_plan"):
        if name in message and not message[name]:
            because(f"an empty {name} says nothing")
            del message[name]
    content = message.get("content")
    if message["role"] == "tool":
        return
    if isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text":
        because("one text is written as a string")
        message["content"] = content[0]["text"]
    elif content in ([], None) and "content" in message:
        because("no content is left out")
        del message["content"]
    for call in message.get("tool_calls") or ():
        text = call["function"]["arguments"]
        call["function"]["arguments"] = json.loads(text)
        if text != json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False):
            because("arguments are JSON text of the same value with other spaces")


def ours_parsed(body):
    for message in body["messages"]:
        for call in message.get("tool_calls") or ():
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return body


def plain(value):
    return json.loads(json.dumps(value, default=list))


def test_every_chat_v2_is_built_again():
    reasons, built = Counter(), 0
    for row in of("chat_v2"):
        body = (row.get("request") or {}).get("body")
        if body is None:
            reasons["the request was not recorded"] += 1
            continue
        ours = ours_parsed(plain(translated(chat_of(body), body["model"])))
        assert ours == neutral(body, reasons), row["id"]
        built += 1

    assert counted(built) == 98
    assert counted(reasons) == {
        "the request was not recorded": 18,
        "stream: false is the default": 64,
        "one text is written as a string": 113,
        "arguments are JSON text of the same value with other spaces": 5,
        "an empty list of documents is none": 13,
        "the schema's field is named json_schema, as in the API description": 1,
        "an empty tool_calls says nothing": 1,
        "an empty citations says nothing": 2,
        "an empty tool_plan says nothing": 2,
        "no content is left out": 1,
    }


ROLES = {"system": "system", "user": "user", "chatbot": "assistant"}


def chat_v1_of(body):
    """Return our request for a body of chat v1."""
    options, messages, calls = options_of(body), [], {}
    for turn in body.get("chat_history") or ():
        parts = [Text(turn["message"])]
        for call in turn.get("tool_calls") or ():
            identity = f"call_{len(calls)}"
            arguments = call["args"] if "args" in call else call["parameters"]
            calls[call["name"]] = identity
            parts.append(ToolCall(identity, call["name"], arguments))
        messages.append(Message(ROLES[turn["role"].lower()], tuple(parts)))
    for result in body.get("tool_results") or ():
        outputs = tuple(
            Document(text=json.dumps(one), media_type="application/json") for one in result["outputs"]
        )
        messages.append(Message("tool", (ToolResult(calls[result["call"]["name"]], outputs),)))
    if body["message"] or not body.get("tool_results"):
        messages.append(Message("user", body["message"]))
    if "preamble" in body:
        options["system"] = body["preamble"]
    if "tools" in body:
        options["tools"] = tuple(tool_v1_of(tool) for tool in body["tools"])
    extra = {name: body[name] for name in V1_EXTRA if body.get(name) is not None}
    return ChatRequest(tuple(messages), Options(**options, extra={"cohere": extra}), body["stream"])


V1_EXTRA = ("connectors", "prompt_truncation", "raw_prompting", "num_generations")
V1_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}


def tool_v1_of(tool):
    definitions = tool["parameter_definitions"]
    properties = {
        name: {"type": V1_TYPES[one["type"]], "description": one["description"]}
        for name, one in definitions.items()
    }
    required = [name for name, one in definitions.items() if one["required"]]
    return Tool(tool["name"], tool["description"], {"properties": properties, "required": required})


def test_every_chat_v1_is_built_again():
    reasons, built = Counter(), 0
    for row in of("chat_v1"):
        body = json.loads(json.dumps(row["request"]["body"]))
        ours = plain(translated(chat_v1_of(body), body.get("model") or "command-r", route="v1"))
        if not body.get("model"):
            reasons["the model is always named"] += 1
            del ours["model"]
        assert ours == neutral_v1(body, reasons), row["id"]
        built += 1

    assert counted(built) == 25
    assert counted(reasons) == {
        "stream: False is left out": 18,
        "chat_history: [] is left out": 9,
        "roles are written in capitals": 18,
        "documents: None is left out": 4,
        "temperature: None is left out": 4,
        "the model is always named": 11,
        "no tool calls are left out": 3,
        "a call is written as the API description has it (name, parameters)": 2,
    }


def neutral_v1(body, reasons):
    for name in [name for name, value in body.items() if value is None or value is False or value == []]:
        reasons[f"{name}: {body[name]} is left out"] += 1
        del body[name]
    for turn in body.get("chat_history", ()):
        if turn["role"] != turn["role"].upper():
            reasons["roles are written in capitals"] += 1
            turn["role"] = turn["role"].upper()
        if "tool_calls" in turn and turn["tool_calls"] is None:
            reasons["no tool calls are left out"] += 1
            del turn["tool_calls"]
        for call in turn.get("tool_calls", ()):
            reasons["a call is written as the API description has it (name, parameters)"] += 1
            call["parameters"] = call.pop("args")
            del call["id"], call["type"]
    return body


def test_every_completion_is_built_again():
    reasons, built = Counter(), 0
    for row in of("generate"):
        body = {name: value for name, value in row["request"]["body"].items() if value is not None}
        reasons["null is left out"] += len(row["request"]["body"]) - len(body)
        extra = {name: body[name] for name in ("prompt_vars", "logit_bias") if name in body}
        request = CompletionRequest(body["prompt"], Options(**options_of(body), extra={"cohere": extra}))
        ours = plain(translated(request, body.get("model") or "command"))
        if body.pop("stream", None) is False:
            reasons["stream: false is the default"] += 1
        if not body.pop("model", None):
            reasons["the model is always named"] += 1
            body["model"] = "command"
        else:
            body["model"] = row["request"]["body"]["model"]
        if "stop_sequences" in body:
            reasons["stop sequences are left out of the text: end_sequences"] += 1
            body["end_sequences"] = body.pop("stop_sequences")
        assert ours == body, row["id"]
        built += 1

    assert counted(built) == 8
    assert counted(reasons) == {
        "null is left out": 10,
        "stream: false is the default": 5,
        "the model is always named": 3,
        "stop sequences are left out of the text: end_sequences": 1,
    }


INPUT_TYPES = {"search_query": "query", "search_document": "document", "classification": "classification"}


def test_every_embedding_is_built_again():
    reasons, built = Counter(), 0
    for row in [*of("embed_v1"), *of("embed_v2")]:
        body = (row.get("request") or {}).get("body")
        if body is None:
            reasons["the request was not recorded"] += 1
            continue
        if "images" in body:
            reasons["images are embedded by no call of ours"] += 1
            continue
        options = {"dimensions": body["output_dimension"]} if "output_dimension" in body else {}
        request = EmbedRequest(
            inputs=tuple(body["texts"]), input_type=INPUT_TYPES[body["input_type"]], **options
        )
        ours, theirs = plain(translated(request, body["model"])), dict(body)
        if ours.pop("truncate") == "NONE" and not theirs.pop("truncate", None):
            reasons["inputs that are too long are refused, not cut"] += 1
        wished = ours.pop("embedding_types", None)
        if theirs.pop("embedding_types", None) != wished:
            reasons["vectors are asked for as base64"] += 1
        assert ours == theirs, row["id"]
        built += 1

    assert counted(built) == 12
    assert counted(reasons) == {
        "inputs that are too long are refused, not cut": 12,
        "vectors are asked for as base64": 11,
        "images are embedded by no call of ours": 1,
        "the request was not recorded": 2,
    }


def test_every_ranking_is_built_again():
    reasons, built = Counter(), 0
    for row in [*of("rerank_v1"), *of("rerank_v2")]:
        body = (row.get("request") or {}).get("body")
        if body is None:
            reasons["the request was not recorded"] += 1
            continue
        theirs = dict(body)
        texts = tuple(one if isinstance(one, str) else one["text"] for one in body["documents"])
        if list(texts) != body["documents"]:
            reasons["v2 takes documents as texts"] += 1
            theirs["documents"] = list(texts)
        if theirs.pop("return_documents", None) is not None:
            reasons["v2 has no return_documents"] += 1
        options = {"top_n": body["top_n"]} if "top_n" in body else {}
        ours = plain(
            translated(RerankRequest(query=body["query"], documents=texts, **options), body.get("model", "r"))
        )
        if "model" not in theirs:
            reasons["the model is always named"] += 1
            del ours["model"]
        assert ours == theirs, row["id"]
        built += 1

    assert counted(built) == 9
    assert counted(reasons) == {
        "v2 takes documents as texts": 2,
        "v2 has no return_documents": 1,
        "the model is always named": 1,
        "the request was not recorded": 1,
    }


def test_summary_and_count_are_built_again():
    for row in of("summarize"):
        text = row["request"]["body"]["text"]
        assert translated(SummarizeRequest(text), "command") == {"model": "command", "text": text}
    for row in of("tokenize"):
        told = row["request"]["body"]
        assert translated(CountRequest((Message("user", told["text"]),)), told["model"]) == told


def test_no_line_with_a_request_is_forgotten():
    with_bodies = Counter(row["api"] for row in rows() if (row.get("request") or {}).get("body") is not None)
    built = {
        "chat_v2": 98,
        "chat_v1": 25,
        "generate": 8,
        "embed_v1": 8,
        "embed_v2": 5,
        "rerank_v1": 4,
        "rerank_v2": 5,
    }
    others = {"summarize": 1, "tokenize": 1, "detokenize": 1, "openai_chat": 2}

    assert counted(with_bodies) == {f"cohere.{api}": count for api, count in (built | others).items()}
