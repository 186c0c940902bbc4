"""Text files that people and other programs write: UTF-8, with or without a mark, or a reason why not."""

from __future__ import annotations

import pytest

from jackfield._text_files import read_text_file


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_mark_and_line_ends_do_not_matter(tmp_path, mark, end):
    path = tmp_path / "file"
    path.write_bytes(mark + "é\u2028\x0c\x85é".encode() + end + b"two")
    assert read_text_file(path) == "é\u2028\x0c\x85é\ntwo"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("key".encode("utf-16"), "it is UTF-16; save it as UTF-8"),
        ("key".encode("utf-32"), "it is UTF-32; save it as UTF-8"),
        (b"\xfe\xff\0k", "it is UTF-16; save it as UTF-8"),
        ("clé".encode("utf-16-le"), "not text in UTF-8 but binary, or UTF-16"),
        (b"one\ncl\xe9", r"it is not UTF-8 \(line 2\)"),
        (b"\x89PNG\r\n\0", "not text in UTF-8 but binary"),
    ],
)
def test_another_encoding_is_an_error_of_the_file_that_shows_none_of_it(tmp_path, content, reason):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(OSError, match=reason) as caught:
        read_text_file(path)
    assert caught.value.filename == str(path)
    assert "cl" not in caught.value.strerror
    assert caught.value.__cause__ is None


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").write_text("text", "utf-8")
    assert read_text_file("~/file") == "text"


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_text_file(tmp_path / "file")
