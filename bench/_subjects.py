"""What is measured, each behind the same few methods: ours, the floor, and other libraries.

Every method does the same piece of work by the subject's own means and returns what a program would read. It is compared
with what the floor returns, so that a subject that skips something is reported, and not praised for its speed.
"""

from __future__ import annotations

import time

from _ours import PLUGINS_AT_WORK, JackfieldSubject
from _peers import PEERS
from _work import BEDROCK_MODEL, LIMIT, MESSAGES, TEXTS


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
        finish = "stop" if answer.finish == "end_turn" else answer.finish  # as ours is told
        return answer.text, answer.usage.output, finish

    async def embed(self, path: str) -> tuple:
        vectors, usage = await self.floor.embed(path, TEXTS)
        return len(vectors), len(vectors[-1]), usage.input


class BareSubject:
    """aiohttp and orjson with nothing around them: a dict for an answer, no limits but aiohttp's, no second attempt."""

    def __init__(self, address: str) -> None:
        import aiohttp

        self.url = f"{address}/whole/v1/chat/completions"
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": "Bearer sk-none"}
        )

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        await self.session.close()

    async def chat(self) -> tuple:
        import orjson

        body = orjson.dumps({"model": "gpt-5-mini", "messages": MESSAGES, "max_completion_tokens": LIMIT})
        headers = {"Content-Type": "application/json"}
        async with self.session.post(self.url, data=body, headers=headers) as response:
            response.raise_for_status()
            answer = orjson.loads(await response.read())
        choice = answer["choices"][0]
        return choice["message"]["content"], answer["usage"]["completion_tokens"], choice["finish_reason"]


SUBJECTS = {
    "floor": FloorSubject,
    "bare": BareSubject,
    "jackfield": JackfieldSubject,
    "jackfield without numpy": JackfieldSubject,
    **PLUGINS_AT_WORK,
    **PEERS,
}
