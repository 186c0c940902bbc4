"""The official SDKs of JavaScript, and the AI SDK, which checks what it reads by schemas, read what is written.

They are not installed by pip: `npm install` in `tests/node`, or a folder that JACKFIELD_NODE_MODULES names.
"""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest
from meshes_of_fakes import mesh_of, serving

from jackfield.testing import FakeAnswer, FakeProvider

NODE = Path(__file__).parent / "node"
MODULES = Path(os.environ.get("JACKFIELD_NODE_MODULES") or NODE / "node_modules")
CLIENTS = (
    "openai.chat", "openai.responses", "anthropic.messages", "ai.chat", "ai.responses", "ai.compatible", "ai.open-responses",
    "ai.messages",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not MODULES.is_dir(), reason="the SDKs of JavaScript are not installed"),
]


@pytest.mark.real_time
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_calls_a_tool_and_goes_on(client, tmp_path):
    (tmp_path / "node_modules").symlink_to(MODULES)
    shutil.copy(NODE / "clients.mjs", tmp_path)
    first = FakeAnswer(thinking="I add.", text="Wait.", tool_calls=[("add", {"a": 1})])
    fake = FakeProvider(answers=[first, "Done, it is 2."])
    async with mesh_of(fake, unsupported="drop") as mesh, serving(mesh) as url:
        process = await asyncio.create_subprocess_exec(
            "node",
            "clients.mjs",
            client,
            url,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()
    understood = json.loads(out.decode().splitlines()[-1])
    assert understood["call"] == "add"
    assert understood["args"] == {"a": 1}
    assert understood["text"] == "Done, it is 2."
    assert understood.get("usage", True)
    assert [message.role for message in fake.requests[1].messages][-3:] == ["user", "assistant", "tool"]
