"""Recorded requests, built again through our API and compared with what was sent."""

import base64
import copy
import json
from collections import Counter

import pytest
import recordings
from recordings import Odd, bodies_of, counted

import jackfield_vertex
from jackfield import (
    Image,
    Message,
    RawPart,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    UnsupportedError,
)
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    ModelRef,
    Options,
)
from jackfield.testing import translated


def rows():
    """Yield every recorded exchange."""
    return recordings.recorded("vertex")


SAME = {
    "maxOutputTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "topK": "top_k",
    "candidateCount": "n", "seed": "seed", "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty", "responseLogprobs": "logprobs", "logprobs": "top_logprobs",
}  # fmt: skip
SNAKES = {
    "generation_config": "generationConfig", "system_instruction": "systemInstruction", "tool_config": "toolConfig",
    "function_declarations": "functionDeclarations", "response_mime_type": "responseMimeType",
    "response_schema": "responseSchema", "max_output_tokens": "maxOutputTokens", "thinking_config": "thinkingConfig",
    "include_thoughts": "includeThoughts", "thinking_budget": "thinkingBudget", "thinking_level": "thinkingLevel",
    "allowed_function_names": "allowedFunctionNames", "parameters_json_schema": "parametersJsonSchema",
    "function_call": "functionCall", "function_response": "functionResponse", "inline_data": "inlineData",
    "file_data": "fileData", "mime_type": "mimeType", "file_uri": "fileUri", "thought_signature": "thoughtSignature",
    "google_search": "googleSearch", "code_execution": "codeExecution", "safety_settings": "safetySettings",
    "function_calling_config": "functionCallingConfig", "response_json_schema": "responseJsonSchema",
}  # fmt: skip


# -- normal form: what the service reads alike is written alike, and counted -------------------------------------


def normal(value, note, at=""):
    """Write camelCase, leave out null and `thought: false`; the insides of schemas and arguments are kept."""
    if isinstance(value, list):
        return [normal(one, note, at) for one in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, inner in value.items():
        key = SNAKES.get(name, name)
        if key != name:
            note("names are written in camelCase")
        if inner is None:
            note("null is the same as not given, and is not sent")
        elif key == "thought" and inner is False:
            note("thought: false is the default, and is not sent")
        else:
            plain = key in ("parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "args",
                            "response", "labels")  # fmt: skip
            made[key] = inner if plain else normal(inner, note, key)
    return made


def as_we_write_it(body, ours, note):
    """Rewrite a normal body the way we write it, and count why."""
    body = copy.deepcopy(body)
    if isinstance(body.get("tools"), dict):
        body["tools"] = [body["tools"]]
        note("one tool is written as a list")
    system = body.get("systemInstruction")
    if system and isinstance(system["parts"], dict):
        system["parts"] = [system["parts"]]
        note("one part of a system instruction is written as a list")
    if system and system["parts"] == [{"text": ""}]:
        del body["systemInstruction"]
        note("empty text is not sent")
        system = None
    if system and "role" in system:
        del system["role"]
        note("the role of a system instruction is ignored, and is not sent")
    for name in ("generationConfig", "systemInstruction", "tools", "toolConfig", "safetySettings"):
        if name in body and not body[name] and name not in ours:
            del body[name]
            note(f"an empty {name} is not sent")
    config = (body.get("toolConfig") or {}).get("functionCallingConfig")
    if config and config.get("mode", "").islower():
        config["mode"] = config["mode"].upper()
        note("words of enumerations are written in capitals")
    contents, before = [], None
    for content in body["contents"]:
        role = {"function": "user", None: "user"}.get(content.get("role"), content.get("role"))
        if role != content.get("role"):
            note("a turn of functions, or of nobody, is the user's")
        kind = "tool" if any("functionResponse" in part for part in content["parts"]) else role
        if kind == before:
            contents[-1]["parts"] += content["parts"]
            note("turns of one kind are merged")
        else:
            contents.append({**content, "role": role})
        before = kind
    body["contents"] = contents
    for content in contents:
        if {"text": ""} in content["parts"] and len(contents) > 1:
            content["parts"] = [part for part in content["parts"] if part != {"text": ""}]
            note("empty text is not sent")
    for part in (part for content in contents for part in content["parts"]):
        if "functionCall" in part and "args" not in part["functionCall"]:
            part["functionCall"]["args"] = {}
            note("a call without arguments has an empty object")
    declare(body, ours, note)
    if "generationConfig" in body and "generationConfig" not in ours:
        del body["generationConfig"]
        note("settings of the answer do not change a count, and are not sent")
    config, mine = body.get("generationConfig") or {}, ours.get("generationConfig") or {}
    if "responseSchema" in config and "responseJsonSchema" in mine:
        config["responseJsonSchema"] = config.pop("responseSchema")
        note("the answer's schema is given as JSON schema where the model takes it")
    thinking = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    if thinking.get("thinkingLevel", "").islower():
        thinking["thinkingLevel"] = thinking["thinkingLevel"].upper()
        note("words of enumerations are written in capitals")
    return body


def declare(body, ours, note):
    """Functions are declared in one item, before the service's own tools, with the JSON schema twin."""
    tools = body.get("tools")
    if not tools:
        return
    declared = [one for tool in tools for one in tool.get("functionDeclarations", ())]
    own = [{k: v for k, v in tool.items() if k != "functionDeclarations"} for tool in tools]
    own = [tool for tool in own if tool]
    made = ([{"functionDeclarations": declared}] if declared else []) + own
    if made != tools:
        note("functions are declared in one item, before the service's own tools")
    body["tools"] = made
    names = iter(one for tool in ours.get("tools", ()) for one in tool.get("functionDeclarations", ()))
    for one in declared:
        match = next(names, {})
        if "responseJsonSchema" in one and "responseJsonSchema" not in match:
            del one["responseJsonSchema"]
            note("what a function gives is not declared")
        if "parameters" in one and "parameters" not in match:
            schema = one.pop("parameters")
            if "parametersJsonSchema" in match:
                one["parametersJsonSchema"] = schema
                note("parameters are given as JSON schema where the model takes it")
            else:
                note("an object without properties is not sent in the subset of OpenAPI")
        if "parameters" not in one and "parametersJsonSchema" not in one and "parametersJsonSchema" in match:
            one["parametersJsonSchema"] = match["parametersJsonSchema"]
            note("a function without parameters is declared with an empty object")


# -- the request that stands behind a body ------------------------------------------------------------------------


def part_of(part, calls):
    keys = set(part)
    if "text" in part and keys <= {"text", "thoughtSignature"}:
        own = {k: v for k, v in part.items() if k != "text"}
        return Text(part["text"], provider_data={"vertex": own} if own else None)
    if "text" in part and part.get("thought") is True and keys <= {"text", "thought", "thoughtSignature"}:
        own = {k: v for k, v in part.items() if k not in ("text", "thought")}
        return Thinking(part["text"], "vertex", None, own or None)
    if "functionCall" in part and set(part["functionCall"]) <= {"name", "args", "id"}:
        call = part["functionCall"]
        own = {k: v for k, v in part.items() if k != "functionCall"}
        if "id" in call:
            own["id"] = call["id"]
        name = call.get("id") or f"ours-{len(calls)}"
        calls.append((name, call["name"], call.get("id")))
        return ToolCall(name, call["name"], call.get("args") or {}, None, {"vertex": own} if own else None)
    if "functionResponse" in part and keys == {"functionResponse"}:
        return result_of(part, calls)
    if keys == {"inlineData"} and set(part["inlineData"]) == {"mimeType", "data"}:
        return image_of(part)
    if keys == {"fileData"} and set(part["fileData"]) == {"mimeType", "fileUri"}:
        return Image(url=part["fileData"]["fileUri"], media_type=part["fileData"]["mimeType"])
    return RawPart("vertex", part)


def result_of(part, calls):
    told = part["functionResponse"]
    response = told.get("response")
    plain = isinstance(response, dict) and set(response) in ({"result"}, {"error"})
    plain = plain and isinstance(next(iter(response.values())), str)
    match = next((c for c in calls if c[1] == told.get("name") and c[2] == told.get("id")), None)
    if not plain or match is None or not set(told) <= {"name", "response", "id"}:
        return RawPart("vertex", part)
    calls.remove(match)
    (kind,) = response
    return ToolResult(match[0], response[kind], is_error=kind == "error", name=told["name"])


def image_of(part):
    data = part["inlineData"]["data"]
    try:
        raw = base64.b64decode(data, validate=True)
    except ValueError:
        return RawPart("vertex", part)
    if base64.b64encode(raw).decode() != data:
        return RawPart("vertex", part)
    return Image(data=raw, media_type=part["inlineData"]["mimeType"])


def messages_of(body):
    calls, found = [], []
    for content in body["contents"]:
        role = content.get("role", "user")
        if role not in ("user", "model", "function"):
            raise Odd(f"a turn of the role {role}")
        parts = tuple(part_of(part, calls) for part in content["parts"])
        results = any("functionResponse" in part for part in content["parts"])
        found.append(Message("assistant" if role == "model" else "tool" if results else "user", parts))
    return found


def request_of(body, kind, *, stream=False):
    options, extra = {}, {}
    messages = messages_of(body)
    for name, value in body.items():
        if name == "contents":
            continue
        if name == "systemInstruction":
            parts = value["parts"] if isinstance(value["parts"], list) else [value["parts"]]
            messages.insert(0, Message("system", tuple(Text(part["text"]) for part in parts)))
        elif name == "generationConfig":
            config_of(value, options, extra)
        elif name == "tools":
            tools_of(value if isinstance(value, list) else [value], options, extra)
        elif name == "toolConfig" and set(value) == {"functionCallingConfig"}:
            choice_of(value["functionCallingConfig"], options, extra)
        else:
            extra[name] = value
    given = Options(**options, extra={"vertex": extra} if extra else {})
    return kind(tuple(messages), given, stream)


def config_of(config, options, extra):
    rest = {}
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    for name, value in config.items():
        if name in SAME:
            options[SAME[name]] = value
        elif name == "stopSequences":
            options["stop"] = tuple(value)
        elif name == "responseMimeType" and value == "application/json":
            options["response_format"] = "json" if schema is None else schema
        elif name in ("responseJsonSchema", "responseSchema") and "responseMimeType" in config:
            continue
        elif name == "thinkingConfig":
            budget, level = value.get("thinkingBudget"), value.get("thinkingLevel")
            effort = "none" if budget == 0 else None if level is None else level.lower()
            options["reasoning"] = Reasoning(effort, budget or None, value.get("includeThoughts"))
        else:
            rest[name] = value
    if rest:
        extra["generationConfig"] = rest


def tools_of(tools, options, extra):
    declared, own = [], []
    for tool in tools:
        for one in tool.get("functionDeclarations", ()):
            schema = one.get(
                "parametersJsonSchema", one.get("parameters", {"type": "object", "properties": {}})
            )
            declared.append(Tool(one["name"], one.get("description"), schema))
        rest = {k: v for k, v in tool.items() if k != "functionDeclarations"}
        own += [rest] if rest else []
    if declared:
        options["tools"] = tuple(declared)
    if own:
        extra["tools"] = own


def choice_of(config, options, extra):
    mode, names = config.get("mode", "").upper(), config.get("allowedFunctionNames")
    if mode == "ANY" and names is not None and len(names) == 1:
        options["tool_choice"] = names[0]
    elif mode in ("AUTO", "ANY", "NONE") and names is None:
        options["tool_choice"] = {"AUTO": "auto", "ANY": "required", "NONE": "none"}[mode]
    else:
        extra["toolConfig"] = {"functionCallingConfig": config}


def ours_for(row, request):
    model = ModelRef(row["model"] or "gemini-2.5-flash")
    known = jackfield_vertex.jackfield_capabilities(model)
    return translated(jackfield_vertex, model, request, known).wire


def compare(api):
    kind = CountRequest if api == "vertex.countTokens" else ChatRequest
    reasons, odd, equal, faults = Counter(), Counter(), 0, {}
    for row, recorded in bodies_of(rows(), api):
        local = Counter()

        def note(reason, local=local):
            local[reason] = 1

        try:
            body = normal(recorded, note)
            if not isinstance(body, dict) or not isinstance(body.get("contents"), list):
                raise Odd(
                    "no contents: the Gemini API's own form, or a prompt that the recording program wrote"
                )
            if any(not content.get("parts") for content in body["contents"]):
                raise Odd("a turn without parts")
            request = request_of(body, kind, stream=row["stream"])
            ours = ours_for(row, request).body
        except Odd as fault:
            odd[f"{fault} ({row['response']['status']})"] += 1
            continue
        except UnsupportedError as fault:
            odd[f"refused: {fault.parameter} ({row['response']['status']})"] += 1
            continue
        theirs = as_we_write_it(body, ours, note)
        if ours == theirs:
            equal += 1
            reasons.update(local)
        else:
            faults[row["id"]] = {
                k: (ours.get(k), theirs.get(k)) for k in {*ours, *theirs} if ours.get(k) != theirs.get(k)
            }
    return {"equal": equal, "differences": dict(sorted(reasons.items())), "not_rebuilt": dict(odd)}, faults


EXPECTED = {
    "vertex.generateContent": {
        "equal": 438,
        "differences": {
            "a call without arguments has an empty object": 2,
            "a function without parameters is declared with an empty object": 2,
            "a turn of functions, or of nobody, is the user's": 2,
            "an empty generationConfig is not sent": 146,
            "empty text is not sent": 3,
            "functions are declared in one item, before the service's own tools": 1,
            "names are written in camelCase": 51,
            "null is the same as not given, and is not sent": 101,
            "one part of a system instruction is written as a list": 4,
            "one tool is written as a list": 2,
            "parameters are given as JSON schema where the model takes it": 195,
            "the answer's schema is given as JSON schema where the model takes it": 10,
            "the role of a system instruction is ignored, and is not sent": 238,
            "thought: false is the default, and is not sent": 101,
            "turns of one kind are merged": 17,
            "what a function gives is not declared": 24,
            "words of enumerations are written in capitals": 8,
        },
        "not_rebuilt": {"a turn of the role invalid_role (400)": 1, "refused: temperature (400)": 1},
    },
    "vertex.streamGenerateContent": {
        "equal": 215,
        "differences": {
            "a function without parameters is declared with an empty object": 4,
            "an empty generationConfig is not sent": 42,
            "empty text is not sent": 2,
            "names are written in camelCase": 14,
            "null is the same as not given, and is not sent": 49,
            "parameters are given as JSON schema where the model takes it": 80,
            "the answer's schema is given as JSON schema where the model takes it": 11,
            "the role of a system instruction is ignored, and is not sent": 74,
            "thought: false is the default, and is not sent": 46,
            "turns of one kind are merged": 4,
            "what a function gives is not declared": 4,
            "words of enumerations are written in capitals": 4,
        },
        "not_rebuilt": {},
    },
    "vertex.countTokens": {
        "equal": 4,
        "differences": {
            "an empty generationConfig is not sent": 1,
            "names are written in camelCase": 1,
            "parameters are given as JSON schema where the model takes it": 1,
            "settings of the answer do not change a count, and are not sent": 1,
            "the role of a system instruction is ignored, and is not sent": 2,
        },
        "not_rebuilt": {
            "no contents: the Gemini API's own form, or a prompt that the recording program wrote (200)": 6
        },
    },
}


@pytest.mark.parametrize("api", EXPECTED)
def test_recorded_requests_are_built_again(api):
    found, faults = compare(api)
    assert not faults, json.dumps(dict(list(faults.items())[:4]), indent=1)[:6000]
    assert counted(found) == EXPECTED[api]


def test_claude_is_asked_as_recorded():
    count = 0
    for row, body in bodies_of(rows(), "vertex.rawPredict", "vertex.streamRawPredict"):
        extra = {
            k: v
            for k, v in body.items()
            if k not in ("messages", "stream", "max_tokens", "anthropic_version")
        }
        parts = [
            Message(one["role"], tuple(map(claude_part, [{"type": "text", "text": one["content"]}]
                    if isinstance(one["content"], str) else one["content"])))
            for one in body["messages"]
        ]  # fmt: skip
        options = Options(max_tokens=body["max_tokens"], extra={"vertex": extra})
        request = ChatRequest(tuple(parts), options, row["stream"])
        model = ModelRef(row["model"] or "claude-3-7-sonnet@20250219")
        wire = translated(jackfield_vertex, model, request, Capabilities()).wire
        theirs = {**body, "messages": [{**m, "content": shortened(m["content"])} for m in body["messages"]]}
        assert wire.body == theirs
        assert wire.path.endswith("streamRawPredict" if row["stream"] else "rawPredict")
        count += 1
    assert counted(count) == 15


def claude_part(block):
    return Text(block["text"]) if set(block) == {"type", "text"} else RawPart("anthropic", block)


def shortened(content):
    """One plain text is sent as a string."""
    if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
        return content[0]["text"]
    return content


def test_embeddings_are_asked_as_recorded():
    tasks = {"RETRIEVAL_DOCUMENT": "document", "RETRIEVAL_QUERY": "query"}
    count = 0
    for row, body in bodies_of(rows(), "vertex.predict_embeddings"):
        one = body["instances"][0]
        given = {"input_type": tasks[one["task_type"]]} if "task_type" in one else {}
        parameters = dict(body.get("parameters") or {})
        if "outputDimensionality" in parameters:
            given["dimensions"] = parameters["outputDimensionality"]
        request = EmbedRequest(inputs=tuple(i["content"] for i in body["instances"]), **given)
        wire = translated(jackfield_vertex, ModelRef(row["model"]), request, Capabilities()).wire
        # The one difference: the service is told not to cut without a word.
        assert wire.body == {
            "instances": body["instances"],
            "parameters": {**parameters, "autoTruncate": False},
        }
        count += 1
    assert counted(count) == 6


def test_palm_is_asked_as_recorded():
    count = 0
    for row, body in bodies_of(rows(), "vertex.predict_palm"):
        instance, parameters = body["instances"][0], dict(body["parameters"])
        most = parameters.pop("maxDecodeSteps", None)
        most = parameters.pop("maxOutputTokens", most)
        options = {
            "max_tokens": most, "temperature": parameters.get("temperature"), "top_p": parameters.get("topP"),
            "top_k": parameters.get("topK"),
        }  # fmt: skip
        options = {name: value for name, value in options.items() if value is not None}
        if "messages" in instance:
            said = tuple(Message("user", one["content"]) for one in instance["messages"])
            request = ChatRequest(said, Options(system=instance["context"], **options))
            instance = {
                k: v for k, v in instance.items() if k != "examples"
            }  # no neutral form; extra can give them
        else:
            text = instance.get("content", instance.get("prefix"))
            request = CompletionRequest(text, Options(**options))
            instance = {"prompt": text} if "content" in instance else instance  # `prompt` is the later name
        wire = translated(jackfield_vertex, ModelRef(row["model"]), request, Capabilities()).wire
        # `maxOutputTokens` is the later name of `maxDecodeSteps`.
        assert wire.body == {"instances": [instance], "parameters": {**parameters, "maxOutputTokens": most}}
        count += 1
    assert counted(count) == 6
