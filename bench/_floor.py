"""The floor: what one writes by hand with aiohttp and orjson for one service.

It does this and no more: one session without a limit on connections; timeouts of 600 s in total, 10 s for a connection and
120 s between two reads; up to three attempts, with pauses, if the connection fails or the status is 408, 409, 429, 500, 502,
503 or 504; a body that is built as a dict and serialized by orjson; an answer that is parsed by orjson into a small object
with slots (text, id, model, finish reason, four token counts); a stream that is an async generator of such objects, and an
error if it was cut. `_subjects.BareSubject` is aiohttp and orjson without even that.

This file is also the yardstick of `first answer of a fresh process`, so it imports what it needs and nothing else.
"""

from __future__ import annotations

import asyncio
import random
from array import array
from base64 import b64decode
from collections.abc import AsyncIterator

import aiohttp
import orjson

MODEL = "gpt-5-mini"
RETRYABLE = {408, 409, 429, 500, 502, 503, 504}


class Usage:
    __slots__ = ("cached", "input", "output", "reasoning")

    def __init__(self, wire: dict) -> None:
        self.input = wire["prompt_tokens"]
        self.output = wire.get("completion_tokens")
        self.cached = (wire.get("prompt_tokens_details") or {}).get("cached_tokens")
        self.reasoning = (wire.get("completion_tokens_details") or {}).get("reasoning_tokens")


class Answer:
    __slots__ = ("finish", "id", "model", "text", "usage")

    def __init__(self, id: str, model: str, text: str, finish: str, usage: Usage) -> None:
        self.id = id
        self.model = model
        self.text = text
        self.finish = finish
        self.usage = usage


class TextEvent:
    __slots__ = ("choice", "text")

    def __init__(self, text: str, choice: int) -> None:
        self.text = text
        self.choice = choice


class FinishEvent:
    __slots__ = ("choice", "reason")

    def __init__(self, reason: str, choice: int) -> None:
        self.reason = reason
        self.choice = choice


class CallError(Exception):
    pass


class Floor:
    """A client for one service, by hand."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.headers = {"Authorization": "Bearer sk-none", "Content-Type": "application/json"}
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=600, sock_connect=10, sock_read=120),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def close(self) -> None:
        await self.session.close()

    async def post(self, path: str, body: dict) -> bytes:
        data = orjson.dumps(body)
        for attempt in range(3):
            try:
                async with self.session.post(self.base + path, data=data, headers=self.headers) as response:
                    content = await response.read()
                    if response.status == 200:
                        return content
                    if response.status not in RETRYABLE:
                        raise CallError(response.status, content)
            except (aiohttp.ClientError, TimeoutError):
                if attempt == 2:
                    raise
            await asyncio.sleep(random.uniform(0.25, 0.5) * 2**attempt)
        raise CallError("no answer after three attempts")

    async def chat(self, base: str, messages: list, max_tokens: int) -> Answer:
        wire = {"model": MODEL, "messages": messages, "max_completion_tokens": max_tokens}
        answer = orjson.loads(await self.post(base + "/v1/chat/completions", wire))
        choice = answer["choices"][0]
        return Answer(
            answer["id"],
            answer["model"],
            choice["message"]["content"],
            choice["finish_reason"],
            Usage(answer["usage"]),
        )

    async def converse(self, model: str, messages: list, max_tokens: int) -> Answer:
        """One chat in the form of Amazon Bedrock, without a signature."""
        wire = {
            "messages": [{"role": "user", "content": [{"text": messages[1]["content"]}]}],
            "system": [{"text": messages[0]["content"]}],
            "inferenceConfig": {"maxTokens": max_tokens},
        }
        answer = orjson.loads(await self.post(f"/model/{model}/converse", wire))
        text = "".join(block["text"] for block in answer["output"]["message"]["content"] if "text" in block)
        told = answer["usage"]
        usage = {"prompt_tokens": told["inputTokens"], "completion_tokens": told["outputTokens"]}
        return Answer("", model, text, answer["stopReason"], Usage(usage))

    async def stream(  # noqa: C901 -- one would write it so
        self, base: str, messages: list, max_tokens: int
    ) -> AsyncIterator[TextEvent | FinishEvent | Usage]:
        wire = {
            "model": MODEL,
            "messages": messages,
            "max_completion_tokens": max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        data = orjson.dumps(wire)
        url = self.base + base + "/v1/chat/completions"
        for attempt in range(3):
            begun = False
            try:
                async with self.session.post(url, data=data, headers=self.headers) as response:
                    if response.status != 200:
                        content = await response.read()
                        if response.status not in RETRYABLE:
                            raise CallError(response.status, content)
                        continue
                    rest = b""
                    async for piece in response.content.iter_any():
                        blocks = (rest + piece).split(b"\n\n")
                        rest = blocks.pop()
                        for block in blocks:
                            payload = block.removeprefix(b"data: ")
                            if payload == b"[DONE]":
                                return
                            begun = True
                            event = orjson.loads(payload)
                            for choice in event["choices"]:
                                text = choice["delta"].get("content")
                                if text:
                                    yield TextEvent(text, choice["index"])
                                if choice["finish_reason"]:
                                    yield FinishEvent(choice["finish_reason"], choice["index"])
                            if event.get("usage"):
                                yield Usage(event["usage"])
                    raise CallError("the stream was cut")
            except (aiohttp.ClientError, TimeoutError):
                if begun or attempt == 2:
                    raise
            await asyncio.sleep(random.uniform(0.25, 0.5) * 2**attempt)

    async def embed(self, base: str, texts: list[str]) -> tuple[list[array[float]], Usage]:
        wire = {"model": "text-embedding-3-small", "input": texts, "encoding_format": "base64"}
        answer = orjson.loads(await self.post(base + "/v1/embeddings", wire))
        vectors = [
            array("f", b64decode(entry["embedding"]) if base == "/base64" else entry["embedding"])
            for entry in answer["data"]
        ]
        return vectors, Usage(answer["usage"])
