"""The guard over all tests is really up."""

from __future__ import annotations

import asyncio
import socket

import pytest


def test_a_connection_that_leaves_the_machine_is_refused(refused_connections):
    with socket.socket() as client, pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        client.connect(("192.0.2.1", 9))  # an address reserved for documents
    assert refused_connections == ["connect ('192.0.2.1', 9)"]
    refused_connections.clear()


async def test_a_name_is_not_looked_up(refused_connections):
    with pytest.raises(AssertionError, match=r"service\.example"):
        await asyncio.get_running_loop().getaddrinfo("service.example", 443)
    refused_connections.clear()


async def test_loopback_is_open():
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
