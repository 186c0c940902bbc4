"""Jackfield as it is measured: alone, with plugins that are installed but have nothing to do, and with plugins at work."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from _work import BEDROCK_MODEL, LIMIT, MESSAGES, REGION, TEXTS

if TYPE_CHECKING:
    from jackfield import Mesh


class JackfieldSubject:
    """Jackfield with the OpenAI plugin.

    Args:
        address: The service's.
        middlewares: The settings of the middlewares around each call, by name.
        own: Middlewares of the program's own.
    """

    def __init__(
        self,
        address: str,
        *,
        middlewares: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
        own: Sequence[Any] = (),
    ) -> None:
        from jackfield import Mesh

        os.environ["BENCH_KEY"] = "sk-none"
        common = {"provider": "openai", "api_key": "env:BENCH_KEY", "middlewares": list(middlewares)}
        paths = ("whole", "bulk", "paced", "first", "base64", "floats")
        connections = {name: {**common, "base_url": f"{address}/{name}/v1"} for name in paths}
        self.mesh = Mesh.from_config(
            {"connections": connections, "middleware": {**middlewares}}, middlewares=own
        )
        self.address = address
        self.messages: list = MESSAGES
        self.cloud: Mesh | None = None

    async def open(self) -> None:
        await self.mesh.__aenter__()

    async def close(self) -> None:
        await self.mesh.__aexit__(None, None, None)
        if self.cloud is not None:
            await self.cloud.__aexit__(None, None, None)

    async def bedrock(self) -> tuple:
        """One chat with Amazon Bedrock, signed."""
        from jackfield import Mesh

        if self.cloud is None:
            keys = {"kind": "aws", "access_key_id": "env:BENCH_KEY", "secret_access_key": "env:BENCH_KEY"}
            bedrock = {
                "provider": "bedrock",
                "credentials": "aws",
                "region": REGION,
                "base_url": self.address,
            }
            mesh = Mesh.from_config({"credentials": {"aws": keys}, "connections": {"bedrock": bedrock}})
            self.cloud = await mesh.__aenter__()
        reply = await self.cloud.chat(f"bedrock:{BEDROCK_MODEL}", MESSAGES, max_tokens=LIMIT)
        return reply.text, reply.usage.output_tokens, reply.finish_reason

    async def chat(self) -> tuple:
        reply = await self.mesh.chat("whole:gpt-5-mini", self.messages, max_tokens=LIMIT)
        usage = reply.usage if reply.replay is None else reply.replay.usage
        return reply.text, usage.output_tokens, reply.finish_reason

    async def stream(self, path: str) -> tuple:
        from jackfield import TextDelta

        count = 0
        async with self.mesh.stream_chat(f"{path[1:]}:gpt-5-mini", MESSAGES, max_tokens=LIMIT) as stream:
            async for event in stream:
                if type(event) is TextDelta:
                    count += 1
        reply = stream.response
        return reply.text, reply.usage.output_tokens, reply.finish_reason

    async def first(self) -> float:
        from jackfield import TextDelta

        began, spent = time.process_time(), 0.0
        async with self.mesh.stream_chat("first:gpt-5-mini", MESSAGES, max_tokens=LIMIT) as stream:
            async for event in stream:
                if not spent and type(event) is TextDelta:
                    spent = time.process_time() - began
        return spent

    async def embed(self, path: str) -> tuple:
        reply = await self.mesh.embed(f"{path[1:]}:text-embedding-3-small", TEXTS)
        return len(reply.embeddings), len(reply.embeddings[-1]), reply.usage.input_tokens


async def let_through(call: Any, proceed: Any) -> Any:
    """Do nothing, as a middleware."""
    return await proceed(call)


class WithFile(JackfieldSubject):
    """Jackfield with a middleware that writes a file."""

    def __init__(self, address: str, name: str, **settings: object) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="bench-")
        settings["path"] = str(Path(self.folder.name) / "file")
        super().__init__(address, middlewares={name: settings})

    async def close(self) -> None:
        await super().close()
        self.folder.cleanup()


class Varied(JackfieldSubject):
    """Jackfield, asked something else each time."""

    def __init__(self, address: str, **options: Any) -> None:
        super().__init__(address, **options)
        self.asked = 0

    async def chat(self) -> tuple:
        self.asked += 1
        question = {"role": "user", "content": f"Why is the sky blue, for the {self.asked}th time?"}
        self.messages = [MESSAGES[0], question]
        return await super().chat()


class WithPersonalData(JackfieldSubject):
    """Jackfield, with an address and a number in the question, which are replaced."""

    def __init__(self, address: str) -> None:
        super().__init__(address, middlewares={"pii": {}})
        question = "Why is the sky blue? Write to jo@example.com, or call +49 30 901820."
        self.messages = [MESSAGES[0], {"role": "user", "content": question}]


class WithSDK(JackfieldSubject):
    """Jackfield with OpenTelemetry's SDK, which keeps no span and sums the metrics up."""

    def __init__(self, address: str) -> None:
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider

        trace.set_tracer_provider(TracerProvider())
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
        super().__init__(address)


_LIMITS = (
    {"name": "requests", "measure": "requests", "most": "1000000000", "window": "month"},
    {"name": "tokens", "measure": "tokens", "most": "1000000000000", "window": "day"},
    {"name": "money", "measure": "money", "most": "1000000", "currency": "USD", "window": "month"},
)
"""All of which concern each call."""

NOTHING_CONFIGURED = "everything installed, nothing configured"
WITH_SDK = "otel, with an SDK"

PLUGINS_AT_WORK = {
    NOTHING_CONFIGURED: JackfieldSubject,
    "a middleware that does nothing": partial(JackfieldSubject, own=[let_through]),
    "audit": partial(WithFile, name="audit"),
    "audit, with content": partial(WithFile, name="audit", content=True),
    "cache in memory, hit": partial(JackfieldSubject, middlewares={"cache": {}}),
    "cache in memory, miss": partial(Varied, middlewares={"cache": {}}),
    "cache in a file, hit": partial(WithFile, name="cache"),
    "limits in memory, requests and tokens": partial(
        JackfieldSubject, middlewares={"limits": {"limit": _LIMITS[:2]}}
    ),
    "limits in memory, money as well": partial(JackfieldSubject, middlewares={"limits": {"limit": _LIMITS}}),
    "pii, nothing found": partial(JackfieldSubject, middlewares={"pii": {}}),
    "pii, an address and a number found": WithPersonalData,
    WITH_SDK: WithSDK,
}
"""By what a row of the table says of them."""

VISIBLE_PLUGINS = {NOTHING_CONFIGURED: None, WITH_SDK: "openai,otel"}
"""What `JACKFIELD_PLUGINS_ALLOW` says to them, where that is not the provider alone; None lets all plugins be found."""
