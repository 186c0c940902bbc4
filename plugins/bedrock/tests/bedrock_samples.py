"""Answers of Bedrock, written by us from the documented formats (see the plugin's sources); nothing is copied."""

import base64
import json

from jackfield.testing import encode_aws_event

EVENT_STREAM = "application/vnd.amazon.eventstream"
SKY, THOUGHT = "The sky scätters blue 🌤 light.", "Rayleigh, of course."
USAGE = {
    "inputTokens": 6,
    "outputTokens": 12,
    "totalTokens": 31,
    "cacheReadInputTokens": 13,
    "cacheWriteInputTokens": 0,
}
METRICS = {"inputTokenCount": 9, "outputTokenCount": 7, "invocationLatency": 300, "firstByteLatency": 100}


def stream(*events):
    """Frame events `(name, payload)` of ConverseStream."""
    return b"".join(
        encode_aws_event(
            {":event-type": name, ":content-type": "application/json", ":message-type": "event"},
            json.dumps({**payload, "p": "abcdefgh"}).encode(),
        )
        for name, payload in events
    )


def chunks(*natives):
    """Frame native objects of InvokeModelWithResponseStream."""
    return stream(
        *(("chunk", {"bytes": base64.b64encode(json.dumps(native).encode()).decode()}) for native in natives)
    )


def exception(name, message, **more):
    """Frame an exception inside a stream."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return encode_aws_event(headers, json.dumps({"message": message, **more}).encode())


def delta(index, **told):
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": told}


def stop(index):
    return "contentBlockStop", {"contentBlockIndex": index}


def ended(reason, usage=USAGE, **more):
    return ("messageStop", {"stopReason": reason}), (
        "metadata",
        {"usage": usage, "metrics": {"latencyMs": 9}, **more},
    )


def whole(content, reason="end_turn", usage=USAGE, **more):
    """Make a whole answer of Converse."""
    answer = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason}
    return json.dumps({**answer, "usage": usage, "metrics": {"latencyMs": 9}, **more}).encode()


BEGUN = ("messageStart", {"role": "assistant"})

CHAT = whole([{"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": "c2ln"}}}, {"text": SKY}])
CHAT_STREAM = stream(
    BEGUN,
    delta(0, reasoningContent={"text": THOUGHT[:9]}),
    delta(0, reasoningContent={"text": THOUGHT[9:]}),
    delta(0, reasoningContent={"signature": "c2ln"}),
    stop(0),
    delta(1, text=SKY[:13]),
    delta(1, text=SKY[13:]),
    stop(1),
    *ended("end_turn"),
)
CALLS = (("add", {"a": 1, "b": 2}), ("now", {}))
TOOLS = whole(
    [
        {"text": "I look."},
        {"toolUse": {"toolUseId": "tooluse_1", "name": "add", "input": {"a": 1, "b": 2}}},
        {"toolUse": {"toolUseId": "tooluse_2", "name": "now", "input": {}}},
    ],
    "tool_use",
)
TOOLS_STREAM = stream(
    BEGUN,
    delta(0, text="I look."),
    stop(0),
    (
        "contentBlockStart",
        {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "add"}}},
    ),
    delta(1, toolUse={"input": '{"a": 1,'}),
    delta(1, toolUse={"input": ' "b": 2}'}),
    stop(1),
    (
        "contentBlockStart",
        {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "tooluse_2", "name": "now"}}},
    ),
    delta(2, toolUse={"input": ""}),
    stop(2),
    *ended("tool_use"),
)
CITATION = {
    "title": "Optics",
    "source": "https://example.com/optics",
    "sourceContent": [{"text": "Blue light is scattered most."}],
    "location": {"documentChar": {"documentIndex": 0, "start": 3, "end": 32}},
}
CITED = whole([{"citationsContent": {"content": [{"text": "It is scättered."}], "citations": [CITATION]}}])
CITED_STREAM = stream(
    BEGUN, delta(0, text="It is scättered."), delta(0, citation=CITATION), stop(0), *ended("end_turn")
)
JSON = whole([{"text": '{"name":"Åre"}'}])
JSON_BY_TOOL = whole(
    [{"toolUse": {"toolUseId": "tooluse_1", "name": "answer_in_json", "input": {"name": "Åre"}}}], "tool_use"
)
JSON_BY_TOOL_STREAM = stream(
    BEGUN,
    (
        "contentBlockStart",
        {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "answer_in_json"}}},
    ),
    delta(0, toolUse={"input": '{"name":'}),
    delta(0, toolUse={"input": '"Åre"}'}),
    stop(0),
    *ended("tool_use"),
)
BLOCKING = {"inputAssessment": {"g": {"wordPolicy": {"customWords": [{"match": "x", "action": "BLOCKED"}]}}}}
MASKING = {
    "outputAssessments": {
        "g": [{"sensitiveInformationPolicy": {"piiEntities": [{"type": "NAME", "action": "ANONYMIZED"}]}}]
    }
}
NOTHING = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
BLOCKED = whole([{"text": "Not here."}], "guardrail_intervened", NOTHING, trace={"guardrail": BLOCKING})
BLOCKED_STREAM = stream(
    BEGUN,
    delta(0, text="Not here."),
    stop(0),
    *ended("guardrail_intervened", NOTHING, trace={"guardrail": BLOCKING}),
)
MASKED = whole([{"text": "{NAME} is blue."}], "guardrail_intervened", trace={"guardrail": MASKING})
COUNT = b'{"inputTokens": 14}'


def claude(reason="end_turn", **more):
    """Make a whole answer of Claude's messages."""
    usage = {"input_tokens": 9, "output_tokens": 7}
    message = {
        "id": "msg_bdrk_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        **more,
    }
    content = [{"type": "text", "text": "Because of scättered light."}]
    return json.dumps(
        {**message, "content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}
    ).encode()


CLAUDE = claude()
CLAUDE_STREAM = chunks(
    {
        "type": "message_start",
        "message": {
            "id": "msg_bdrk_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Because of "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "scättered light."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS},
)  # fmt: skip

LIGHT = " Because of light."
COUNTED = {"x-amzn-bedrock-input-token-count": "9", "x-amzn-bedrock-output-token-count": "7"}

# A text completion of each maker: whole, and streamed where that is possible.
TEXTS = {
    "anthropic.claude-v2:1": (
        {"type": "completion", "completion": LIGHT, "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
        (
            {"type": "completion", "completion": LIGHT[:9], "stop_reason": None, "stop": None},
            {"type": "completion", "completion": LIGHT[9:], "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
        ),
    ),
    "ai21.j2-mid-v1": (
        {
            "id": 1234,
            "prompt": {"text": "Why?", "tokens": []},
            "completions": [{"data": {"text": LIGHT, "tokens": []}, "finishReason": {"reason": "endoftext"}}],
        },
        None,
    ),
    "cohere.command-text-v14": (
        {"generations": [{"finish_reason": "COMPLETE", "id": "g", "text": LIGHT}], "id": "i", "prompt": "Why?"},
        (
            {"index": 0, "is_finished": False, "text": LIGHT[:9]},
            {"index": 0, "is_finished": False, "text": LIGHT[9:]},
            {"finish_reason": "COMPLETE", "index": 0, "is_finished": True},
        ),
    ),
    "amazon.titan-text-express-v1": (
        {
            "inputTextTokenCount": 9,
            "results": [{"tokenCount": 7, "outputText": LIGHT, "completionReason": "FINISH"}],
        },
        (
            {"index": 0, "inputTextTokenCount": 9, "outputText": LIGHT[:9], "completionReason": None},
            {
                "index": 0, "inputTextTokenCount": 9, "totalOutputTextTokenCount": 7, "outputText": LIGHT[9:],
                "completionReason": "FINISH",
            },
        ),
    ),
    "mistral.mistral-7b-instruct-v0:2": (
        {"outputs": [{"text": LIGHT, "stop_reason": "stop"}]},
        (
            {"outputs": [{"text": LIGHT[:9], "stop_reason": None}]},
            {"outputs": [{"text": LIGHT[9:], "stop_reason": "stop"}]},
        ),
    ),
    "meta.llama3-8b-instruct-v1:0": (
        {"generation": LIGHT, "prompt_token_count": 9, "generation_token_count": 7, "stop_reason": "stop"},
        (
            {"generation": LIGHT[:9], "prompt_token_count": 9, "generation_token_count": 3, "stop_reason": None},
            {"generation": LIGHT[9:], "prompt_token_count": None, "generation_token_count": 7, "stop_reason": "stop"},
        ),
    ),
}  # fmt: skip
COMMAND_R = {
    "response_id": "r", "text": LIGHT, "generation_id": "g", "finish_reason": "COMPLETE",
    "chat_history": [{"role": "USER", "message": "Why?"}, {"role": "CHATBOT", "message": LIGHT}],
}  # fmt: skip
COMMAND_R_STREAM = chunks(
    {"is_finished": False, "event_type": "stream-start", "generation_id": "g"},
    {"is_finished": False, "event_type": "text-generation", "text": LIGHT[:9]},
    {"is_finished": False, "event_type": "text-generation", "text": LIGHT[9:]},
    {
        "is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": COMMAND_R,
        "amazon-bedrock-invocationMetrics": METRICS,
    },
)  # fmt: skip
MISTRAL_CHAT = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": LIGHT}, "stop_reason": "stop"}]
}
MISTRAL_CHAT_STREAM = chunks(
    {"choices": [{"index": 0, "message": {"role": "assistant", "content": LIGHT[:9]}, "stop_reason": None}]},
    {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": LIGHT[9:]}, "stop_reason": "stop"}
        ],
        "amazon-bedrock-invocationMetrics": METRICS,
    },
)
JAMBA = {
    "id": "chatcmpl-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": LIGHT}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16},
}


def text_stream(natives):
    """Frame pieces of a text completion; the last has the metrics."""
    return chunks(*natives[:-1], {**natives[-1], "amazon-bedrock-invocationMetrics": METRICS})


def dumps(value):
    return json.dumps(value).encode()
