"""Other libraries, behind the methods that `_subjects` describes."""

from __future__ import annotations

import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from _work import BEDROCK_MODEL, LIMIT, MESSAGES, REGION, TEXTS


class AimuxSubject:
    """aimux: Rust, under functions that block; so calls in flight together each have a thread."""

    def __init__(self, address: str) -> None:
        import aimux

        self.aimux = aimux
        self.models = {
            path: aimux.openai("sk-none", "gpt-5-mini", f"{address}{path}/v1")
            for path in ("/whole", "/bulk", "/paced", "/first")
        }
        # It reads vectors as JSON numbers only.
        self.embeddings = aimux.openai_embedding("sk-none", "text-embedding-3-small", f"{address}/floats/v1")
        self.threads = ThreadPoolExecutor(64)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        self.threads.shutdown()

    def _answer(self) -> tuple:
        answer = self.aimux.generate_text(self.models["/whole"], MESSAGES, {"max_output_tokens": LIMIT})
        usage = answer["usage"]["output_tokens"]["total"]
        return answer["text"], usage, answer["finish_reason"]["unified"]

    async def chat(self) -> tuple:
        return self._answer()

    async def chat_together(self) -> tuple:
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._answer)

    async def stream(self, path: str) -> tuple:
        pieces, finish, usage = [], None, None
        for part in self.aimux.stream_text(self.models[path], MESSAGES, {"max_output_tokens": LIMIT}):
            if "TextDelta" in part:
                pieces.append(part["TextDelta"]["delta"])
            elif "Finish" in part:
                finish = part["Finish"]["finish_reason"]["unified"]
                usage = part["Finish"]["usage"]["output_tokens"]["total"]
        return "".join(pieces), usage, finish

    async def first(self) -> float:
        began, spent = time.process_time(), 0.0
        for part in self.aimux.stream_text(self.models["/first"], MESSAGES, {"max_output_tokens": LIMIT}):
            if not spent and part.get("TextDelta", {}).get("delta"):
                spent = time.process_time() - began
        return spent

    async def embed(self, path: str) -> tuple:
        answer = json.loads(self.embeddings.embed(json.dumps(TEXTS)))
        return len(answer["embeddings"]), len(answer["embeddings"][-1]), answer["usage"]["tokens"]


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


PEERS = {
    "aimux": AimuxSubject,
    "aioboto3": Aioboto3Subject,
    "openai": OpenAISubject,
    "litellm": LiteLLMSubject,
    "pydantic-ai": PydanticAISubject,
}
