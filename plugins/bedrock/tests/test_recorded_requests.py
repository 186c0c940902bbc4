"""Recorded requests, built again through our API: equal bodies, or a difference that is named and counted.

See `test_recorded_answers.py` for where the recordings are.
"""

import base64
import copy
import json
from collections import Counter

from attrs import evolve
from recordings import counted, recorded

import jackfield_bedrock
from jackfield import (
    Document,
    Image,
    Message,
    RawPart,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from jackfield.plugin import ChatRequest, CompletionRequest, EmbedRequest, ModelRef, Options
from jackfield.testing import translated

OFFICE = "application/vnd.openxmlformats-officedocument"
MEDIA = {
    "pdf": "application/pdf", "csv": "text/csv", "txt": "text/plain", "md": "text/markdown", "html": "text/html",
    "xlsx": f"{OFFICE}.spreadsheetml.sheet", "docx": f"{OFFICE}.wordprocessingml.document",
    "xls": "application/vnd.ms-excel", "doc": "application/msword",
}  # fmt: skip


def rows(*apis):
    """Return the recorded exchanges of these apis that carry a request's body."""
    for row in recorded("bedrock"):
        body = (row.get("request") or {}).get("body")
        if row["api"] in apis and isinstance(body, dict):
            yield row, plain(body)


def plain(value):
    """Copy a body; bytes that a JavaScript client showed as a list of numbers become base64."""
    if isinstance(value, dict):
        if value.get("type") == "Buffer":
            return base64.b64encode(bytes(value["data"])).decode()
        if value and all(name.isdigit() for name in value):
            return base64.b64encode(bytes(value.values())).decode()
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def built(model, request, **declared):
    """Translate a request as a call does, every odd value allowed to be dropped."""
    ref = ModelRef(model or "unknown.model", declared=declared)
    made = translated(jackfield_bedrock, ref, request)
    return made.wire, {note.name: note for note in made.report}


# -- Converse: from a recorded body to our API --------------------------------------------------------------------


def media_of(source):
    return (
        {"url": source["s3Location"]["uri"]}
        if "s3Location" in source
        else {"data": base64.b64decode(source["bytes"])}
    )


def document_of(block):
    source = block["source"]
    found = {"text": source["text"]} if "text" in source else media_of(source)
    cites = (block.get("citations") or {}).get("enabled", False)
    return Document(**found, media_type=MEDIA[block["format"]], name=block["name"], citations=cites)


def part_of(block):
    """Make a part; a block that says more than our part can say is kept as it is."""
    ((kind, told), *more) = block.items()
    if more:
        return RawPart("bedrock", block)
    if kind == "text":
        return Text(told)
    if kind == "image" and set(told["source"].get("s3Location", ())) <= {"uri"}:
        return Image(**media_of(told["source"]), media_type=f"image/{told['format']}")
    if (
        kind == "document"
        and set(told["source"]) <= {"bytes", "text", "s3Location"}
        and "context" not in told
    ):
        return document_of(told)
    if kind == "toolUse" and "type" not in told:
        return ToolCall(told["toolUseId"], told["name"], told["input"])
    if kind == "toolResult":
        content = tuple(part_of(inner) for inner in told["content"])
        if all(isinstance(part, Text | Image | Document) for part in content):
            return ToolResult(told["toolUseId"], content, told.get("status") == "error")
    if kind == "reasoningContent" and "reasoningText" in told:
        text = told["reasoningText"]
        data = {name: text[name] for name in ("signature",) if name in text}
        return Thinking(text["text"], "bedrock", None, data)
    return RawPart("bedrock", block)


def tools_of(config):
    """Return tools; a cache point behind a tool is the tool's mark."""
    found = []
    for entry in config.get("tools") or ():
        if "toolSpec" in entry:
            spec = entry["toolSpec"]
            found.append(
                Tool(spec["name"], spec.get("description"), spec["inputSchema"]["json"], spec.get("strict"))
            )
        elif "cachePoint" in entry and found:
            last = found.pop()
            found.append(Tool(last.name, last.description, last.parameters, last.strict, "5m"))
        else:
            return None
    return tuple(found)


CHOICES = {"auto": "auto", "any": "required"}


def converse_request(row, body):
    """Make of a recorded body messages and options; what has no option of ours goes into `extra`."""
    body = copy.deepcopy(body)
    options, extra = {"unsupported": "drop"}, {}
    messages = [
        Message("system", (Text(block["text"]) if set(block) == {"text"} else RawPart("bedrock", block),))
        for block in body.pop("system", None) or ()
    ]
    messages += [Message(m["role"], tuple(map(part_of, m["content"]))) for m in body.pop("messages")]
    config = body.pop("toolConfig", None)
    if config is not None:
        tools, choice = tools_of(config), config.get("toolChoice")
        if tools is None:
            extra["toolConfig"] = config
        else:
            options["tools"] = tools
            if choice:
                ((kind, told),) = choice.items()
                options["tool_choice"] = CHOICES.get(kind) or told["name"]
    inference = body.pop("inferenceConfig", None) or {}
    for theirs, ours in (("maxTokens", "max_tokens"), ("temperature", "temperature"), ("topP", "top_p")):
        if inference.get(theirs) is not None:
            options[ours] = inference[theirs]
    if inference.get("stopSequences"):
        options["stop"] = tuple(inference["stopSequences"])
    form = (body.get("outputConfig") or {}).get("textFormat", {}).get("structure", {}).get("jsonSchema", {})
    if form:
        options["response_format"] = json.loads(form["schema"])
        body.pop("outputConfig")
    fields = body.get("additionalModelRequestFields") or {}
    budget = (fields.get("thinking") or {}).get("budget_tokens")
    if budget is not None:
        options["reasoning"] = Reasoning(budget_tokens=budget)
        body.pop("additionalModelRequestFields")
    extra.update({name: value for name, value in body.items() if value is not None})
    request = ChatRequest(tuple(messages), Options(**options, extra={"bedrock": extra}), stream=row["stream"])
    return row["model"], request, {"route": "converse"}


def normal(value):
    """Make bodies comparable: base64 that decodes to the same, schemas as JSON, no marks of what is the default."""
    if isinstance(value, dict):
        made = {name: normal(inner) for name, inner in value.items() if inner is not None}
        if isinstance(made.get("schema"), str):
            made["schema"] = json.loads(made["schema"])
        return made
    return [normal(inner) for inner in value] if isinstance(value, list) else value


# Differences by reason: what the recorded body has that ours has not, or has otherwise. Each is one of ours by design.


def empty_parts(body):
    """The client wrote empty lists and objects."""
    gone = False
    for name in ("system", "inferenceConfig", "additionalModelRequestFields"):
        if name in body and not body[name]:
            del body[name]
            gone = True
    stops = (body.get("inferenceConfig") or {}).get("stopSequences")
    if stops == []:
        del body["inferenceConfig"]["stopSequences"]
        if not body["inferenceConfig"]:
            del body["inferenceConfig"]
        gone = True
    return gone


def told_success(body):
    """The client wrote that a tool went well, which is the default."""
    gone = False
    for message in body["messages"]:
        for block in message["content"]:
            if block.get("toolResult", {}).get("status") == "success":
                del block["toolResult"]["status"]
                gone = True
    return gone


def named_schema(body):
    """The client named a schema of its answer, for which we have no option."""
    form = (body.get("outputConfig") or {}).get("textFormat", {}).get("structure", {}).get("jsonSchema", {})
    named = [form.pop(name, None) for name in ("name", "description")]
    return any(named)


def blank_text(body):
    """The client wrote blank texts, which most models refuse; the first message stays, because there must be one."""
    results = [b["toolResult"] for m in body["messages"] for b in m["content"] if "toolResult" in b]
    gone = False
    for place in (*body["messages"], *results):
        kept = [block for block in place["content"] if block.get("text", "x").strip()]
        if not kept and place is body["messages"][0]:
            continue
        gone = gone or kept != place["content"]
        place["content"] = kept
    return gone


def limited_schema(body):
    """The client limited the number of items, which the service answered with 400; we say it in words."""
    structure = (
        (body.get("outputConfig") or {}).get("textFormat", {}).get("structure", {}).get("jsonSchema", {})
    )
    schema = structure.get("schema")
    if "maxItems" not in str(schema):
        return False
    parsed = json.loads(schema) if isinstance(schema, str) else schema
    for inner in parsed["properties"].values():
        if "maxItems" in inner:
            inner["description"] = f"at most {inner.pop('maxItems')} items"
    structure["schema"] = json.dumps(parsed) if isinstance(schema, str) else parsed
    return True


def empty_description(body):
    """The client described a tool by nothing."""
    gone = False
    for tool in (body.get("toolConfig") or {}).get("tools") or ():
        spec = tool.get("toolSpec", {})
        if spec.get("description") == "":
            del spec["description"]
            gone = True
    return gone


def other_names(body):
    """The name of a document has characters that the service refuses."""
    gone = False
    for message in body["messages"]:
        for block in [
            *message["content"],
            *(b for c in message["content"] for b in c.get("toolResult", {}).get("content", ())),
        ]:
            document = block.get("document")
            if document:
                name = jackfield_bedrock._files._SPACES.sub(
                    " ", jackfield_bedrock._files._BAD_IN_NAME.sub(" ", document["name"])
                ).strip()
                gone = gone or name != document["name"]
                document["name"] = name
    return gone


def document_in_result(body):
    """A document is inside a tool's result, which Nova answered with 400; ours stands beside it."""
    gone = False
    for message in body["messages"]:
        blocks = []
        for block in message["content"]:
            inner = block.get("toolResult", {}).get("content", [])
            moved = [one for one in inner if "document" in one]
            if moved:
                block["toolResult"]["content"] = [one for one in inner if "document" not in one]
            blocks += [block, *moved]
            gone = gone or bool(moved)
        message["content"] = blocks
    return gone


def lone_document(body):
    """A document has no text beside it, which the service answered with 400; we say that there is one."""
    gone = False
    for message in body["messages"]:
        kinds = {kind for block in message["content"] for kind in block}
        if "document" in kinds and "text" not in kinds:
            message["content"].append({"text": "See the document."})
            gone = True
    return gone


def neighbours(body):
    """Two turns of one role stand side by side; we join them."""
    joined = []
    for message in body["messages"]:
        if joined and joined[-1]["role"] == message["role"]:
            joined[-1]["content"] += message["content"]
        else:
            joined.append(message)
    gone = joined != body["messages"]
    body["messages"] = joined
    return gone


REASONS = (
    empty_parts,
    told_success,
    named_schema,
    limited_schema,
    blank_text,
    empty_description,
    other_names,
    document_in_result,
    lone_document,
    neighbours,
)


def differences(recorded_body, ours):
    """Return the reasons why a recorded body differs from ours; None if a difference has no reason."""
    wanted, found, seen = normal(recorded_body), normal(ours), set()
    for reason in REASONS:
        if reason(wanted) and not reason(found):
            seen.add(reason.__name__)
    return seen if wanted == found else None


def test_recorded_requests_of_converse_are_built_again():
    counts = Counter()
    for row, body in rows("bedrock.converse", "bedrock.converse_stream"):
        model, request, declared = converse_request(row, body)
        wire, _ = built(model, request, **declared)
        seen = differences(body, wire.body)
        assert seen is not None, (row["id"], normal(body), wire.body)
        counts["equal" if not seen else "equal but for"] += 1
        counts.update(seen)
    assert counted(counts) == {
        "equal": 78,
        "equal but for": 222,
        "empty_parts": 220,
        "told_success": 61,
        "named_schema": 17,
        "limited_schema": 1,
        "other_names": 2,
        "document_in_result": 1,
        "lone_document": 3,
        "blank_text": 6,
        "neighbours": 1,
    }


# -- InvokeModel ------------------------------------------------------------------------------------------------------

TEXT_FORMS = {
    "ai21.j2": ("prompt", {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}),
    "amazon.titan-t": ("inputText", {
        "max_tokens": "textGenerationConfig.maxTokenCount", "temperature": "textGenerationConfig.temperature",
        "top_p": "textGenerationConfig.topP", "stop": "textGenerationConfig.stopSequences",
    }),
    "mistral.": ("prompt", {"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "stop": "stop"}),
    "meta.": ("prompt", {"max_tokens": "max_gen_len", "temperature": "temperature", "top_p": "top_p"}),
    "cohere.command-l": ("prompt", {
        "max_tokens": "max_tokens", "temperature": "temperature", "top_p": "p", "top_k": "k", "n": "num_generations",
        "stop": "stop_sequences",
    }),
    "anthropic.": ("prompt", {
        "max_tokens": "max_tokens_to_sample", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k",
        "stop": "stop_sequences",
    }),
}  # fmt: skip


def taken(body, path):
    """Take a value out of a body by its dotted path."""
    *parents, last = path.split(".")
    for parent in parents:
        body = body.get(parent) or {}
    return body.pop(last, None)


def native_request(row, body):
    """Make of a recorded native body a request of ours; give it and the declared entry."""
    model, stream, rest = row["model"], row["stream"], copy.deepcopy(body)
    if "messages" in rest:
        return chat_request(model, rest, stream)
    if "message" in rest:
        options = {ours: rest.pop(theirs) for theirs, ours in COMMAND_R.items() if theirs in rest}
        options["stop"] = tuple(options.pop("stop", None) or ())
        options = {name: value for name, value in options.items() if value != ()}
        messages = (Message("user", rest.pop("message")),)
        return ChatRequest(messages, Options(**options, extra={"bedrock": rest}), stream), {"route": "invoke"}
    if "texts" in rest or "singleEmbeddingParams" in rest or "titan-embed" in model:
        return embed_request(rest), {}
    prompt, names = next(form for begin, form in TEXT_FORMS.items() if model.startswith(begin))
    values = {ours: taken(rest, theirs) for ours, theirs in names.items()}
    options = {name: value for name, value in values.items() if value is not None and value != []}
    if "stop" in options:
        options["stop"] = tuple(options["stop"])
    text = rest.pop(prompt)
    extra = {name: value for name, value in rest.items() if value != {} and name != "stream"}
    return CompletionRequest(
        text, Options(**options, extra={"bedrock": extra}, unsupported="drop"), stream
    ), {}


COMMAND_R = {"max_tokens": "max_tokens", "temperature": "temperature", "p": "top_p", "stop_sequences": "stop"}
INPUT_TYPES = {"search_query": "query", "search_document": "document", "classification": "classification"}
CUTS = {"NONE": "error", "START": "start", "END": "end"}


def embed_request(rest):
    """Read an embedding's body of Cohere, Titan or Nova."""
    if "singleEmbeddingParams" in rest:
        inner = rest["singleEmbeddingParams"]
        given = {"truncate": CUTS[inner["text"]["truncationMode"]]}
        if "embeddingDimension" in inner:
            given["dimensions"] = inner["embeddingDimension"]
        extra = {"singleEmbeddingParams": {"embeddingPurpose": inner["embeddingPurpose"]}}
        return EmbedRequest(inputs=(inner["text"]["value"],), **given, extra={"bedrock": extra})
    if "inputText" in rest:
        given = {"dimensions": rest.pop("dimensions")} if "dimensions" in rest else {}
        return EmbedRequest(inputs=(rest.pop("inputText"),), **given, extra={"bedrock": rest})
    given = {"input_type": INPUT_TYPES[rest.pop("input_type")]}
    if "truncate" in rest:
        given["truncate"] = CUTS[rest.pop("truncate")]
    if "output_dimension" in rest:
        given["dimensions"] = rest.pop("output_dimension")
    return EmbedRequest(inputs=tuple(rest.pop("texts")), **given, extra={"bedrock": rest})


def chat_request(model, rest, stream):
    """Read messages of Claude, of Nova or of Jamba; what is not a plain text stays as it is."""
    if "nova" in model:
        row = {"model": model, "stream": stream}
        rest.pop("schemaVersion", None)
        inference = rest.get("inferenceConfig") or {}
        limit = inference.pop("max_new_tokens", None)
        if limit is not None:
            inference["maxTokens"] = limit
        extra = {k: inference.pop(k) for k in ("topK", "top_p") if k in inference}
        _, request, _ = converse_request(row, rest)
        if extra:
            extra = {"bedrock": {**request.options.extra["bedrock"], "inferenceConfig": extra}}
            request = ChatRequest(request.messages, evolve(request.options, extra=extra), stream)
        return request, {"route": "invoke"}
    rest.pop("anthropic_version", None)
    names = ("max_tokens", "temperature", "top_p", "top_k")
    options = {name: rest.pop(name) for name in names if name in rest}
    if rest.get("stop_sequences"):
        options["stop"] = tuple(rest.pop("stop_sequences"))
    if isinstance(rest.get("system"), str):
        options["system"] = rest.pop("system")
    messages = tuple(Message(m["role"], claude_parts(m["content"])) for m in rest.pop("messages"))
    old = "claude-v2" in model or "instant" in model
    declared = {"route": "messages" if old else "invoke"}
    return ChatRequest(
        messages, Options(**options, extra={"bedrock": rest}, unsupported="drop"), stream
    ), declared


def claude_parts(content):
    if isinstance(content, str):
        return (Text(content),)
    return tuple(
        Text(block["text"])
        if set(block) == {"type", "text"} and block["type"] == "text"
        else RawPart("bedrock", block)
        for block in content
    )


# Keys that ours has besides, or that the recorded body has besides, and why.
NATIVE_REASONS = {
    "truncate": "we tell the service not to cut silently",
    "max_tokens": "the service wants a limit",
    "stream": "of all bodies only Command's says that it streams; `false` says nothing",
    "empty": "the client wrote empty lists",
    "text": "one plain text is the same as a list of one",
    "version": "Nova's own body has a version",
    "limit": "Nova takes the limit and the mass under two names",
}


def same(value):
    """Make a native body comparable, and say by which reasons it was changed."""
    seen, body = set(), copy.deepcopy(value)
    for message in body.get("messages") or ():
        content = message.get("content")
        if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
            message["content"], _ = content[0]["text"], seen.add("text")
    for place in (body, body.get("textGenerationConfig") or {}, body.get("inferenceConfig") or {}):
        for name in ("stop_sequences", "stopSequences"):
            if place.get(name) == []:
                seen.add("empty")
                del place[name]
        for theirs, ours in (("max_new_tokens", "maxTokens"), ("top_p", "topP")):
            if theirs in place and place is body.get("inferenceConfig"):
                seen.add("limit")
                place[ours] = place.pop(theirs)
    if body.get("stream") is False:
        seen.add("stream")
        del body["stream"]
    return body, seen


def test_recorded_requests_of_invoke_model_are_built_again():
    counts = Counter()
    for row, body in rows("bedrock.invoke", "bedrock.invoke_stream"):
        if "anthropic" not in row["model"] and "." not in row["model"]:
            row["model"] = (
                f"anthropic.{row['model']}"  # an id without its maker, or one that is wrong on purpose
            )
        if "inputText" in body and "nova" in row["model"]:
            counts["a body of Titan sent to Nova by a hand-made test"] += 1
            continue
        request, declared = native_request(row, body)
        model = row["model"] if "invalid" not in row["model"] else "anthropic.claude-3-haiku-20240307-v1:0"
        wire, _ = built(model, request, **declared)
        (wanted, seen), (found, ours) = same(body), same(wire.body)
        for name, reason in (("truncate", "truncate"), ("schemaVersion", "version")):
            if name in found and name not in wanted:
                del found[name]
                ours.add(reason)
        if found.get("max_tokens") and "max_tokens" not in wanted:
            del found["max_tokens"]
            ours.add("max_tokens")
        assert found == wanted, (row["id"], wanted, found)
        seen ^= ours
        counts["equal" if not seen else "equal but for"] += 1
        counts.update(NATIVE_REASONS[name] for name in seen)
    assert counted(counts) == {
        "equal": 112,
        "equal but for": 105,
        "one plain text is the same as a list of one": 87,
        "the client wrote empty lists": 4,
        "of all bodies only Command's says that it streams; `false` says nothing": 2,
        "we tell the service not to cut silently": 4,
        "Nova's own body has a version": 5,
        "Nova takes the limit and the mass under two names": 5,
        "a body of Titan sent to Nova by a hand-made test": 1,
    }


def openai_message(told):
    """Make a message of OpenAI's form; parts of text are one text."""
    content = told.get("content")
    if told["role"] == "tool":
        return ToolResult(told["tool_call_id"], "".join(piece["text"] for piece in content))
    parts = (
        (Text(content),)
        if isinstance(content, str)
        else tuple(RawPart("bedrock", piece) for piece in content)
    )
    calls = [
        ToolCall(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in told.get("tool_calls") or ()
    ]
    return Message(told["role"], (*parts, *calls))


def openai_form(body):
    """Make bodies comparable: arguments as JSON, parts of text as one text, an empty text as none."""
    body = copy.deepcopy(body)
    for message in body["messages"]:
        if message["role"] == "tool" and isinstance(message["content"], list):
            message["content"] = "".join(piece["text"] for piece in message["content"])
        for call in message.get("tool_calls") or ():
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
            call.pop("index", None)
        if not message.get("content"):
            message.pop("content", None)
    return body


def test_recorded_requests_of_the_openai_shaped_surface_are_built_again():
    counts = Counter()
    for row, body in rows("bedrock.openai_chat"):
        rest = copy.deepcopy(body)
        messages = tuple(
            one if isinstance(one, Message) else Message("tool", (one,))
            for one in map(openai_message, rest.pop("messages"))
        )
        model, rest = rest.pop("model"), {k: v for k, v in rest.items() if k != "stream"}
        route = "openai" if "/openai/" in row["request"]["url"] else "mantle"
        request = ChatRequest(messages, Options(extra={"bedrock": rest}, unsupported="drop"), row["stream"])
        wire, _ = built(model, request, route=route)
        found = openai_form(wire.body)
        wanted = openai_form({k: v for k, v in body.items() if k != "stream" or v})
        if "stream_options" not in wanted:
            counts["asks a stream for its usage"] += found.pop("stream_options", None) is not None
        assert found == wanted, (row["id"], wanted, found)
        counts["equal"] += 1
    assert counted(counts) == {"equal": 27, "asks a stream for its usage": 6}
