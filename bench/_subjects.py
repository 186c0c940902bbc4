"""What is measured, each behind the same few methods: ours, the floor, and other libraries.

Every method does the same piece of work by the subject's own means and gives what a program would read, so that a
subject that skips something shows up as a wrong result and not as a fast one.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield import Mesh

MESSAGES = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "Why is the sky blue?"},
]
TEXTS = [f"The sky is blue for reason number {number}." for number in range(64)]
LIMIT = 300
BEDROCK_MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
REGION = "eu-central-1"


class FloorSubject:
    """aiohttp and orjson by hand."""

    def __init__(self, address: str) -> None:
        from _floor import Floor

        self.floor = Floor(address)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        await self.floor.close()

    async def chat(self) -> tuple:
        answer = await self.floor.chat("/whole", MESSAGES, LIMIT)
        return answer.text, answer.usage.output, answer.finish

    async def stream(self, path: str) -> tuple:
        from _floor import FinishEvent, TextEvent

        pieces, finish, usage = [], None, None
        async for event in self.floor.stream(path, MESSAGES, LIMIT):
            if type(event) is TextEvent:
                pieces.append(event.text)
            elif type(event) is FinishEvent:
                finish = event.reason
            else:
                usage = event
        return "".join(pieces), usage.output, finish

    async def first(self) -> float:
        from _floor import TextEvent

        began, spent = time.process_time(), 0.0
        async for event in self.floor.stream("/first", MESSAGES, LIMIT):
            if not spent and type(event) is TextEvent:
                spent = time.process_time() - began
        return spent

    async def bedrock(self) -> tuple:
        answer = await self.floor.converse(BEDROCK_MODEL.replace(":", "%3A"), MESSAGES, LIMIT)
        return answer.text, answer.usage.output, answer.finish

    async def embed(self, path: str) -> tuple:
        vectors, usage = await self.floor.embed(path, TEXTS)
        return len(vectors), len(vectors[-1]), usage.input


class JackfieldSubject:
    """Jackfield with the OpenAI plugin."""

    def __init__(self, address: str) -> None:
        from jackfield import Mesh

        common = {"provider": "openai", "api_key": "env:BENCH_KEY"}
        os.environ["BENCH_KEY"] = "sk-none"
        paths = ("whole", "bulk", "paced", "first", "base64", "floats")
        self.mesh = Mesh.from_config(
            {"connections": {name: {**common, "base_url": f"{address}/{name}/v1"} for name in paths}}
        )
        self.address = address
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
        reply = await self.mesh.chat("whole:gpt-5-mini", MESSAGES, max_tokens=LIMIT)
        return reply.text, reply.usage.output_tokens, reply.finish_reason

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


class Aioboto3Subject:
    """AWS's client as aioboto3 makes it asynchronous."""

    def __init__(self, address: str) -> None:
        import aioboto3
        from botocore.config import Config

        session = aioboto3.Session(
            aws_access_key_id="sk-none", aws_secret_access_key="sk-none", region_name=REGION
        )
        config = Config(retries={"total_max_attempts": 3}, max_pool_connections=64)
        self.made = session.client("bedrock-runtime", endpoint_url=address, config=config)

    async def open(self) -> None:
        self.client = await self.made.__aenter__()

    async def close(self) -> None:
        await self.made.__aexit__(None, None, None)

    async def bedrock(self) -> tuple:
        answer = await self.client.converse(
            modelId=BEDROCK_MODEL,
            system=[{"text": MESSAGES[0]["content"]}],
            messages=[{"role": "user", "content": [{"text": MESSAGES[1]["content"]}]}],
            inferenceConfig={"maxTokens": LIMIT},
        )
        text = "".join(block.get("text", "") for block in answer["output"]["message"]["content"])
        return text, answer["usage"]["outputTokens"], answer["stopReason"]


class OpenAISubject:
    """The official SDK."""

    def __init__(self, address: str) -> None:
        import openai

        self.clients = {
            path: openai.AsyncOpenAI(api_key="sk-none", base_url=f"{address}{path}/v1")
            for path in ("/whole", "/bulk", "/paced", "/first", "/base64", "/floats")
        }

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        for client in self.clients.values():
            await client.close()

    async def chat(self) -> tuple:
        answer = await self.clients["/whole"].chat.completions.create(
            model="gpt-5-mini", messages=MESSAGES, max_completion_tokens=LIMIT
        )
        choice = answer.choices[0]
        return choice.message.content, answer.usage.completion_tokens, choice.finish_reason

    async def _events(self, path: str) -> Any:
        return await self.clients[path].chat.completions.create(
            model="gpt-5-mini",
            messages=MESSAGES,
            max_completion_tokens=LIMIT,
            stream=True,
            stream_options={"include_usage": True},
        )

    async def stream(self, path: str) -> tuple:
        pieces, finish, usage = [], None, None
        async for event in await self._events(path):
            for choice in event.choices:
                pieces.append(choice.delta.content or "")
                finish = choice.finish_reason or finish
            usage = event.usage or usage
        return "".join(pieces), usage.completion_tokens, finish

    async def first(self) -> float:
        began, spent = time.process_time(), 0.0
        async for event in await self._events("/first"):
            if not spent and event.choices and event.choices[0].delta.content:
                spent = time.process_time() - began
        return spent

    async def embed(self, path: str) -> tuple:
        options = {} if path == "/base64" else {"encoding_format": "float"}
        answer = await self.clients[path].embeddings.create(
            model="text-embedding-3-small", input=TEXTS, **options
        )
        return len(answer.data), len(answer.data[-1].embedding), answer.usage.prompt_tokens


class LiteLLMSubject:
    """litellm's async functions."""

    def __init__(self, address: str) -> None:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm

        litellm.telemetry = False
        litellm.suppress_debug_info = True
        self.litellm = litellm
        self.address = address

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def _common(self, path: str) -> dict:
        return {"api_key": "sk-none", "api_base": f"{self.address}{path}/v1"}

    async def chat(self) -> tuple:
        answer = await self.litellm.acompletion(
            model="openai/gpt-5-mini", messages=MESSAGES, max_tokens=LIMIT, **self._common("/whole")
        )
        choice = answer.choices[0]
        return choice.message.content, answer.usage.completion_tokens, choice.finish_reason

    async def _events(self, path: str) -> Any:
        return await self.litellm.acompletion(
            model="openai/gpt-5-mini",
            messages=MESSAGES,
            max_tokens=LIMIT,
            stream=True,
            stream_options={"include_usage": True},
            **self._common(path),
        )

    async def stream(self, path: str) -> tuple:
        pieces, finish, usage = [], None, None
        async for event in await self._events(path):
            for choice in event.choices:
                pieces.append(choice.delta.content or "")
                finish = choice.finish_reason or finish
            usage = getattr(event, "usage", None) or usage
        return "".join(pieces), usage.completion_tokens, finish

    async def first(self) -> float:
        began, spent = time.process_time(), 0.0
        async for event in await self._events("/first"):
            if not spent and event.choices and event.choices[0].delta.content:
                spent = time.process_time() - began
        return spent

    async def embed(self, path: str) -> tuple:
        options = {} if path == "/base64" else {"encoding_format": "float"}
        answer = await self.litellm.aembedding(
            model="openai/text-embedding-3-small", input=TEXTS, **options, **self._common(path)
        )
        return len(answer.data), 1536, answer.usage.prompt_tokens


class PydanticAISubject:
    """pydantic-ai's agent, a new run for each call."""

    def __init__(self, address: str) -> None:
        from pydantic_ai import Agent
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        def agent(path: str) -> Any:
            provider = OpenAIProvider(base_url=f"{address}{path}/v1", api_key="sk-none")
            return Agent(
                OpenAIChatModel("gpt-5-mini", provider=provider),
                instructions=MESSAGES[0]["content"],
                model_settings={"max_tokens": LIMIT},
            )

        self.agents = {path: agent(path) for path in ("/whole", "/bulk", "/paced", "/first")}
        self.prompt = MESSAGES[1]["content"]

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def chat(self) -> tuple:
        result = await self.agents["/whole"].run(self.prompt)
        usage = result.usage() if callable(result.usage) else result.usage
        return result.output, usage.output_tokens, "stop"

    async def stream(self, path: str) -> tuple:
        async with self.agents[path].run_stream(self.prompt) as result:
            pieces = [text async for text in result.stream_text(delta=True, debounce_by=None)]
        usage = result.usage() if callable(result.usage) else result.usage
        return "".join(pieces), usage.output_tokens, "stop"

    async def first(self) -> float:
        began, spent = time.process_time(), 0.0
        async with self.agents["/first"].run_stream(self.prompt) as result:
            async for _ in result.stream_text(delta=True, debounce_by=None):
                if not spent:
                    spent = time.process_time() - began
        return spent

    async def embed(self, path: str) -> tuple:
        raise NotImplementedError


SUBJECTS = {
    "aioboto3": Aioboto3Subject,
    "floor": FloorSubject,
    "jackfield": JackfieldSubject,
    "jackfield without numpy": JackfieldSubject,
    "openai": OpenAISubject,
    "litellm": LiteLLMSubject,
    "pydantic-ai": PydanticAISubject,
}
