"""The configuration's file: replaced in one step, with its earlier versions beside it."""

import os
import stat
import threading

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from jackfield_console._config_file import ConfigFile, ConflictError, FileError, diff_of
from jackfield_console._secret_texts import show_text


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "jackfield.toml"
    path.write_bytes(b"# ours\r\na = 1\r\n")
    path.chmod(0o640)
    return ConfigFile(path)


def names(folder):
    return sorted(os.listdir(folder))


def test_a_change_keeps_the_earlier_file_beside_it(file, tmp_path):
    before = file.read()
    after = file.replace("a = 2\n", base=before.digest)
    assert after.text == "a = 2\n"
    assert names(tmp_path) == ["jackfield.toml", "jackfield.toml.~1~"]
    assert (tmp_path / "jackfield.toml.~1~").read_bytes() == b"# ours\r\na = 1\r\n"
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names(tmp_path)} == {0o640}


def is_text(data):
    try:
        return "\x00" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200).filter(is_text),
    st.text(st.characters(codec="utf-8"), max_size=50),
)
def test_write_and_undo_give_the_old_bytes(tmp_path, data, text):
    path = tmp_path / "any.toml"
    path.write_bytes(data)
    file = ConfigFile(path)
    written = file.replace(text, base=file.read().digest)
    latest = file.list_versions()[0]
    file.restore(latest.number, base=written.digest)
    assert path.read_bytes() == data


def test_a_byte_order_mark_stays(file):
    file.path.write_bytes(b"\xef\xbb\xbfa = 1\n")
    before = file.read()
    assert before.text == "a = 1\n"
    file.replace("a = 2\n", base=before.digest)
    assert file.path.read_bytes() == b"\xef\xbb\xbfa = 2\n"


def test_a_symbolic_link_is_followed(file, tmp_path):
    link = tmp_path / "elsewhere" / "link.toml"
    link.parent.mkdir()
    link.symlink_to(file.path)
    linked = ConfigFile(link)
    linked.replace("a = 3\n", base=linked.read().digest)
    assert link.is_symlink()
    assert file.path.read_text() == "a = 3\n"
    assert names(link.parent) == ["link.toml"]
    assert len(linked.list_versions()) == 1


def test_what_somebody_else_changed_is_a_conflict_and_shown(file):
    before = file.read()
    file.path.write_text("a = 1\nb = 2\n")
    with pytest.raises(ConflictError) as caught:
        file.replace("a = 9\n", base=before.digest)
    assert "+b = 2" in caught.value.diff
    assert file.path.read_text() == "a = 1\nb = 2\n"
    assert file.list_versions() == []


def test_of_many_at_once_one_wins(file):
    base = file.read().digest
    won, lost = [], []

    def change(number):
        try:
            ConfigFile(file.path).replace(f"a = {number}\n", base=base)
            won.append(number)
        except ConflictError:
            lost.append(number)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 7
    assert file.path.read_text() == f"a = {won[0]}\n"
    assert len(file.list_versions()) == 1


def test_only_so_many_earlier_versions_are_kept(file, tmp_path):
    small = ConfigFile(file.path, kept=3)
    for number in range(6):
        small.replace(f"a = {number}\n", base=small.read().digest)
    assert [version.number for version in small.list_versions()] == [6, 5, 4]
    assert [version.text for version in small.list_versions()] == ["a = 4\n", "a = 3\n", "a = 2\n"]


def test_a_text_is_tried_in_the_folder_of_the_file_and_leaves_nothing(file, tmp_path):
    seen = []

    def load(path):
        seen.append((path.parent, path.read_text()))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        file.try_text("b = 1\n", load)
    assert seen == [(tmp_path, "b = 1\n")]
    assert names(tmp_path) == ["jackfield.toml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours_is_told(file, tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "cannot be written" in file.find_fault()
        with pytest.raises(FileError, match="edit it where it comes from"):
            file.replace("a = 2\n", base=file.read().digest)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("number", "words"),
    [(30, "read-only file system"), (16, "mount its folder"), (1, "another user"), (28, "No space")],
)
def test_a_write_that_fails_changes_nothing_and_says_what_to_do(file, tmp_path, monkeypatch, number, words):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    before = file.read()
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FileError, match=words):
        file.replace("a = 2\n", base=before.digest)
    assert names(tmp_path) == ["jackfield.toml"]
    assert file.read() == before


def test_no_secret_of_the_file_is_in_a_diff():
    old = 'proxy = "http://me:hunter2@p.example"\napi_key = "sk-proj-0123456789abc"\n# old: hf_0123456789abc\nx = 1\n'
    shown = diff_of(old, old.replace("x = 1", "x = 2"))
    assert "+x = 2" in shown
    assert not any(secret in shown for secret in ("hunter2", "0123456789abc"))
    assert show_text('Authorization = "Bearer abc"\n') == "Authorization = ***\n"
    assert show_text('api_key = "env:MY_KEY"\n') == 'api_key = "env:MY_KEY"\n'
    assert (
        show_text('hash = "sha256:abc"\nmodel = "gpt-6-luna-2026-11-01"\n')
        == 'hash = "sha256:abc"\nmodel = "gpt-6-luna-2026-11-01"\n'
    )
