"""The conformance kit over our samples. The samples are written by us from the documented formats."""

import json

from sagemaker_endpoints import EVENTS, MODE, enveloped

import jackfield_sagemaker
from jackfield import (
    ContextLengthExceededError,
    InvalidRequestError,
    Message,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    Secret,
    ServerError,
    TimeoutError,
    Tool,
)
from jackfield.plugin import ChatRequest, EmbedRequest, Options
from jackfield.testing import Case, conformance
from jackfield_aws import AwsCredentials, AwsIdentity

SKY = "The sky scätters blue 🌤 light."
ADD = Tool(
    "add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
)
NOW = Tool("now", "Say the time.")
CALLS = (("add", {"a": 1, "b": 2}), ("now", {}))
TEMPLATE = {
    "body": {"q": {"turns": "{{messages}}"}, "cfg": {"len": "{{max_tokens}}", "t": "{{temperature}}"}},
    "text": "out[*].say", "finish": "out[*].why", "finish_map": {"done": "stop"}, "input_tokens": "n.i", "output_tokens": "n.o",
    "stream": {"framing": "jsonlines", "text": "say", "finish": "why"},
}  # fmt: skip


def case(mode, wire, underlying=None, declared=None, headers=None, **facts):
    body = wire if isinstance(wire, bytes) else json.dumps(wire, ensure_ascii=False).encode()
    entry = {"id": "my-endpoint", "mode": mode, **(declared or {})}
    return Case(
        model="my-endpoint", underlying=underlying or MODE.get(mode), declared=entry, wire=body, headers=headers or {},
        name=facts.pop("name", f"{mode} {facts}"), **facts,
    )  # fmt: skip


def streamed(mode, body, inner, **facts):
    """A stream: the container's bytes, cut after every seven, in SageMaker's envelope."""
    data = body if isinstance(body, bytes) else body.encode()
    headers = {"x-amzn-sagemaker-content-type": inner}
    return case(mode, enveloped(data), headers=headers, content_type=EVENTS, **facts)


def lines(*items):
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def events(*items):
    return "".join(f"data:{json.dumps(item, ensure_ascii=False)}\n\n" for item in items)


TOKENS = [
    {"token": {"id": 1, "text": "The sky scätters", "log_prob": -0.1}},
    {"token": {"id": 2, "text": " blue 🌤 light.", "log_prob": -0.2}},
    {
        "token": {"id": 3, "text": "</s>", "log_prob": 0.0, "special_token": True},
        "generated_text": SKY,
        "details": {"finish_reason": "eos_token", "generated_tokens": 9, "inputs": None},
    },
]
WHOLE = {"generated_text": SKY, "details": {"finish_reason": "eos_token", "generated_tokens": 9}}
CHUNK = {"id": "c-1", "object": "chat.completion.chunk", "model": "lmi"}
ANSWER = {"id": "c-1", "object": "chat.completion", "model": "lmi"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}


def called(index=False):
    names = (("add", '{"a": 1, "b": 2}'), ("now", "{}"))
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(names)
    ]
    return [{"index": n, **call} for n, call in enumerate(calls)] if index else calls


def openai_stream(*deltas, finish="stop"):
    chunks = [{**CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    last = {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    return events(*chunks, last, {**CHUNK, "choices": [], "usage": USAGE}) + "data: [DONE]\n\n"


def openai_answer(message, finish="stop"):
    return {
        **ANSWER,
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": USAGE,
    }


def failed(original, status=400):
    text = f'Received client error ({status}) from primary with message "{original}". See https://logs for more information.'
    return {
        "Message": text,
        "OriginalMessage": original,
        "OriginalStatusCode": status,
        "LogStreamArn": "arn:aws:logs:x",
    }


IDENTITY = AwsIdentity(
    AwsCredentials(access_key_id=Secret("AKIAMADEUP"), secret_access_key=Secret("made-up-secret"))
)
MODEL_ERROR = {"x-amzn-errortype": "ModelError"}
WITH_TOOLS = [
    ChatRequest((Message("user", "1 + 2?"),), Options(tools=(ADD, NOW)), stream=stream)
    for stream in (False, True)
]


@conformance(
    jackfield_sagemaker,
    case("lmi", WHOLE, text=SKY, usage=(None, 9), finish="stop", pair="lmi"),
    case("tgi", [WHOLE], text=SKY, usage=(None, 9), finish="stop", pair="tgi"),
    streamed("lmi", lines(*TOKENS), "application/jsonlines", text=SKY, usage=(None, 9), finish="stop", pair="lmi"),
    streamed("tgi", events(*TOKENS), "text/event-stream", text=SKY, usage=(None, 9), finish="stop", pair="tgi"),
    case("llama", [{"generated_text": SKY}], text=SKY, finish="other"),
    case("llama", [{"generated_text": SKY}], "llama-1", kind="completion", text=SKY, finish="other"),
    streamed("llama", lines(*TOKENS), "application/jsonlines", kind="completion", text=SKY, finish="stop"),
    case("llama-dialogs", [{"generation": {"role": "assistant", "content": SKY}}], text=SKY),
    case(
        "jurassic2",
        {"id": 1, "prompt": {}, "completions": [{"data": {"text": SKY, "tokens": []}, "finishReason": {"reason": "endoftext"}}]},
        kind="completion", text=SKY, finish="stop",
    ),
    case("jurassic2-summarize", {"summary": SKY}, kind="summarization", text=SKY),
    case("summarization", [{"summary_text": SKY}], kind="summarization", text=SKY),
    case("summarization-jumpstart", {"summary_text": SKY}, kind="summarization", text=SKY),
    case("text2text", {"generated_texts": [SKY]}, kind="completion", text=SKY),
    case("claude", {"completion": SKY, "stop_reason": "stop_sequence", "stop": "\n\nHuman:"}, text=SKY, finish="stop"),
    case("cohere-command", {"generations": [{"text": SKY, "finish_reason": "COMPLETE"}]}, text=SKY, finish="stop", kind="completion", pair="command"),
    streamed(
        "cohere-command",
        '{"text":"The sky scätters","index":0,"is_finished":false}{"text":" blue 🌤 light.","index":0,"is_finished":false}'
        '{"is_finished":true,"finish_reason":"COMPLETE"}',
        "application/json", kind="completion", text=SKY, finish="stop", pair="command",
    ),
    case("cohere-chat", {"text": SKY, "generation_id": "g", "finish_reason": "COMPLETE", "meta": {}}, text=SKY, finish="stop"),
    case(
        "cohere-embed", {"embeddings": {"float": [[0.5, -0.25]]}}, kind="embedding", embedding=[[0.5, -0.25]],
        request=EmbedRequest(inputs=("a",), input_type="query"),
    ),
    case("openai", openai_answer({"content": SKY}), text=SKY, usage=(9, 7), finish="stop", pair="openai"),
    streamed("openai", openai_stream({"role": "assistant", "content": "The sky scätters"}, {"content": " blue 🌤 light."}), "text/event-stream", text=SKY, usage=(9, 7), finish="stop", pair="openai"),
    case("openai", openai_answer({"content": None, "tool_calls": called()}, "tool_calls"), request=WITH_TOOLS[0], tool_calls=CALLS, finish="tool_calls", pair="add"),
    streamed("openai", openai_stream({"role": "assistant", "tool_calls": called(index=True)}, finish="tool_calls"), "text/event-stream", request=WITH_TOOLS[1], tool_calls=CALLS, finish="tool_calls", pair="add"),
    case("embedding", [[0.5, -0.25]], kind="embedding", embedding=[[0.5, -0.25]]),
    case("embedding", [[[[0.25, 0.0], [0.75, -0.5]]]], kind="embedding", embedding=[[0.5, -0.25]], name="vectors of tokens"),
    case("embedding-jumpstart", {"embedding": [[0.5, -0.25]]}, kind="embedding", embedding=[[0.5, -0.25]]),
    case("template", {"out": [{"say": SKY, "why": "done"}], "n": {"i": 3, "o": 4}}, declared={"template": TEMPLATE}, text=SKY, usage=(3, 4), finish="stop", pair="template"),
    streamed("template", lines({"say": "The sky scätters"}, {"say": " blue 🌤 light."}, {"why": "done", "n": {"i": 3, "o": 4}}), "application/jsonlines", declared={"template": TEMPLATE}, text=SKY, usage=(3, 4), finish="stop", pair="template"),
    case(
        "template", [{"v": [0.5, -0.25]}], kind="embedding", embedding=[[0.5, -0.25]],
        declared={"template": {"body": {"in": "{{texts}}"}, "embeddings": "[*].v"}},
    ),
    Case(
        kind="listing", wire=json.dumps({"Endpoints": [{"EndpointName": "one"}, {"EndpointName": "two"}]}).encode(),
        models=("one", "two"),
    ),
    case("lmi", {"Message": "Endpoint x of account 1 not found."}, status=400, headers={"x-amzn-errortype": "ValidationError"}, error=NotFoundError),
    case("lmi", failed('{"code":400,"message":"no engine"}'), status=424, headers=MODEL_ERROR, error=InvalidRequestError),
    case("tgi", failed('{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096","error_type":"validation"}', 422), status=424, headers=MODEL_ERROR, error=ContextLengthExceededError),
    case("tgi", failed('{"error":"Model is overloaded","error_type":"overloaded"}', 429), status=424, headers=MODEL_ERROR, error=RateLimitError),
    case("lmi", {"Message": "Wait."}, status=429, headers={"x-amzn-errortype": "ModelNotReadyException"}, error=OverloadedError),
    case("lmi", {"Message": "Invocation timed out while waiting for a response from container primary."}, status=424, headers=MODEL_ERROR, error=TimeoutError),
    case("lmi", {"Message": "An internal failure occurred."}, status=500, headers={"x-amzn-errortype": "InternalFailure"}, error=ServerError),
    streamed("lmi", lines(TOKENS[0], {"token": {"id": -1, "text": "", "special_token": True}, "generated_text": "", "details": {"finish_reason": "error"}}), "application/jsonlines", error=ServerError),
    settings={"region": "eu-central-1", "control_url": "http://127.0.0.1:1", "credentials": IDENTITY},
)  # fmt: skip
def test_conformance(check):
    check()
