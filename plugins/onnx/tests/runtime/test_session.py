import importlib.metadata
import importlib.util
import sys
import types

import pytest

from jackfield_onnx._local_errors import (
    DamagedModelError,
    DeviceUnavailableError,
    RuntimeConflictError,
    RuntimeMissingError,
)
from jackfield_onnx._runtime import cuda as _cuda, session as _runtime
from jackfield_onnx._runtime.cuda import DeviceFallbackWarning
from jackfield_onnx._runtime.session import (
    SessionSettings,
    TelemetryWarning,
    load_runtime,
    open_session,
)


class FakeRuntime:
    """A runtime that lists CUDA, as the GPU build does on every machine, and gives a session on `gives`."""

    def __init__(self, gives):
        self.gives = gives
        self.asked = None

    def get_available_providers(self):
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def SessionOptions(self):
        return types.SimpleNamespace(add_session_config_entry=lambda key, value: None)

    def InferenceSession(self, path, options, providers):
        self.asked = providers
        return types.SimpleNamespace(get_providers=lambda: self.gives)


@pytest.fixture
def runtime(monkeypatch):
    def install(*gives):
        fake = FakeRuntime(list(gives))
        monkeypatch.setattr(_runtime, "load_runtime", lambda: fake)
        return fake

    _cuda.warn.cache_clear()
    yield install
    _cuda.warn.cache_clear()


@pytest.fixture
def installed(monkeypatch):
    """Pretend that exactly these distributions are installed."""

    def pretend(*names):
        def version(name):
            if name not in names:
                raise importlib.metadata.PackageNotFoundError(name)
            return "1"

        monkeypatch.setattr(importlib.metadata, "version", version)

    load_runtime.cache_clear()
    yield pretend
    load_runtime.cache_clear()


def test_cuda_that_became_cpu_is_an_error(tmp_path, runtime):
    runtime("CPUExecutionProvider")

    with pytest.raises(DeviceUnavailableError, match="device=cuda") as caught:
        open_session(tmp_path, SessionSettings(device="cuda"))
    assert "jackfield-onnx[gpu]" in caught.value.remedy


def test_auto_that_became_cpu_warns_once(tmp_path, runtime):
    runtime("CPUExecutionProvider")

    with pytest.warns(DeviceFallbackWarning):
        assert open_session(tmp_path, SessionSettings()).device == "cpu"
    assert open_session(tmp_path, SessionSettings()).device == "cpu"


@pytest.mark.parametrize(
    ("declared", "device", "number"), [("cuda", "cuda:0", 0), ("cuda:2", "cuda:2", 2), ("auto", "cuda:0", 0)]
)
def test_a_cuda_session_says_which_device(tmp_path, runtime, declared, device, number):
    fake = runtime("CUDAExecutionProvider", "CPUExecutionProvider")

    assert open_session(tmp_path, SessionSettings(device=declared)).device == device
    assert fake.asked[0] == ("CUDAExecutionProvider", {"device_id": number})


def test_cpu_asks_for_nothing_else(tmp_path, runtime):
    fake = runtime("CPUExecutionProvider")

    assert open_session(tmp_path, SessionSettings(device="cpu")).device == "cpu"
    assert fake.asked == ["CPUExecutionProvider"]


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(ValueError, match="device"):
        SessionSettings(device=device)


def test_both_distributions_are_a_conflict_with_a_repair(installed):
    installed("onnxruntime", "onnxruntime-gpu")

    with pytest.raises(RuntimeConflictError, match="pip uninstall -y onnxruntime onnxruntime-gpu"):
        load_runtime()


def test_no_distribution_names_both_extras(installed, monkeypatch):
    installed()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(RuntimeMissingError) as caught:
        load_runtime()
    assert "onnx[cpu]" in str(caught.value)
    assert "[gpu]" in str(caught.value)


def test_a_module_of_another_distribution_will_do(installed):
    installed()

    assert load_runtime() is sys.modules["onnxruntime"]


def test_a_graph_that_cannot_be_loaded_is_damaged(tmp_path):
    with pytest.raises(DamagedModelError, match="nothing.onnx"):
        open_session(tmp_path / "nothing.onnx", SessionSettings(device="cpu"))


def test_telemetry_that_is_already_on_is_told(installed, monkeypatch):
    load_runtime()
    load_runtime.cache_clear()
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")

    with pytest.warns(TelemetryWarning, match="ORT_DISABLE_TELEMETRY=1"):
        load_runtime()


def test_no_telemetry_file_appears_in_a_fresh_home(tmp_path, tiny_folder, run_python):
    code = f"""
import asyncio, os, pathlib
from jackfield_onnx._engine.engine import Engine
from jackfield_onnx._engine.replies import GenerateRequest
async def main():
    engine = await Engine.load(pathlib.Path({str(tiny_folder)!r}))
    async with engine.generate(GenerateRequest(prompt="x", max_tokens=2)) as generation:
        async for step in generation: pass
    await engine.aclose()
asyncio.run(main())
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
"""
    # CI=true would switch the uploader off by itself and prove nothing; an inherited 0 must not switch it on.
    done = run_python(code, HOME=str(tmp_path), XDG_CACHE_HOME="", CI="", ORT_DISABLE_TELEMETRY="0")

    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []


def test_importing_the_package_imports_nothing_heavy(run_python):
    code = """
import sys, jackfield_onnx
heavy = {"numpy", "onnxruntime", "onnx", "tokenizers", "jinja2"} & sys.modules.keys()
assert not heavy, heavy
"""
    done = run_python(code)

    assert done.returncode == 0, done.stderr
