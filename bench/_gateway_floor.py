"""A gateway by hand: aiohttp.web in front, one aiohttp session behind, and the bytes in between as they come.

It checks no key, books nothing and reads nothing of what it passes on, but the name of the model and the credentials are
replaced, as every gateway must. Prints its port.

    python bench/_gateway_floor.py ADDRESS-OF-THE-SERVICE
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import orjson
from aiohttp import web

SESSION = web.AppKey("session", aiohttp.ClientSession)


async def pass_on(request: web.Request) -> web.StreamResponse:
    """Pass a request on, and its answer back."""
    asked = orjson.loads(await request.read())
    scenario, asked["model"] = asked["model"], "gpt-5-mini"
    async with request.app[SESSION].post(
        f"{sys.argv[1]}/{scenario}/v1/chat/completions",
        data=orjson.dumps(asked),
        headers={"authorization": "Bearer sk-service", "content-type": "application/json"},
    ) as answer:
        if not asked.get("stream"):
            return web.Response(
                status=answer.status, body=await answer.read(), headers={"content-type": "application/json"}
            )
        response = web.StreamResponse(
            status=answer.status, headers={"content-type": answer.headers["content-type"]}
        )
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


async def main() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", pass_on)
    timeout = aiohttp.ClientTimeout(total=600, connect=10)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=timeout, auto_decompress=False
    ) as session:
        app[SESSION] = session
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
