"""Our mesh and the official SDK, which talk to one loopback server."""

from __future__ import annotations

from contextlib import asynccontextmanager

from openai import AsyncOpenAI

from jackfield import Mesh
from jackfield.testing import RecordingServer

__all__ = ["SENT", "both"]

SENT = ("openai-organization", "openai-project")
"""Headers that both must send alike."""


@asynccontextmanager
async def both(monkeypatch):
    """A loopback service, our mesh and the SDK, configured alike."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
    connection = {"provider": "openai", "organization": "org-1", "project": "proj-1"}
    async with RecordingServer() as server:
        connection |= {"base_url": f"{server.url}/v1", "api_key": "env:OPENAI_API_KEY"}
        client = AsyncOpenAI(
            base_url=f"{server.url}/v1",
            api_key="sk-made-up",
            organization="org-1",
            project="proj-1",
            max_retries=0,
        )
        async with Mesh.from_config({"connections": {"openai": connection}}) as mesh, client:
            yield server, mesh, client
