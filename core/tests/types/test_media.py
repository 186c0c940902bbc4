"""Media types and `data:` addresses as callers and libraries write them."""

from __future__ import annotations

import base64
import json

import pytest

from jackfield import Audio, Document, Image, Message, ToolResult
from jackfield.plugin import media_type_of, parse_arguments, read_base64, split_data_url, text_of
from jackfield.testing import messages_of

PNG = b"\x89PNG\r\n\x1a\n\x00"
JPEG = b"\xff\xd8\xff\xe0"
PDF = b"%PDF-1.7"
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "
WAVE = b"RIFF\x00\x00\x00\x00WAVEfmt "


@pytest.mark.parametrize(
    ("told", "data", "name", "kind"),
    [
        ("image/png", JPEG, None, "image/png"),
        (" Image/JPG ", None, None, "image/jpeg"),
        ("image/jpeg; charset=binary", None, None, "image/jpeg"),
        ("PNG", None, None, "image/png"),
        (".pdf", None, None, "application/pdf"),
        ("application/x-pdf", None, None, "application/pdf"),
        ("text/plain; charset=latin-1", None, None, "text/plain;charset=latin-1"),
        ("text/Markdown", None, None, "text/markdown"),
        ("model/of-tomorrow", None, None, "model/of-tomorrow"),
        (None, PNG, None, "image/png"),
        ("", JPEG, None, "image/jpeg"),
        ("image/*", WEBP, None, "image/webp"),
        ("application/octet-stream", WAVE, None, "audio/wav"),
        ("binary/octet-stream", PDF, "a.txt", "application/pdf"),
        (None, b"# hi", "read.MD", "text/markdown"),
        (None, b"\xef\xbb\xbfhi", None, "text/plain"),
        (None, b"\x00\x01", None, None),
        (None, b"\xe9\xe8", None, None),
        (None, b"", None, None),
        (None, None, "a.csv", "text/csv"),
        ("nonsense", None, None, None),
    ],
)
def test_a_media_type_in_its_usual_spelling(told, data, name, kind):
    assert media_type_of(told, data, name) == kind


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b"# hi", "text/markdown", "# hi"),
        ("ä".encode(), "text/plain", "ä"),
        ("ä".encode("latin-1"), "text/plain;charset=latin-1", "ä"),
        (b"\xef\xbb\xbfhi", "TEXT/PLAIN; charset=utf-8", "hi"),
        (b"\xff", "text/plain", "\ufffd"),
        (b"a", "text/plain;charset=of-tomorrow", "a"),
        (b"{}", "application/json", "{}"),
        (b"{}", "application/ld+json", "{}"),
        (b"<a/>", "image/svg+xml", "<a/>"),
        (PDF, "application/pdf", None),
        (b"x", None, None),
    ],
)
def test_the_text_of_a_file(data, kind, text):
    assert text_of(data, kind) == text


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://a.example/data:x", None),
        ("data:image/png;base64,AAEC", (b"\x00\x01\x02", "image/png")),
        ("DATA:image/png;charset=x;BASE64,AAEC", (b"\x00\x01\x02", "image/png;charset=x")),
        ("data:;base64,AAEC", (b"\x00\x01\x02", None)),
        ("data: image/png ; base64,AA\nEC", (b"\x00\x01\x02", "image/png")),
        ("data:image/png;base64,-_8", (b"\xfb\xff", "image/png")),
        ("data:image/png;base64,%2B%2F8%3D", (b"\xfb\xff", "image/png")),
    ],
)
def test_data_addresses(url, found):
    assert split_data_url(url) == found


@pytest.mark.parametrize("url", ["data:", "data:image/png;base64", "data:image/png,xx", "data:image/png;base64,!", "data:image/png;base64,A"])  # fmt: skip
def test_data_addresses_without_data(url):
    with pytest.raises(ValueError, match="base64"):
        split_data_url(url)


@pytest.mark.parametrize("size", range(1, 7))
def test_base64_in_every_form(size):
    data = bytes(range(250, 250 + size))
    for text in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        assert read_base64(text.decode()) == read_base64(text.decode().rstrip("=") + "\r\n") == data


def read(*parts, role="user"):
    (message,) = messages_of([Message(role, parts)])
    return message.parts


def test_files_of_a_call_have_their_usual_form():
    url = f"data:image/jpg;base64,{base64.b64encode(JPEG).decode()}"
    assert read(Image(url=url, detail="low"), Image(data=PNG), Image(data=JPEG, media_type="JPG")) == (
        Image(data=JPEG, media_type="image/jpeg", detail="low"),
        Image(data=PNG, media_type="image/png"),
        Image(data=JPEG, media_type="image/jpeg"),
    )
    assert read(Document(data=b"# hi", name="a.md"), Document(url="data:;base64,JVBERi0=")) == (
        Document(data=b"# hi", name="a.md", media_type="text/markdown"),
        Document(data=b"%PDF-", media_type="application/pdf"),
    )
    assert read(Audio(data=WAVE)) == (Audio(data=WAVE, media_type="audio/wav"),)
    result = ToolResult("a", [Image(data=PNG)])
    for answer in (read(result, role="tool")[0], messages_of([result])[0].parts[0]):
        assert answer.content == (Image(data=PNG, media_type="image/png"),)


def test_what_is_usual_is_not_touched():
    message = Message("user", ["a", Image(data=b"x", media_type="image/png"), Image(url="https://a.example/a"), Document(text="t")])  # fmt: skip
    assert messages_of([message])[0] is message


def test_a_dict_may_hold_a_data_address_wherever_data_stands():
    parts = [
        {"type": "image_url", "image_url": {"url": "data:;base64,iVBORw0KGgo="}},
        {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AAEC", "format": "wav"}},
        {"type": "file", "file": {"file_data": "data:;base64,JVBERi0=", "filename": "a"}},
    ]
    (message,) = messages_of([{"role": "user", "content": parts}])
    assert [part.media_type for part in message.parts] == ["image/png", "audio/wav", "application/pdf"]


def test_a_data_address_that_is_not_valid_is_named_with_its_place():
    with pytest.raises(ValueError, match=r"messages\[0\]\.parts\[1\]: .*base64"):
        messages_of([Message("user", ["a", Image(url="data:image/png,x")])])


def test_arguments_of_a_tool_call_are_parsed_as_the_core_parses_them():
    assert parse_arguments('{"a": 1}') == ({"a": 1}, None)
    assert parse_arguments("") == ({}, None)
    assert parse_arguments("[1]") == ({}, "[1]")
    assert parse_arguments('{"id": 12345678901234567890123}')[0] == {"id": 12345678901234567890123}
    for none in ("null", '""', " ", '"{}"', '"null"'):
        assert parse_arguments(none) == ({}, None)
    for twice in ('"{\\"a\\": 1}"', json.dumps(json.dumps('{"a": 1}'))):
        assert parse_arguments(twice) == ({"a": 1}, None)
    for broken in ('"a"', "7", '"[1]"', '{"a": 1'):
        assert parse_arguments(broken) == ({}, broken)
