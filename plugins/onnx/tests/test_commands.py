"""`jackfield onnx ...`, and archives of models."""

import hashlib
import io
import json
import tarfile

import pytest
import tiny_graphs as tiny
from loopback_hub import NAME, LoopbackHub

import jackfield_onnx_commands
from jackfield import Registry
from jackfield.cli import main
from jackfield_onnx._files.hub import Hub
from jackfield_onnx._files.store import ModelStore
from jackfield_onnx._local_errors import DamagedModelError, DigestMismatchError, PreparationError


@pytest.fixture
def hub(tmp_path):
    folder = tiny.write_reranker(tmp_path / "origin")
    server = LoopbackHub(
        {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
    )
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def store(tmp_path, hub):
    store = ModelStore(tmp_path / "cache", hub=lambda: Hub(hub.endpoint))
    store.ensure(NAME)
    return store


@pytest.fixture
def jackfield(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("JACKFIELD_MODEL_CACHE", str(tmp_path / "cli"))

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(arguments, registry=Registry.of(extensions=[jackfield_onnx_commands]))
        output = "".join(capsys.readouterr())
        assert (ended.value.code or 0) == code, output
        return output

    return run


def test_a_model_goes_out_and_in_again(store, tmp_path):
    target = tmp_path / "small.tar"
    seen = []
    digest = store.export(NAME, target, progress=lambda *step: seen.append(step))
    other = ModelStore(tmp_path / "other")

    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert seen[-1][1] == seen[-1][2]
    assert other.import_archive(target) == NAME
    other.verify(NAME)
    assert other.is_ready(NAME)
    assert other.import_archive(target) == NAME  # in the place of itself
    assert [one.entry.hub.name for one in other.list_cached()] == [NAME]


def test_only_what_is_whole_goes_out(store, tmp_path):
    (store.folder(NAME) / "config.json").write_bytes(
        b"x" * (store.folder(NAME) / "config.json").stat().st_size
    )
    with pytest.raises(DamagedModelError, match="has changed"):
        store.export(NAME, tmp_path / "a.tar")
    with pytest.raises(DamagedModelError, match="not complete"):
        store.export("minilm", tmp_path / "a.tar")


def rewrite(source, target, change):
    """Write an archive anew; `change` gets a list of (entry, data) and may change it."""
    with tarfile.open(source) as tar:
        rows = [(entry, tar.extractfile(entry).read()) for entry in tar]
    change(rows)
    with tarfile.open(target, "w") as tar:
        for entry, data in rows:
            entry.size = len(data) if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(data))


def added(name, **about):
    def change(rows):
        entry = tarfile.TarInfo(name)
        for key, value in about.items():
            setattr(entry, key, value)
        rows.append((entry, b"evil"))

    return change


def announced(path):
    """Announce a file under a path, and add it."""

    def change(rows):
        manifest = json.loads(rows[0][1])
        manifest["files"][path] = {"size": 4, "sha256": hashlib.sha256(b"evil").hexdigest()}
        rows[0] = (rows[0][0], json.dumps(manifest).encode())
        rows.append((tarfile.TarInfo(f"model/{path}"), b"evil"))

    return change


def with_manifest(**changes):
    def change(rows):
        manifest = {**json.loads(rows[0][1]), **changes}
        rows[0] = (rows[0][0], json.dumps(manifest).encode())

    return change


def flipped(rows):
    entry, data = rows[-1]
    rows[-1] = (entry, bytes([data[0] ^ 1]) + data[1:])


def shortened(rows):
    rows[-1] = (rows[-1][0], rows[-1][1][:-1])


def without(path):
    """Leave a file out, and announce none."""

    def change(rows):
        manifest = json.loads(rows[0][1])
        del manifest["files"][path]
        rows[:] = [
            (rows[0][0], json.dumps(manifest).encode()),
            *(row for row in rows[1:] if row[0].name != f"model/{path}"),
        ]

    return change


REFUSED = {
    "a file that was not announced": added("model/more.json"),
    "a path out of the folder": added("model/../../evil.json"),
    "an absolute path": added("/tmp/evil.json"),
    "a link": added("model/config.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": added("model/x.json", type=tarfile.LNKTYPE, linkname="model/config.json"),
    "a device": added("model/x.json", type=tarfile.CHRTYPE),
    "an announced path out of the folder": announced("../evil.json"),
    "an announced pickle": announced("evil.bin"),
    "announced code": announced("evil.py"),
    "another byte": flipped,
    "a byte less": shortened,
    "a file less": lambda rows: rows.pop(),
    "no manifest": lambda rows: rows.pop(0),
    "another format": with_manifest(format=9),
    "no files": with_manifest(files={}),
    "files that are none": with_manifest(files=[1]),
    "another model's name": with_manifest(name="minilm"),
    "other sources": with_manifest(sources=["x"]),
    "a marker of its own": announced("complete.json"),
    "a marker of its own, in another spelling": announced("complete.json/"),
    "a marker of its own on a system without case": announced("Complete.JSON"),
    "a manifest that is nested without end": lambda rows: rows.__setitem__(
        0, (rows[0][0], b'{"a":' * 100_000)
    ),
    "a manifest that is not text": lambda rows: rows.__setitem__(0, (rows[0][0], b"\xff\xfe{}")),
    "no graph": without("model.onnx"),
    "no tokenizer": without("tokenizer.json"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_what_was_exported_is_refused(store, tmp_path, what):
    store.export(NAME, tmp_path / "good.tar")
    rewrite(tmp_path / "good.tar", tmp_path / "bad.tar", REFUSED[what])
    other = ModelStore(tmp_path / "deep" / "other")

    with pytest.raises((DamagedModelError, DigestMismatchError)):
        other.import_archive(tmp_path / "bad.tar")

    assert other.list_cached() == ()
    assert not list((tmp_path / "deep").rglob("evil*"))
    assert not (tmp_path / "evil.json").exists()


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_leaves_the_model_that_is_there(store, tmp_path, what):
    store.export(NAME, tmp_path / "good.tar")
    rewrite(tmp_path / "good.tar", tmp_path / "bad.tar", REFUSED[what])

    with pytest.raises((DamagedModelError, DigestMismatchError)):
        store.import_archive(tmp_path / "bad.tar")

    store.verify(NAME)


def test_a_hub_may_have_a_file_of_our_markers_name(tmp_path, hub):
    hub.files["complete.json"] = b"{}"
    store = ModelStore(tmp_path / "cache", hub=lambda: Hub(hub.endpoint))
    store.ensure(NAME)
    store.verify(NAME)
    store.export(NAME, tmp_path / "good.tar")
    assert ModelStore(tmp_path / "other").import_archive(tmp_path / "good.tar") == NAME


def test_what_is_no_archive(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"nothing of the kind")
    with pytest.raises(DamagedModelError, match="not a valid archive"):
        ModelStore(tmp_path / "c").import_archive(tmp_path / "a.tar")
    with pytest.raises(PreparationError):
        ModelStore(tmp_path / "c").import_archive(tmp_path / "none.tar")


def test_the_commands_together(jackfield, hub, tmp_path):
    out = jackfield("onnx", "pull", "acme/small", "--endpoint", hub.endpoint)
    assert "hub--acme--small--main" in out

    listed = json.loads(jackfield("--json", "onnx", "list"))["models"]
    assert {one["name"]: one["ready"] for one in listed} == {
        "smollm2-135m": False,
        "minilm": False,
        NAME: True,
    }
    assert NAME in jackfield("onnx", "list")

    target = tmp_path / "small.tar"
    digest = json.loads(jackfield("--json", "onnx", "export", NAME, str(target)))["sha256"]
    assert "removed" in jackfield("onnx", "remove", NAME)
    assert "was not" in jackfield("onnx", "remove", NAME)
    assert "sha256" in jackfield("onnx", "import", str(target), "--sha256", "0" * 64, code=3)
    jackfield("onnx", "import", str(target), "--sha256", digest)
    assert json.loads(jackfield("--json", "onnx", "list"))["models"][2]["ready"]


@pytest.mark.parametrize("meant", [True, False])
def test_a_token_of_the_environment_goes_to_the_hub_that_the_environment_means(
    jackfield, hub, monkeypatch, meant
):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint if meant else "https://hub.example")
    jackfield("onnx", "pull", "acme/small", "--endpoint", hub.endpoint)
    assert hub.requests[0][2] == ("Bearer hf_secret" if meant else None)


@pytest.mark.parametrize("more", [(), ("--sha256", "0" * 64)])
def test_an_archive_that_is_not_there(jackfield, more):
    assert "cannot be" in jackfield("onnx", "import", "none.tar", *more, code=3)


def test_an_unknown_model_has_its_exit_code(jackfield):
    assert "Did you mean" in jackfield("onnx", "pull", "smolm2-135m", code=4)


def test_exporting_a_graph_without_optimum_says_how_to_get_it(jackfield, tmp_path):
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")
    assert "safetensors" in jackfield("onnx", "export", str(tmp_path / "hf"), str(tmp_path / "out"), code=3)
    (tmp_path / "hf" / "model.safetensors").write_bytes(b"")
    assert "onnx[export]" in jackfield("onnx", "export", str(tmp_path / "hf"), str(tmp_path / "out"), code=3)
