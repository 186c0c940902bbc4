"""Answers without end: refused at a limit, in bounded memory, while the event loop goes on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
import time
import tracemalloc
import zlib

import pytest
from plain_provider import mesh_for

from jackfield import MalformedResponseError
from jackfield._http.framers import SniffedFramer
from jackfield._http.frames import _check_values
from jackfield._http.transport import HttpTransport
from jackfield.http import FRAMINGS, AWSEventStreamFramer, FramingError, framer_for
from jackfield.plugin import HttpAccess, Wire
from jackfield.testing import Answer
from jackfield.testing._eventstream import encode_aws_event

MIB = 1 << 20
MOST = 2 * MIB
PIECE = b"x" * 65536
EVENT = b'data: {"a": 1}\n\n'
AWS = "application/vnd.amazon.eventstream"
HEADERS = {":event-type": "chunk", ":message-type": "event"}


def announced(size: int) -> bytes:
    """The beginning of an AWS message of some size."""
    prelude = struct.pack(">II", size, 0)
    return prelude + struct.pack(">I", zlib.crc32(prelude))


def forever(*start: bytes, then: bytes = PIECE):
    return lambda: itertools.chain(start, itertools.repeat(then))


def event_payloads():
    return itertools.repeat(encode_aws_event(HEADERS, PIECE))


# What never ends: content type, the wire's framing (None: not a stream), the pieces of the body.
ENDLESS = {
    "a whole answer": ("application/json", None, forever(b'{"a": "')),
    "an event": ("text/event-stream", "sse", forever(b"data: ")),
    "lines of an event": ("text/event-stream", "sse", forever(then=b"data: x\n" * 8192)),
    "comments": ("text/event-stream", "sse", forever(then=b": ping\n\n" * 8192)),
    "events": ("text/event-stream", "sse", forever(then=EVENT * 4096)),
    "space before it is known what comes": ("application/json", "sse", forever(then=b" \r\n\t" * 16384)),
    "JSON in the place of events": ("application/json", "sse", forever(b'{"a": "')),
    "a page in the place of events": ("text/html", "sse", forever(b"<html>")),
    "a line": ("application/x-ndjson", "jsonlines", forever(b'{"a": "')),
    "blank lines": ("application/x-ndjson", "jsonlines", forever(then=b"\n" * 65536)),
    "lines": ("application/x-ndjson", "jsonlines", forever(then=b'{"a": 1}\n' * 8192)),
    "an element": ("application/json", "json_array", forever(b'[{"a": "')),
    "brackets": ("application/json", "json_array", forever(then=b"[" * 65536)),
    "a message": (AWS, "aws_eventstream", forever(announced(20 * MIB))),
    "a line in messages": (AWS, "aws_eventstream+jsonlines", event_payloads),
    "an event in messages": (AWS, "aws_eventstream+sse", event_payloads),
}


@contextlib.asynccontextmanager
async def service(content_type, pieces, *, encoding=None, status=200):
    """A service that answers each request with pieces for as long as somebody reads; gives its address and what it sent."""
    sent = [0]

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n".encode())
        writer.write(b"" if encoding is None else b"Content-Encoding: %b\r\n" % encoding.encode())
        writer.write(b"\r\n")
        with contextlib.suppress(ConnectionError):
            for piece in pieces():
                writer.write(piece)
                sent[0] += len(piece)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", sent
    finally:
        server.close()


def compressed(pieces, format=31):
    """The same pieces by gzip (31) or deflate (15): what is sent is a thousandth of them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, format)
    source = iter(pieces())

    def mebibyte():
        return packer.compress(b"".join(itertools.islice(source, 16))) + packer.flush(zlib.Z_FULL_FLUSH)

    first, more = mebibyte(), mebibyte()  # a full flush: what follows refers to nothing before it
    return forever(first, then=more)


async def refused(url, framing, *, method="POST", most=MOST):
    """Read until the transport refuses to; gives the error and how many bytes of frames came before."""
    transport = HttpTransport(HttpAccess(base_url=url), max_response=most)
    await transport.open()
    came = 0
    try:
        with pytest.raises(MalformedResponseError) as caught:
            async with transport.exchange(
                Wire("x", method=method, stream=framing is not None, framing=framing)
            ) as exchange:
                async for frames in exchange.frames:
                    came += sum(len(frame.data) for frame in frames)
    finally:
        await transport.aclose()
    return caught.value, came


@contextlib.contextmanager
def memory_below(most):
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak / MIB:.1f} MiB"


@pytest.mark.parametrize("what", ENDLESS)
async def test_what_never_ends_is_refused_at_the_limit(what):
    content_type, framing, pieces = ENDLESS[what]
    async with service(content_type, pieces) as (url, sent):
        with memory_below(5 * MOST):
            error, came = await refused(url, framing)
    assert "max_response" in error.message
    assert not error.is_retryable
    assert came <= MOST
    assert sent[0] < 8 * MOST  # sockets and their readers hold some


@pytest.mark.parametrize(("encoding", "method"), [("gzip", "POST"), ("gzip", "GET"), ("deflate", "POST")])
@pytest.mark.parametrize("what", ["a whole answer", "comments", "a line", "an element"])
async def test_what_expands_a_thousandfold_is_refused_at_the_limit(what, encoding, method):
    content_type, framing, pieces = ENDLESS[what]
    packed = compressed(pieces, 31 if encoding == "gzip" else 15)
    async with service(content_type, packed, encoding=encoding) as (url, _):
        with memory_below(5 * MOST):
            error, _ = await refused(url, framing, method=method)
    assert "max_response" in error.message


@pytest.mark.parametrize(
    "values", [b"1," * 2_200_000, b'"",' * 2_200_000, b"[]," * 500_000, b'{"a":1},' * 500_000]
)
@pytest.mark.parametrize(
    ("framing", "method", "content_type", "start", "end"),
    [
        (None, "POST", "application/json", b'\xef\xbb\xbf\n{"data": [', b"1]}"),
        (None, "GET", "application/json", b"[", b"1]"),
        ("sse", "POST", "text/event-stream", b'data: {"a": [', b"1]}\n\n"),
        ("sse", "POST", "text/event-stream", b'data: {"a": [', b"1]}"),
        ("jsonlines", "POST", "application/jsonl", b"[", b"1]\n"),
    ],
)
async def test_json_of_millions_of_values_is_refused_before_it_is_parsed(
    framing, method, content_type, start, end, values
):
    pieces = [start, values, end]
    async with service(content_type, lambda: pieces) as (url, _):
        error, came = await refused(url, framing, method=method, most=64 * MIB)
    assert "values" in error.message
    assert "max_response" in error.message
    assert came == 0


@pytest.mark.parametrize(
    ("body", "most"),
    [
        (b"[" + b"0.01234567890123456, " * 300_000 + b"1]", 64 * MIB),  # as embeddings are
        (b'{"text": "' + b"a, " * 700_000 + b'"}', 64 * MIB),
        (b"1,[]" * 600_000, 64 * MIB),  # CSV, pictures: no JSON
        (b"[" + b"1, " * 300_000 + b"1]", MIB),  # few, whatever the limit
        (b"[" + b"[]," * 1_000_000 + b"1]", 1024 * MIB),
        (b"[" + b"[]," * 1_000_000 + b"1]", None),
    ],
)
async def test_json_of_as_many_values_as_its_limit_allows_is_read(body, most):
    async with service("application/json", lambda: [body]) as (url, _):
        transport = HttpTransport(HttpAccess(base_url=url), max_response=most)
        await transport.open()
        try:
            async with transport.exchange(Wire("x", stream=False)) as exchange:
                read = b"".join([frame.data async for frames in exchange.frames for frame in frames])
        finally:
            await transport.aclose()
    assert read == body


@pytest.mark.parametrize("what", ["a whole answer", "comments", "events"])
async def test_other_tasks_have_their_turn_while_a_body_is_decompressed(what):
    content_type, framing, pieces = ENDLESS[what]
    packed = b"".join(itertools.islice(compressed(pieces)(), 64))
    turns, read = 0, asyncio.Event()

    async def other():
        nonlocal turns
        while not read.is_set():
            turns += 1
            await asyncio.sleep(0)

    # All of it is here before the first byte is read, so that nothing has to be waited for.
    async with service(content_type, lambda: [packed], encoding="gzip") as (url, _):
        task = asyncio.ensure_future(other())
        await refused(url, framing, most=3 * MIB)
        read.set()
        await task
    at_least = 3 * MIB // 8 if what == "comments" else 3 * MIB
    assert turns > at_least // (3 * 262_144)  # aiohttp's buffer holds up to three of its pieces
    if framing is not None:
        assert turns > at_least // 32_768


async def passes_after(limit, turns):
    for _ in range(turns):
        await asyncio.sleep(0)
    limit.reschedule(asyncio.get_running_loop().time())


async def test_a_time_limit_holds_while_a_body_is_decompressed():
    content_type, _, pieces = ENDLESS["comments"]
    packed = b"".join(itertools.islice(compressed(pieces)(), 64))
    async with service(content_type, lambda: [packed], encoding="gzip") as (url, _):
        transport = HttpTransport(HttpAccess(base_url=url), max_response=None)
        await transport.open()
        try:
            with pytest.raises(TimeoutError):
                async with (
                    asyncio.timeout(None) as limit,
                    transport.exchange(Wire("x", stream=True)) as exchange,
                ):
                    task = asyncio.ensure_future(passes_after(limit, turns=5))
                    async for _ in exchange.frames:
                        pass
            await task
        finally:
            await transport.aclose()


async def test_an_error_is_read_as_far_as_anybody_would_read_it():
    packed = compressed(forever(b'{"error": "'))
    for encoding, pieces in ((None, forever(b'{"error": "')), ("gzip", packed)):
        async with service("application/json", pieces, encoding=encoding, status=500) as (url, _):
            transport = HttpTransport(HttpAccess(base_url=url))
            await transport.open()
            try:
                async with transport.exchange(Wire("x")) as exchange:
                    (frames,) = [frames async for frames in exchange.frames]
            finally:
                await transport.aclose()
        assert len(frames[0].data) == MIB


async def test_large_answers_are_whole():
    body = b'{"a": "' + b"x" * (3 * MIB) + b'"}'
    event = b"data: " + body + b"\n\n"
    cases = [("application/json", None, body, [body]), ("text/event-stream", "sse", event * 4, [body] * 4)]
    for content_type, framing, sent, wanted in cases:
        packed = zlib.compressobj(9, zlib.DEFLATED, 31)
        forms = ((None, [sent]), ("gzip", [packed.compress(sent) + packed.flush()]))
        for encoding, pieces in forms:
            async with service(content_type, lambda pieces=pieces: pieces, encoding=encoding) as (url, _):
                transport = HttpTransport(HttpAccess(base_url=url), max_response=16 * MIB)
                await transport.open()
                try:
                    wire = Wire("x", stream=framing is not None, framing=framing)
                    async with transport.exchange(wire) as exchange:
                        found = [frame.data async for frames in exchange.frames for frame in frames]
                finally:
                    await transport.aclose()
            assert found == wanted, (content_type, encoding)


async def test_a_call_says_which_key_to_raise_and_is_not_tried_again(server):
    server.answer(*[Answer.json({"text": "x" * 5000})] * 2)
    async with mesh_for(server.url, max_response="4 KiB") as mesh:
        with pytest.raises(MalformedResponseError, match=r"longer than 4 KiB, max_response") as caught:
            await mesh.chat("c:m", "hi")
    assert len(caught.value.attempts) == 1
    assert caught.value.connection == "c"


async def test_a_listing_is_held_to_the_limit(server):
    server.route("GET", "*", Answer.json({"models": [], "text": "x" * 5000}))
    async with mesh_for(server.url, max_response=4096) as mesh:
        with pytest.raises(MalformedResponseError, match="max_response"):
            await mesh.models("c")


async def test_without_a_limit_everything_is_read():
    async with service("text/event-stream", lambda: [EVENT * 4096] * 20) as (url, _):
        transport = HttpTransport(HttpAccess(base_url=url), max_response=None)
        await transport.open()
        try:
            async with transport.exchange(Wire("x", stream=True)) as exchange:
                count = sum([len(frames) async for frames in exchange.frames])
        finally:
            await transport.aclose()
    assert count == 81_920


def test_a_message_that_announces_four_gigabytes_is_refused_at_once():
    with pytest.raises(FramingError, match="a message announces 4294967295 bytes"):
        AWSEventStreamFramer().feed(announced(0xFFFFFFFF))


# What a framer holds until more comes: its beginning, and what is repeated.
HELD = {
    "sse": (b"data: ", b"x"),
    "jsonlines": (b'{"a": "', b"x"),
    "json_array": (b'[{"a": "', b"x"),
    "aws_eventstream": (announced(16 * MIB), b"x"),
    "whole": (b"", b"x"),
    "aws_eventstream+sse": (announced(16 * MIB), b"x"),
    "aws_eventstream+jsonlines": (announced(16 * MIB), b"x"),
}
MORE = [
    *[(name, *HELD[name]) for name in FRAMINGS],
    ("sse", b"", b": \n"),
    ("sse", b"", b"\r"),
    ("sse", b"", b"\n"),
    ("jsonlines", b"", b"\n"),
    ("json_array", b"", b" "),
    ("json_array", b"", b"["),
    ("json_array", b"[", b" "),
    ("json_array", b'["', b"\\\\"),
    ("json_array", b"[", b"{"),
    ("sniffed", b"", b" "),
    ("sniffed", b"", b"\xef\xbb\xbf"),
    ("sniffed", b" {", b"x"),
]


def fed(name, start, repeated, count):
    framer = SniffedFramer("whole", "sse") if name == "sniffed" else framer_for(None, name)
    framer.feed(start)
    feed = framer.feed
    for _ in range(count):
        for at in range(len(repeated)):
            feed(repeated[at : at + 1])


@pytest.mark.parametrize(("name", "start", "repeated"), MORE)
def test_a_body_that_comes_byte_by_byte_costs_linear_time(name, start, repeated):
    def cost(count):
        runs = []
        for _ in range(3):
            began = time.process_time()
            fed(name, start, repeated, count // len(repeated))
            runs.append(time.process_time() - began)
        return min(runs)

    # Linear is 4, quadratic 16.
    assert cost(40_000) < 10 * cost(10_000)


@pytest.mark.parametrize("name", [*FRAMINGS, "sniffed"])
def test_a_body_that_comes_in_small_pieces_takes_no_more_than_its_size(name):
    start, _ = HELD.get(name, (b"", b""))
    framer = SniffedFramer("whole", "sse") if name == "sniffed" else framer_for(None, name)
    framer.feed(start)
    with memory_below(0.75 * MIB):
        for _ in range(MIB // 8):
            framer.feed(bytes((32, 32)))


def test_an_answer_that_cannot_have_too_many_values_is_not_counted() -> None:
    class NeverCounted(bytes):
        def count(self, *_: object) -> int:
            raise AssertionError("counting takes a millisecond for each megabyte")

    most = 1 << 28
    _check_values(NeverCounted(b"[" * (1 << 21)), most, "the answer")
    with pytest.raises(MalformedResponseError, match="more than 8388608 values"):
        _check_values(b"[" * ((1 << 21) + 1), most, "the answer")
