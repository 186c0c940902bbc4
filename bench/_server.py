"""A loopback service with prepared answers, in a process of its own.

It speaks just enough HTTP/1.1 for the clients that are measured, and does next to nothing for each request, so that
what a client costs is not hidden behind what the service costs. The first part of the path chooses the answer:

    /whole/v1/chat/completions     one JSON body
    /bulk/v1/chat/completions      5,000 server-sent events as fast as they go
    /paced/v1/chat/completions     server-sent events, one each 0.5 ms
    /first/v1/chat/completions     head and first text at once, the rest 2 ms later
    /base64/v1/embeddings          64 vectors of 1,536 numbers, as base64 whatever is asked for
    /floats/v1/embeddings          the same as JSON numbers
    /model/ID/converse             one JSON body of Amazon Bedrock

Prints its port.
"""

from __future__ import annotations

import array
import asyncio
import base64
import json
import random

BULK_EVENTS = 5000
PACED_EVENTS = 400
PACE = 0.0005
VECTORS, DIMENSIONS = 64, 1536
MODEL = "gpt-5-mini-2025-08-07"
WORDS = [
    "The",
    " sky",
    " looks",
    " blue",
    " because",
    " air",
    " scatters",
    " short",
    " waves",
    " most",
    ".\n",
]
USAGE = {
    "prompt_tokens": 25,
    "completion_tokens": 40,
    "total_tokens": 65,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def _head(content_type: str, length: int | None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
        f"Content-Type: {content_type}\r\n{framing}\r\nConnection: keep-alive\r\n"
        "openai-processing-ms: 412\r\nopenai-version: 2020-10-01\r\nx-request-id: req_0123456789abcdef\r\n"
        "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
        "Strict-Transport-Security: max-age=31536000\r\nServer: bench\r\n\r\n"
    ).encode()


def _whole(value: object) -> bytes:
    body = json.dumps(value, separators=(",", ":")).encode()
    return _head("application/json", len(body)) + body


def _answer() -> bytes:
    message = {"role": "assistant", "content": "".join(WORDS) * 4, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _whole(
        {
            "id": "chatcmpl-0123456789abcdefghijklmnopqr",
            "object": "chat.completion",
            "created": 1795348800,
            "model": MODEL,
            "choices": [choice],
            "usage": USAGE,
            "service_tier": "default",
            "system_fingerprint": None,
        }
    )


def _converse() -> bytes:
    message = {"role": "assistant", "content": [{"text": "".join(WORDS) * 4}]}
    usage = {"inputTokens": 25, "outputTokens": 40, "totalTokens": 65}
    usage |= {"cacheReadInputTokens": 0, "cacheWriteInputTokens": 0}
    return _whole(
        {
            "metrics": {"latencyMs": 412},
            "output": {"message": message},
            "stopReason": "end_turn",
            "usage": usage,
        }
    )


def _events(count: int) -> list[bytes]:
    """Make the events of a stream: the role, `count` pieces of text, the finish reason, the usage, the end."""

    def chunk(choices: list[object], usage: object = None) -> bytes:
        event = {
            "id": "chatcmpl-0123456789abcdefghijklmnopqr",
            "object": "chat.completion.chunk",
            "created": 1795348800,
            "model": MODEL,
            "service_tier": "default",
            "system_fingerprint": None,
            "choices": choices,
            "usage": usage,
            "obfuscation": "a1B2c3D4",
        }
        return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"

    def choice(delta: object, reason: str | None = None) -> list[object]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    texts = [chunk(choice({"content": WORDS[i % len(WORDS)]})) for i in range(count)]
    first = chunk(choice({"role": "assistant", "content": "", "refusal": None}))
    return [first, *texts, chunk(choice({}, "stop")), chunk([], USAGE), b"data: [DONE]\n\n"]


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _embeddings(*, as_text: bool) -> bytes:
    source = random.Random(7)
    vectors = [array.array("f", (source.gauss(0, 0.03) for _ in range(DIMENSIONS))) for _ in range(VECTORS)]
    return _whole(
        {
            "object": "list",
            "data": [
                {
                    "object": "embedding",
                    "index": index,
                    "embedding": base64.b64encode(vector.tobytes()).decode() if as_text else vector.tolist(),
                }
                for index, vector in enumerate(vectors)
            ],
            "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 512, "total_tokens": 512},
        }
    )


STREAM_HEAD = _head("text/event-stream; charset=utf-8", None)
END = b"0\r\n\r\n"
WHOLE = {
    b"/whole/": _answer(),
    # One HTTP chunk an event, as model servers write them.
    b"/bulk/v": STREAM_HEAD + b"".join(map(_piece, _events(BULK_EVENTS))) + END,
    b"/base64": _embeddings(as_text=True),
    b"/floats": _embeddings(as_text=False),
    b"/model/": _converse(),
}
PACED = list(map(_piece, _events(PACED_EVENTS)))
_short = list(map(_piece, _events(20)))
FIRST, AFTER_FIRST = STREAM_HEAD + b"".join(_short[:2]), b"".join(_short[2:]) + END


class Service(asyncio.Protocol):
    """Answers requests, one after another."""

    def __init__(self) -> None:
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, blank, body = self.received.partition(b"\r\n\r\n")
        if not blank:
            return
        length = next(
            int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"
        )
        if len(body) < length:
            return
        self.received = body[length:]
        self.answer(head.split(b" ", 2)[1])

    def answer(self, path: bytes) -> None:
        prepared = WHOLE.get(path[:7])
        if prepared is not None:
            self.transport.write(prepared)
        elif path.startswith(b"/first/"):
            self.transport.write(FIRST)
            asyncio.get_running_loop().call_later(0.002, self.transport.write, AFTER_FIRST)
        else:
            self.transport.write(STREAM_HEAD)
            self.pace(0, asyncio.get_running_loop().time())

    def pace(self, index: int, due: float) -> None:
        if self.transport.is_closing():
            return
        if index == len(PACED):
            self.transport.write(END)
            return
        self.transport.write(PACED[index])
        due += PACE
        # Held to the schedule of the whole, but never in bursts: a late event moves those after it.
        loop = asyncio.get_running_loop()
        due = max(due, loop.time() + PACE / 2)
        loop.call_at(due, self.pace, index + 1, due)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Service, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
