"""The servers that tests start: they answer, survive a crash with their data, and end with the test process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from servers import PostgresServer, RedisServer, missing, postgres_programs, redis_program
from waiting import wait_until

SUPPORT = Path(__file__).parent / "support"

ORPHAN = """
import signal, sys, tempfile
from servers import RedisServer, redis_program
server = RedisServer(sys.argv[1], program=redis_program()).start()
print(server.port, flush=True)
signal.pause()
"""


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_redis_keeps_its_data_over_a_crash(tmp_path):
    server = RedisServer(tmp_path, program=redis_program(), durable=True).start()
    try:
        address = server.url
        assert server.ask("SET room 12") == b"+OK\r\n"
        server.crash()
        assert not listens(server.port)
        server.start()
        assert (server.url, server.ask("GET room")) == (address, b"$2\r\n12\r\n")
        server.clear()
        assert server.ask("GET room") == b"$-1\r\n"
    finally:
        server.stop()
    assert not listens(server.port)


def test_postgres_keeps_its_data_over_a_crash(postgres_server):
    server = postgres_server
    server.ask("create table room (size int)")
    server.ask("insert into room values (12)")
    address = server.url
    server.crash()
    assert not listens(server.port)
    server.start()
    assert (server.url, server.ask("select size from room")) == (address, "12")
    server.ask("drop table room")


def test_each_database_of_postgres_is_empty(postgres_server):
    first, second = postgres_server.new_database(), postgres_server.new_database()
    assert first != second
    name = second.rpartition("/")[2]
    assert (
        postgres_server.ask("select count(*) from pg_tables where schemaname = 'public'", database=name)
        == "0"
    )


def test_a_server_ends_when_its_test_process_is_killed(tmp_path):
    redis_program()
    command = [sys.executable, "-c", ORPHAN, str(tmp_path)]
    path = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as process:
        port = int(process.stdout.readline())
        assert listens(port)
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not listens(port))


def test_a_server_that_does_not_start_says_why(tmp_path):
    class Broken(RedisServer):
        def command(self):
            return [*super().command(), "--no-such-setting", "1"]

    with pytest.raises(AssertionError, match="no-such-setting"):
        Broken(tmp_path, program=redis_program()).start()


def test_postgres_does_not_run_as_root(postgres_server):
    assert isinstance(postgres_server, PostgresServer)
    assert postgres_programs().joinpath("postgres").exists()
    owner = (postgres_server.folder / "data").stat().st_uid
    assert owner != 0


def test_what_is_not_installed_skips_and_fails_in_ci(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install redis-server"):
        missing("redis-server", "redis-server")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install redis-server"):
        missing("redis-server", "redis-server")
