"""The guards: what they refuse, what they let through, and that they leave nothing behind."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from jackfield.testing._guard import NetworkForbiddenError, forbid_network, no_sockets

NOWHERE = ("192.0.2.1", 9)  # TEST-NET-1, RFC 5737: no one is there, should the guard fail


async def echo(reader, writer):
    writer.write(await reader.read(100))
    writer.close()
    await writer.wait_closed()


class TestForbidNetwork:
    @pytest.mark.parametrize("method", ["connect", "connect_ex"])
    def test_a_connection_elsewhere_is_refused_and_noted(self, method):
        with forbid_network() as refused, socket.socket() as sock:
            with pytest.raises(NetworkForbiddenError, match=r"192\.0\.2\.1"):
                getattr(sock, method)(NOWHERE)
        assert refused == [f"{method} ('192.0.2.1', 9)"]

    def test_a_datagram_elsewhere_is_refused(self):
        with forbid_network(), socket.socket(type=socket.SOCK_DGRAM) as sock:
            with pytest.raises(NetworkForbiddenError):
                sock.sendto(b"x", NOWHERE)
            with pytest.raises(NetworkForbiddenError):
                sock.sendto(b"x", 0, NOWHERE)
            sock.sendto(b"x", ("127.0.0.1", 9))

    @pytest.mark.parametrize("host", ["example.com", b"example.com", "192.0.2.1", "localhost.example.com"])
    def test_a_name_elsewhere_is_not_looked_up(self, host):
        with forbid_network(), pytest.raises(NetworkForbiddenError):
            socket.getaddrinfo(host, 443)

    def test_loopback_in_all_its_spellings_is_allowed(self):
        with forbid_network() as refused:
            for host in ("localhost", "127.0.0.1", "127.8.8.8", None):
                assert socket.getaddrinfo(host, 80)
        assert refused == []

    def test_the_error_is_not_taken_for_an_unreachable_host(self):
        assert not issubclass(NetworkForbiddenError, OSError)

    async def test_asyncio_streams_are_refused_elsewhere_and_allowed_here(self):
        with forbid_network() as refused:
            for host in ("192.0.2.1", "example.com"):
                with pytest.raises(NetworkForbiddenError):
                    await asyncio.open_connection(host, 9)
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"hello")
                assert await reader.read() == b"hello"
                writer.close()
                await writer.wait_closed()
        assert len(refused) == 2

    def test_other_threads_are_watched_too(self):
        def attempt():
            with pytest.raises(NetworkForbiddenError):
                socket.create_connection(NOWHERE, timeout=1)

        with forbid_network() as refused:
            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join()
        assert len(refused) == 1

    def test_unix_sockets_are_allowed(self, tmp_path):
        path = str(tmp_path / "s")
        with (
            forbid_network(),
            socket.socket(socket.AF_UNIX) as server,
            socket.socket(socket.AF_UNIX) as client,
        ):
            server.bind(path)
            server.listen()
            client.connect(path)


class TestNoSockets:
    def test_no_socket_can_be_made(self):
        with no_sockets() as refused:
            for attempt in (socket.socket, socket.socketpair, lambda: socket.getaddrinfo("localhost", 1)):
                with pytest.raises(NetworkForbiddenError):
                    attempt()
            with pytest.raises(NetworkForbiddenError):
                socket.create_connection(("127.0.0.1", 9))
        assert len(refused) == 4

    def test_plain_work_is_not_disturbed(self):
        with no_sockets() as refused:
            assert sum(range(10)) == 45
        assert refused == []

    async def test_a_loop_that_runs_goes_on(self):
        with no_sockets() as refused:
            await asyncio.sleep(0)
            assert await asyncio.to_thread(int, "7") == 7
        assert refused == []


@pytest.mark.parametrize("guard", [forbid_network, no_sockets])
def test_everything_is_put_back_also_after_an_error(guard):
    names = ("connect", "connect_ex", "sendto", "__init__")
    before = [vars(socket.socket).get(name) for name in names], socket.getaddrinfo, socket.socketpair
    with pytest.raises(ZeroDivisionError), guard():
        raise ZeroDivisionError
    after = [vars(socket.socket).get(name) for name in names], socket.getaddrinfo, socket.socketpair
    assert after == before


def test_guards_nest():
    with forbid_network() as outer:
        with forbid_network() as inner, pytest.raises(NetworkForbiddenError):
            socket.getaddrinfo("example.com", 1)
        with pytest.raises(NetworkForbiddenError):
            socket.getaddrinfo("example.com", 1)
    assert (len(outer), len(inner)) == (1, 1)
