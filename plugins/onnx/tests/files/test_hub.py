"""Models of a hub, from a server of our own on the loopback interface."""

import contextlib
import json
import socket
import threading

import pytest
import tiny_graphs as tiny
from loopback_hub import COMMIT, NAME, LoopbackHub

from jackfield import ConfigurationError, ConnectionFailedError, Mesh
from jackfield_onnx._files import hub as _hub
from jackfield_onnx._files.hub import Hub, HubFile, choose_files, is_safe_path
from jackfield_onnx._files.hub_names import HubModel, parse_hub_name
from jackfield_onnx._files.store import ModelStore
from jackfield_onnx._local_errors import (
    DamagedModelError,
    DigestMismatchError,
    DownloadError,
    PreparationCancelledError,
    RequestError,
    UnsupportedModelError,
)


@pytest.fixture
def hub(tmp_path):
    folder = tiny.write_reranker(tmp_path / "origin")
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    files["onnx/model.onnx"] = files.pop("model.onnx")
    files |= {
        "onnx/model_fp16.onnx": b"half", "pytorch_model.bin": b"pickle", "modeling_small.py": b"import os",
        "README.md": b"# Small", "model.safetensors": b"weights",
    }  # fmt: skip
    server = LoopbackHub(files)
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def store(tmp_path, hub):
    return ModelStore(tmp_path / "cache", hub=lambda: Hub(hub.endpoint))


def test_a_model_is_fetched_without_what_could_run(store, hub):
    seen = []
    folder = store.ensure(NAME, progress=lambda *step: seen.append(step))

    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"config.json", "tokenizer.json", "README.md", "onnx/model.onnx", "complete.json"}
    assert folder.name == "hub--acme--small--main"
    assert seen[-1][0] == "download"
    assert seen[-1][1] == seen[-1][2]
    assert json.loads((folder / "complete.json").read_text())["commit"] == COMMIT
    assert [(one.entry.hub.name, one.ready) for one in store.list_cached()] == [(NAME, True)]


def test_the_second_use_asks_nobody(store, hub):
    store.ensure(NAME)
    asked = len(hub.requests)

    assert store.ensure(NAME) == store.folder(NAME)
    assert len(hub.requests) == asked
    store.verify(NAME)
    assert store.remove(NAME)
    assert store.list_cached() == ()


@pytest.mark.parametrize("commit", ["../../x", "a/b", "main?x=", "", "..", "a#b"])
def test_a_commit_that_the_hub_names_stays_in_its_place(tmp_path, hub, monkeypatch, commit):
    monkeypatch.setattr("loopback_hub.COMMIT", commit)
    with pytest.raises(DownloadError, match="is not a commit"):
        ModelStore(tmp_path / "cache", hub=lambda: Hub(hub.endpoint)).ensure(NAME)
    assert len(hub.requests) == 1


def test_a_token_goes_to_the_hub_alone(tmp_path, hub):
    hub.token = "hf_secret"
    ModelStore(tmp_path / "cache", hub=lambda: Hub(hub.endpoint, "hf_secret")).ensure(NAME)

    for host, _, sent in hub.requests:
        assert (sent == "Bearer hf_secret") == host.startswith("127.0.0.1")
    with pytest.raises(DownloadError, match="HF_TOKEN"):
        ModelStore(tmp_path / "other", hub=lambda: Hub(hub.endpoint)).ensure(NAME)


@pytest.mark.parametrize(
    "lie", [{"size": 3}, {"lfs": {"sha256": "0" * 64}}, {"blobId": "0" * 40, "lfs": None}]
)
def test_a_file_that_is_not_the_announced_one_is_refused(store, hub, lie):
    hub.listed["onnx/model.onnx"] = lie

    with pytest.raises(DigestMismatchError, match=r"onnx/model\.onnx"):
        store.ensure(NAME)
    assert [path.name for path in store.root.iterdir() if not path.name.startswith(".")] == []


def test_cancelling_leaves_nothing(store):
    with pytest.raises(PreparationCancelledError):
        store.ensure(NAME, cancelled=lambda: True)
    assert list(store.root.glob("hub--*")) == []


def test_paths_that_lead_elsewhere_are_left_out(store, hub):
    hub.files |= {"../evil.json": b"{}", "/etc/evil.json": b"{}", "a/../../evil.json": b"{}"}

    folder = store.ensure(NAME)

    assert not list(folder.rglob("evil.json"))
    assert not (store.root.parent / "evil.json").exists()


def test_what_the_hub_does_not_have(store):
    with pytest.raises(DownloadError, match="404"):
        store.ensure("hub:acme/none@main")


def test_a_hub_that_cannot_be_reached(tmp_path):
    with pytest.raises(DownloadError, match="HF_ENDPOINT"):
        Hub("http://127.0.0.1:9").list_files(HubModel("a/b"))


def test_a_hub_that_is_none(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(b"SSH-2.0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(DownloadError, match="cannot be reached"):
            Hub(f"http://127.0.0.1:{listening.getsockname()[1]}").list_files(HubModel("a/b"))


def test_an_answer_that_is_none(hub):
    hub.rows = lambda: [{}]
    with pytest.raises(DownloadError, match="cannot be read"):
        Hub(hub.endpoint).list_files(HubModel("acme/small"))


def test_a_list_without_end_is_not_read_to_its_end(hub, monkeypatch):
    monkeypatch.setattr("jackfield_onnx._files.hub._LONGEST_LIST", 3 << 20)
    hub.rows = lambda: [{"rfilename": "x" * (5 << 20)}]
    with pytest.raises(DownloadError, match="does not end"):
        Hub(hub.endpoint).list_files(HubModel("acme/small"))


def test_redirects_to_other_protocols_are_not_followed(hub):
    hub.answer = lambda call: (
        call.send_response(302),
        call.send_header("Location", "ftp://x/y"),
        call.end_headers(),
    )
    with pytest.raises(DownloadError, match="ftp"):
        Hub(hub.endpoint).list_files(HubModel("acme/small"))


@pytest.mark.parametrize("endpoint", ["ftp://hub", "hub", "file:///etc"])
def test_an_address_must_be_one(endpoint):
    with pytest.raises(RequestError, match="not a valid URL"):
        Hub(endpoint)


def test_a_token_is_not_sent_in_the_clear():
    with pytest.raises(RequestError, match="plain http"):
        Hub("http://hub.example", "secret")


def test_the_endpoint_is_the_environments(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert Hub().endpoint == "https://mirror.example"
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.setattr(_hub, "_find_default_endpoint", lambda: "https://own.example")
    assert Hub().endpoint == "https://own.example"


@pytest.mark.parametrize(
    "name",
    ["hub:../x", "hub:a/b/c", "hub:a/..", "hub:a b/c", "hub:a/b@../x", "hub:a/b@/x", "hub:", "hub:-a/b"],
)
def test_names_that_are_none(name):
    with pytest.raises(RequestError):
        parse_hub_name(name)


def files(*paths):
    return [HubFile(path, 1) for path in paths]


@pytest.mark.parametrize(
    ("precision", "has", "chosen"),
    [
        ("auto", ("onnx/model_q4.onnx", "onnx/model.onnx", "onnx/model_fp16.onnx"), {"onnx/model.onnx"}),
        ("int8", ("onnx/model.onnx", "onnx/model_quantized.onnx"), {"onnx/model_quantized.onnx"}),
        ("auto", ("model_int8.onnx",), {"model_int8.onnx"}),
        ("auto", ("model.onnx", "model.onnx_data", "model.onnx_data_1"), {"model.onnx", "model.onnx_data", "model.onnx_data_1"}),
        ("fp16", ("model.onnx", "model.onnx.data", "model_fp16.onnx"), {"model_fp16.onnx"}),
        (
            "auto",
            ("encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx", "decoder_model_merged.onnx"),
            {"encoder_model.onnx", "decoder_model_merged.onnx"},
        ),
        ("auto", ("model.safetensors", "pytorch_model.bin"), {"model.safetensors"}),
    ],
)  # fmt: skip
def test_one_graph_of_each_part_is_chosen(precision, has, chosen):
    found = {file.path for file in choose_files(files("config.json", *has), precision)}

    assert found == {"config.json", *chosen}


def test_what_a_model_does_not_have_is_told():
    with pytest.raises(UnsupportedModelError, match="It has fp32"):
        choose_files(files("model.onnx"), "int4")
    with pytest.raises(UnsupportedModelError, match="neither graphs nor weights"):
        choose_files(files("pytorch_model.bin", "config.json"))


@pytest.mark.parametrize(
    "path",
    ["a.bin", "a.py", "a.pt", "a.pkl", "../a.json", "/a.json", "a\\b.json", "C:a.json", "", "a/./b.json"],
)
def test_paths_that_have_no_place(path):
    assert not is_safe_path(path)


async def test_a_declared_model_of_a_hub_is_fetched_and_used(tmp_path, hub):
    model = {"id": "house", "hub": "acme/small", "revision": "main", "kind": "rerank"}
    local = {
        "provider": "onnx", "models": [model], "hub_endpoint": hub.endpoint, "cache_dir": str(tmp_path / "c"),
        "device": "cpu", "retry": {"attempts": 1},
    }  # fmt: skip
    async with Mesh.from_config({"connections": {"local": local}}) as mesh:
        reply = await mesh.rerank("local:house", "one", ["two", "four"])
    assert [one.index for one in reply.results] == [1, 0]

    asked = len(hub.requests)
    async with Mesh.from_config({"connections": {"local": {**local, "offline": True}}}) as mesh:
        await mesh.rerank("local:house", "one", ["two", "four"])
        assert len(hub.requests) == asked
    empty = {**local, "offline": True, "cache_dir": str(tmp_path / "d")}
    async with Mesh.from_config({"connections": {"local": empty}}) as mesh:
        with pytest.raises(ConfigurationError, match="jackfield onnx import"):
            await mesh.rerank("local:house", "one", ["two"])
    gone = {**local, "models": [{**model, "revision": "v9"}], "cache_dir": str(tmp_path / "e")}
    async with Mesh.from_config({"connections": {"local": gone}}) as mesh:
        with pytest.raises(ConnectionFailedError, match="404"):
            await mesh.rerank("local:house", "one", ["two"])


def test_a_model_without_a_configuration_is_refused(store, hub):
    for name in ("config.json", "tokenizer.json"):
        del hub.files[name]
    with pytest.raises(DamagedModelError, match=r"config\.json"):
        store.ensure(NAME)
