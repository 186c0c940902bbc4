"""The conformance kit over our samples."""

from bedrock_samples import (
    BLOCKED,
    BLOCKED_STREAM,
    CALLS,
    CHAT,
    CHAT_STREAM,
    CITED,
    CITED_STREAM,
    CLAUDE,
    CLAUDE_STREAM,
    COMMAND_R,
    COMMAND_R_STREAM,
    COUNT,
    COUNTED,
    EVENT_STREAM,
    JAMBA,
    JSON,
    JSON_BY_TOOL,
    JSON_BY_TOOL_STREAM,
    LIGHT,
    MASKED,
    MISTRAL_CHAT,
    MISTRAL_CHAT_STREAM,
    SKY,
    TEXTS,
    THOUGHT,
    TOOLS,
    TOOLS_STREAM,
    delta,
    dumps,
    exception,
    stream,
    text_stream,
)

import jackfield_bedrock
from jackfield import (
    AuthenticationError,
    ContentFilteredError,
    ContextLengthExceededError,
    Document,
    Image,
    InvalidRequestError,
    Message,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    Reasoning,
    ServerError,
    Text,
    TimeoutError,
    Tool,
    Usage,
)
from jackfield.plugin import ChatRequest, EmbedRequest, Options
from jackfield.testing import Case, conformance

NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
ADD, NOW = Tool("add", "Add.", NUMBERS), Tool("now", "Say the time.")
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
SHOWN = (
    Message(
        "user",
        (
            Text("What?", cache="5m"),
            Image(data=b"png", media_type="image/png"),
            Document(data=b"%PDF-", media_type="application/pdf", name="a", citations=True),
        ),
    ),
)
ASKED = (Message("user", "What is 1 + 2?"),)
USED = Usage(19, 12, 13, 0)
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
TITAN, OLD, NOVA = (
    "amazon.titan-text-express-v1",
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "us.amazon.nova-2-lite-v1:0",
)
INVOKE = {"route": "invoke"}


def asked(*, stream=False, messages=ASKED, **options):
    return ChatRequest(messages, Options(**options), stream=stream)


def both(pair, whole, streamed, **case):
    """Return the cases of one answer, whole and streamed."""
    request = case.pop("request", {})
    yield Case(wire=whole, pair=pair, name=f"{pair}, whole", request=asked(**request), **case)
    yield Case(
        wire=streamed, content_type=EVENT_STREAM, pair=pair, name=f"{pair}, streamed",
        request=asked(stream=True, **request), **case,
    )  # fmt: skip


def texts():
    """Return a text completion of each maker, whole and streamed."""
    for model, (whole, pieces) in TEXTS.items():
        case = {
            "model": model,
            "kind": "completion",
            "text": LIGHT,
            "finish": "stop",
            "usage": (9, 7),
            "pair": model,
        }
        yield Case(wire=dumps(whole), headers=COUNTED, name=f"{model}, whole", **case)
        if pieces is not None:
            yield Case(wire=text_stream(pieces), content_type=EVENT_STREAM, name=f"{model}, streamed", **case)


def refusal(status, name, message, error, model=MODEL):
    """Return a refusal as the service words it."""
    head = (
        {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"} if name else {}
    )
    return Case(
        model=model, wire=dumps({"message": message}), status=status, headers=head, error=error, name=message
    )


def broken(name, error, **more):
    """Return a stream that breaks with an exception."""
    wire = stream(("messageStart", {"role": "assistant"}), delta(0, text="The")) + exception(
        name, "No.", **more
    )
    return Case(
        model=MODEL, wire=wire, content_type=EVENT_STREAM, error=error, name=name, request=asked(stream=True)
    )


@conformance(
    jackfield_bedrock,
    *both(
        "sky", CHAT, CHAT_STREAM, model=MODEL, text=SKY, thinking=THOUGHT, usage=USED, finish="stop",
        request={
            "messages": SHOWN, "system": "Be brief.", "max_tokens": 3000, "reasoning": Reasoning(budget_tokens=1024),
        },
    ),
    *both(
        "add", TOOLS, TOOLS_STREAM, model=MODEL, text="I look.", tool_calls=CALLS, finish="tool_calls",
        request={"tools": (ADD, NOW), "tool_choice": "required"}, shows=("parallel_tool_calls",),
    ),
    *both("cited", CITED, CITED_STREAM, model=MODEL, text="It is scättered.", finish="stop", shows=("citations",)),
    *both(
        "json", JSON_BY_TOOL, JSON_BY_TOOL_STREAM, model=MODEL, finish="stop", request={"response_format": "json"},
    ),
    Case(model=MODEL, wire=JSON, text='{"name":"Åre"}', request=asked(response_format=SCHEMA), finish="stop"),
    Case(model=OLD, wire=JSON_BY_TOOL, request=asked(response_format=SCHEMA), finish="stop", name="schema by a tool"),
    *both("nova", CHAT, CHAT_STREAM, model=NOVA, text=SKY, request={"reasoning": Reasoning("low")}),
    Case(model="arn:aws:bedrock:eu-central-1:123456789012:provisioned-model/abc", wire=CHAT, text=SKY),
    Case(model="qwen.qwen3-32b-v1:0", wire=CHAT, text=SKY, request=asked(reasoning=Reasoning("high"), top_k=5)),
    Case(model=MODEL, kind="count", wire=COUNT, count=14),
    *both("claude", CLAUDE, CLAUDE_STREAM, model=MODEL, declared=INVOKE, text="Because of scättered light.",
          usage=(9, 7), finish="stop"),
    *both("old claude by messages", CLAUDE, CLAUDE_STREAM, model="anthropic.claude-v2:1", always=("anthropic_version",),
          declared={"route": "messages"}, text="Because of scättered light.", usage=(9, 7), finish="stop"),
    *both("command r", dumps(COMMAND_R), COMMAND_R_STREAM, model="cohere.command-r-v1:0", declared=INVOKE, text=LIGHT,
          finish="stop"),
    *both("mistral chat", dumps(MISTRAL_CHAT), MISTRAL_CHAT_STREAM, model="mistral.mistral-large-2402-v1:0",
          declared=INVOKE, text=LIGHT, finish="stop"),
    Case(model="ai21.jamba-1-5-mini-v1:0", wire=dumps(JAMBA), declared=INVOKE, text=LIGHT, usage=(9, 7), finish="stop"),
    Case(model="openai.gpt-oss-20b", wire=dumps(JAMBA), text=LIGHT, usage=(9, 7), finish="stop"),
    *texts(),
    Case(model=TITAN, wire=CHAT, text=SKY, name="Titan by Converse"),
    Case(
        model="amazon.titan-embed-text-v2:0", kind="embedding", embedding=[[0.5, -0.25]], usage=(3, None),
        wire=dumps({"embedding": [0.5, -0.25], "inputTextTokenCount": 3, "embeddingsByType": {"float": [0.5, -0.25]}}),
        request=EmbedRequest(inputs=("a",), dimensions=256),
    ),
    Case(
        model="cohere.embed-english-v3", kind="embedding", embedding=[[0.5, -0.25], [1.0, 0.0]], usage=(9, 7),
        wire=dumps({"id": "e", "embeddings": [[0.5, -0.25], [1.0, 0.0]], "response_type": "embeddings_floats"}),
        headers=COUNTED, request=EmbedRequest(inputs=("a", "b"), input_type="query"),
    ),
    Case(
        model="cohere.embed-v4:0", kind="embedding", embedding=[[0.5, -0.25]], headers=COUNTED,
        wire=dumps({"id": "e", "embeddings": {"float": [[0.5, -0.25]]}, "response_type": "embeddings_by_type"}),
        request=EmbedRequest(inputs=("a",), dimensions=256),
    ),
    Case(
        model="amazon.nova-2-multimodal-embeddings-v1:0", kind="embedding", always=("taskType",), embedding=[[0.5, -0.25]],
        wire=dumps({"embeddings": [{"embedding": [0.5, -0.25], "embeddingType": "TEXT"}]}), headers=COUNTED,
    ),
    Case(model=MODEL, wire=BLOCKED, error=ContentFilteredError, name="blocked"),
    Case(model=MODEL, wire=BLOCKED_STREAM, content_type=EVENT_STREAM, error=ContentFilteredError, name="blocked stream"),
    Case(model=MODEL, wire=MASKED, text="{NAME} is blue.", finish="content_filter", name="masked"),
    broken("throttlingException", RateLimitError),
    broken("internalServerException", ServerError),
    broken("serviceUnavailableException", OverloadedError),
    broken("validationException", InvalidRequestError),
    broken("modelTimeoutException", TimeoutError),
    broken("modelStreamErrorException", ServerError, originalStatusCode=500),
    refusal(400, "ValidationException", "Input is too long for requested model.", ContextLengthExceededError),
    refusal(400, "ValidationException", "The provided model identifier is invalid.", NotFoundError),
    refusal(400, "ValidationException", "Operation not allowed", PermissionDeniedError),
    refusal(400, "ServiceQuotaExceededException", "Your request exceeds a quota.", QuotaExceededError),
    refusal(400, None, "Malformed input request: #: extraneous key [k] is not permitted", InvalidRequestError),
    refusal(403, "AccessDeniedException", "You don't have access to the model.", PermissionDeniedError),
    refusal(403, "ExpiredTokenException", "The security token included in the request is expired", AuthenticationError),
    refusal(403, None, "The security token included in the request is invalid.", AuthenticationError),
    refusal(403, None, "Authentication failed: Please make sure your API Key is valid.", AuthenticationError),
    refusal(400, "IncompleteSignatureException", "Authorization header requires 'Signature'.", AuthenticationError),
    refusal(400, None, "input length and `max_tokens` exceed context limit: 1 + 2 > 2", ContextLengthExceededError),
    refusal(404, "ResourceNotFoundException", "This model version has reached the end of its life.", NotFoundError),
    refusal(408, "ModelTimeoutException", "The model took too long.", TimeoutError),
    refusal(424, "ModelErrorException", "The model failed.", ServerError),
    refusal(429, "ThrottlingException", "Too many tokens, please wait before trying again.", RateLimitError),
    refusal(429, "ThrottlingException", "Too many tokens per day, please wait before trying again.", QuotaExceededError),
    refusal(429, "ModelNotReadyException", "The model is being prepared.", OverloadedError),
    refusal(503, "ServiceUnavailableException", "Try again.", OverloadedError),
    settings={"region": "eu-central-1"},
)  # fmt: skip
def test_conformance(check):
    check()
