"""Every call has its line, and no line says what it must not."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import threading
from decimal import Decimal

import pytest

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    Image,
    JackfieldError,
    Mesh,
    Message,
    Registry,
    ServerError,
    StreamInterruptedError,
    Text,
)
from jackfield.plugin import RateCard, Replay, events_of, replayed_reply
from jackfield.testing import FakeAnswer, FakeProvider
from jackfield_audit import AUDIT
from jackfield_audit._file import LineFile

PRICE = RateCard.of(source="test", input="1000000", output="2000000")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.jsonl"


def mesh_for(provider, path, middlewares=("audit",), more=None, **settings):
    registry = Registry.of(provider, middlewares={"audit": AUDIT, **(more or {})})
    config = {
        "defaults": {"middlewares": list(middlewares), "retry": {"attempts": 2, "max_delay": 0.001}},
        "connections": {"fake": {"provider": "fake"}},
        "aliases": {"default": "fake:echo"},
        "middleware": {"audit": {"path": str(path), **settings}},
    }
    return Mesh.from_config(config, registry=registry)


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def read(mesh, *args):
    async with mesh.stream_chat(*args) as stream:
        async for _ in stream:
            pass
    return stream.response


async def test_a_line_says_what_was_asked_and_what_it_cost(path):
    async with mesh_for(FakeProvider(price=PRICE), path) as mesh:
        reply = await mesh.chat("default", "My secret question")
    (line,) = lines_of(path)
    assert line["time"].endswith("+00:00")
    assert line["id"]
    expected = {
        "kind": "chat", "stream": False, "target": "default", "connection": "fake", "provider": "fake",
        "model": "echo", "status": "ok", "response_id": "fake-1", "response_model": "echo",
        "finish_reasons": ["stop"], "usage": {"input_tokens": 3, "output_tokens": reply.usage.output_tokens},
        "cost": {"status": "complete", "amount": str(reply.cost.amount), "currency": "USD"},
    }  # fmt: skip
    assert line == line | expected
    assert 0 < line["seconds"]["first_event"] <= line["seconds"]["total"]
    assert [attempt["error"] for attempt in line["attempts"]] == [None]


async def test_a_line_says_for_whom_it_was_made(path):
    async with mesh_for(FakeProvider(), path) as mesh:
        await mesh.chat("default", "hi", owner="org/team", labels={"key": "alice"})
        await mesh.chat("default", "hi")
    named, plain = lines_of(path)
    assert (named["owner"], named["labels"]) == ("org/team", {"key": "alice"})
    assert not {"owner", "labels", "relayed"} & plain.keys()


def test_only_a_log_of_contents_keeps_calls_from_being_relayed(path):
    assert not AUDIT({"path": str(path)}).needs_content
    assert AUDIT({"path": str(path), "content": True}).needs_content


async def test_prompts_and_answers_are_left_out_by_default(path):
    provider = FakeProvider(answers=["A private answer", FakeAnswer(error=400)])
    async with mesh_for(provider, path) as mesh:
        await mesh.chat("fake:echo", "A private question", system="A private rule", user="ann")
        with pytest.raises(JackfieldError):
            await mesh.chat("fake:echo", "A private question")
        await mesh.embed("fake:echo", ["A private text"])
        await mesh.rerank("fake:echo", "A private query", ["A private document"])
        await read(mesh, "fake:echo", "A private question")
        await mesh.count_tokens("fake:echo", "A private question")
    text = path.read_text("utf-8")
    assert len(text.splitlines()) == 6
    assert "rivate" not in text
    assert "ann" not in text


async def test_prompts_and_answers_are_written_if_that_is_wished(path):
    async with mesh_for(FakeProvider(), path, content=True) as mesh:
        image = Image(data=b"12345", media_type="image/png")
        await mesh.chat("fake:echo", [Message("user", (Text("What is this?"), image))], temperature=0)
    (line,) = lines_of(path)
    (message,) = line["request"]["messages"]
    assert message["parts"][0]["text"] == "What is this?"
    assert message["parts"][1]["data"] == {"bytes": 5}
    assert line["request"]["options"]["temperature"] == 0
    assert "system" not in line["request"]["options"]
    assert line["answer"][0][0]["text"].startswith("You said")


async def test_an_error_has_its_class_and_every_attempt(path):
    provider = FakeProvider(answers=[503, FakeAnswer(error=429, retry_after=0.0), "never"])
    async with mesh_for(provider, path) as mesh:
        with pytest.raises(JackfieldError):
            await mesh.chat("fake:echo", "Hi")
    (line,) = lines_of(path)
    assert line["status"] == "error"
    assert line["error"] == {"class": "RateLimitError", "status": 429, "retryable": True}
    assert [(a["status"], a["error"]) for a in line["attempts"]] == [
        (503, line["attempts"][0]["error"]),
        (429, "RateLimitError"),
    ]
    assert line["seconds"]["first_event"] is None


async def test_a_secret_is_never_written(path):
    secret = "sk-1234567890abcdef"
    provider = FakeProvider(answers=[AuthenticationError(f"the key {secret[:2]}*** is wrong")])
    async with mesh_for(provider, path, content=True) as mesh:
        with pytest.raises(AuthenticationError):
            await mesh.chat("fake:echo", "Hi")
    assert secret not in path.read_text("utf-8")
    assert lines_of(path)[0]["error"]["message"].startswith("the key sk***")


async def test_a_stream_has_its_line_when_it_ended(path):
    async with mesh_for(FakeProvider(), path) as mesh:
        async with mesh.stream_chat("fake:echo", "Hello") as stream:
            async for _ in stream:
                assert path.read_text("utf-8") == ""
    (line,) = lines_of(path)
    assert (line["status"], line["stream"], line["finish_reasons"]) == ("ok", True, ["stop"])


async def test_a_stream_that_is_left_is_cancelled_and_one_that_breaks_an_error(path):
    provider = FakeProvider(answers=["one two three", FakeAnswer(text="one two", truncate=True)])
    async with mesh_for(provider, path) as mesh:
        async with mesh.stream_chat("fake:echo", "Hi") as stream:
            await anext(aiter(stream))
        with pytest.raises(StreamInterruptedError):
            await read(mesh, "fake:echo", "Hi")
    left, broken = lines_of(path)
    assert left["status"] == "cancelled"
    assert "error" not in left
    assert broken["status"] == "error"
    assert broken["error"]["class"] == "StreamInterruptedError"
    assert broken["response_id"] == "fake-1"


async def test_a_stream_whose_service_does_not_mark_its_end_is_ok_once_it_was_read(path):
    async with mesh_for(FakeProvider(answers=[FakeAnswer(text="one two", unmarked=True)]), path) as mesh:
        reply = await read(mesh, "fake:echo", "Hi")
    (line,) = lines_of(path)
    assert not reply.complete
    assert (line["status"], line["finish_reasons"]) == ("ok", ["other"])


async def test_a_call_that_is_cancelled_has_its_line(path):
    async with mesh_for(FakeProvider(answers=[FakeAnswer(text="x", delay=5)]), path) as mesh:
        task = asyncio.create_task(mesh.chat("fake:echo", "Hi"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (line,) = lines_of(path)
    assert (line["status"], line["error"]["class"]) == ("cancelled", "CancelledError")


async def test_what_another_middleware_raises_has_its_line(path):
    async def broken(call, proceed):
        raise ZeroDivisionError("the prompt was: private")

    async with mesh_for(FakeProvider(), path, ("audit", "broken"), {"broken": lambda s: broken}) as mesh:
        with pytest.raises(ZeroDivisionError):
            await mesh.chat("fake:echo", "Hi")
    assert lines_of(path)[0]["error"] == {"class": "ZeroDivisionError"}


async def test_an_answer_from_a_cache_is_told_from_one_of_the_service(path):
    kept = []

    async def cache(call, proceed):
        if kept:
            return replayed_reply(
                call, events_of(kept[0]), replay=Replay(by="cache", usage=kept[0].usage, cost=kept[0].cost)
            )
        kept.append(await proceed(call))
        return kept[0]

    async with mesh_for(
        FakeProvider(price=PRICE), path, ("audit", "cache"), {"cache": lambda s: cache}
    ) as mesh:
        await mesh.chat("fake:echo", "Hi")
        await mesh.chat("fake:echo", "Hi")
    first, second = lines_of(path)
    assert "replay" not in first
    assert second["replay"] == {"by": "cache", "usage": first["usage"], "cost": first["cost"]}
    assert Decimal(second["cost"]["amount"]) == 0
    assert second["usage"] == {"input_tokens": 0, "output_tokens": 0}


async def test_counts_and_vectors_have_lines(path):
    async with mesh_for(FakeProvider(), path, content=True) as mesh:
        await mesh.count_tokens("fake:echo", "one two")
        await mesh.embed("fake:echo", ["one", "two"])
        await mesh.rerank("fake:echo", "one", ["one", "two"])
    counted, embedded, ranked = lines_of(path)
    assert (counted["kind"], counted["counted"]["input_tokens"]) == ("count", 2)
    assert embedded["answer"] == {"embeddings": 2}
    assert [row["index"] for row in ranked["answer"]] == [0, 1]


async def test_lines_of_calls_at_the_same_time_are_whole(path):
    async with mesh_for(FakeProvider(), path) as mesh:
        await asyncio.gather(*(mesh.chat("fake:echo", f"call {n}") for n in range(300)))
    lines = lines_of(path)
    assert len(lines) == 300
    assert len({line["id"] for line in lines}) == 300


async def test_a_line_that_cannot_be_made_breaks_no_call(path, caplog, monkeypatch):
    monkeypatch.setattr("jackfield_audit._audit.line_of", lambda *a, **k: 1 / 0)
    async with mesh_for(FakeProvider(), path) as mesh:
        assert await mesh.chat("fake:echo", "Hi")
    assert "no line could be written" in caplog.text


# The file


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


async def test_a_wrong_path_is_found_when_the_mesh_is_entered(tmp_path):
    with pytest.raises(ConfigurationError, match="the middleware audit cannot be made"):
        async with mesh_for(FakeProvider(), tmp_path / "nowhere" / "calls.jsonl"):
            pass


async def test_the_file_is_its_owners_alone_and_no_thread_is_left(path):
    before = threading.active_count()
    async with mesh_for(FakeProvider(), path) as mesh:
        assert threading.active_count() == before
        await mesh.chat("fake:echo", "Hi")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [thread for thread in threading.enumerate() if thread.name == "jackfield-audit"]


async def test_a_large_file_is_rotated(path):
    file = LineFile(path, max_bytes=10, backups=2)
    for number in range(5):
        file._write([b"line %d...." % number])
    await file.aclose()
    assert names(path.parent) == ["calls.jsonl", "calls.jsonl.1", "calls.jsonl.2"]
    assert path.read_bytes() == b"line 4....\n"
    assert path.with_name("calls.jsonl.1").read_bytes() == b"line 3....\n"
    assert path.with_name("calls.jsonl.2").read_bytes() == b"line 2....\n"


async def test_a_file_that_was_moved_away_is_made_anew(path):
    file = LineFile(path)
    file._write([b"one"])
    path.rename(path.with_name("moved"))
    file._write([b"two"])
    path.unlink()
    file._write([b"three"])
    await file.aclose()
    assert path.with_name("moved").read_bytes() == b"one\n"
    assert path.read_bytes() == b"three\n"


async def test_lines_that_are_lost_are_counted(path, caplog, monkeypatch):
    file = LineFile(path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, "jackfield.audit"):
        patch.setattr("jackfield_audit._file.os.write", full)
        file._write([b"one", b"two"])
        file._write([b"three"])
    assert "(3 lines lost): [Errno 28] No space left" in caplog.text
    file._write([b"four"])
    await file.aclose()
    assert path.read_bytes() == b'{"lost":3}\nfour\n'


WRITE = os.write


def full_after(monkeypatch, size):
    """Write to a disk that is full after a number of bytes."""
    left = [size]

    def write_some(file, data):
        taken = min(left[0], len(data))
        left[0] -= taken
        if not taken:
            raise OSError(28, "No space left on device")
        return WRITE(file, data[:taken])

    monkeypatch.setattr("jackfield_audit._file.os.write", write_some)


@pytest.mark.parametrize("size", range(1, 30))
async def test_a_disk_that_fills_up_leaves_no_part_of_a_line(path, monkeypatch, size):
    file, lines = LineFile(path), [b'{"id":%d}' % number for number in range(6)]
    with monkeypatch.context() as patch:
        full_after(patch, size)
        file._write(lines[:2])
        file._write(lines[2:4])
        file._write(lines[4:5])
    file._write(lines[5:])
    await file.aclose()
    rows = lines_of(path)
    kept = [row["id"] for row in rows if "id" in row]
    assert kept == sorted(kept)
    assert kept[-1] == 5
    assert sum(row.get("lost", 0) for row in rows) == 6 - len(kept)


async def test_lines_after_a_disk_is_full_again_are_counted_once(path, monkeypatch):
    file = LineFile(path)
    with monkeypatch.context() as patch:
        full_after(patch, 0)
        file._write([b'{"id":1}'])
        full_after(patch, 14)  # room for the count, and not for the line
        file._write([b'{"id":2}'])
    await file.aclose()
    assert lines_of(path) == [{"lost": 1}, {"lost": 1}]


async def test_a_line_that_another_process_left_without_its_end_stays_alone(path):
    path.write_bytes(b'{"id":1}\n{"id":')
    file = LineFile(path)
    file._write([b'{"id":2}'])
    await file.aclose()
    assert path.read_bytes() == b'{"id":1}\n{"id":\n{"id":2}\n'


async def test_what_another_process_wrote_after_a_part_of_a_line_is_kept(path, monkeypatch):
    file, write = LineFile(path), os.write
    calls = []

    def write_some(descriptor, data):
        calls.append(data)
        if len(calls) == 1:
            return write(descriptor, data[:4])
        with path.open("ab") as other:
            other.write(b"other\n")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("jackfield_audit._file.os.write", write_some)
        file._write([b'{"id":1}'])
    file._write([b'{"id":2}'])
    await file.aclose()
    assert path.read_bytes() == b'{"idother\n{"lost":1}\n{"id":2}\n'


async def test_a_named_pipe_without_reader_is_refused_and_does_not_block(path):
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="no process reads this named pipe"):
        async with mesh_for(FakeProvider(), path):
            pass


@pytest.mark.real_time
async def test_a_named_pipe_receives_the_lines_and_a_stuck_reader_loses_them(path, caplog, monkeypatch):
    monkeypatch.setattr("jackfield_audit._file._SLOW_READER_MS", 20)
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = LineFile(path)
    file.put(b"one")
    await file.aclose()
    assert os.read(reader, 100) == b"one\n"
    file = LineFile(path)
    file._write([b"x" * 1_000_000])
    assert "(1 lines lost)" in caplog.text
    while os.read(reader, 65536).endswith(b"x" * 65536):
        pass
    await file.aclose()
    os.close(reader)


async def test_a_write_in_pieces_is_finished(path, monkeypatch):
    file, write = LineFile(path), os.write
    monkeypatch.setattr("jackfield_audit._file.os.write", lambda f, data: write(f, data[:3]))
    file._write([b"a long line"])
    monkeypatch.undo()
    await file.aclose()
    assert path.read_bytes() == b"a long line\n"


async def test_closing_writes_what_waits_and_a_late_line_too(path):
    file = LineFile(path)
    for number in range(2500):
        file.put(b"%d" % number)
    await file.aclose()
    assert path.read_bytes().split() == [b"%d" % number for number in range(2500)]
    file.put(b"late")
    assert path.read_bytes().endswith(b"late\n")
    await file.aclose()


@pytest.mark.parametrize("wrong", [{"max_bytes": 0}, {"backups": 0}, {"contents": True}])
def test_wrong_settings_are_said(path, wrong):
    with pytest.raises(ConfigurationError, match=r"middleware\.audit"):
        mesh_for(FakeProvider(), path, **wrong)


async def test_a_server_error_without_an_answer_has_no_usage(path):
    async with mesh_for(FakeProvider(answers=[500, 500]), path) as mesh:
        with pytest.raises(ServerError):
            await mesh.chat("fake:echo", "Hi")
    (line,) = lines_of(path)
    assert "usage" not in line
    assert "cost" not in line


@pytest.mark.parametrize("text", ["half \ud83d", "\udf24 half"])
async def test_half_a_character_and_a_number_beyond_64_bits_have_their_line(path, text):
    provider = FakeProvider(answers=[FakeAnswer(tool_calls=[("f", {"n": 2**70})])])
    async with mesh_for(provider, path, content=True) as mesh:
        await mesh.chat("fake:echo", text)
    (line,) = lines_of(path)
    assert line["status"] == "ok"
    assert text.replace("\ud83d", "\ufffd").replace("\udf24", "\ufffd") in json.dumps(
        line, ensure_ascii=False
    )
    assert str(2**70) in json.dumps(line)
