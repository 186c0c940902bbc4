"""What can be held of CUDA without a GPU: errors, warnings, what a session is told, and the arithmetic of buffers."""

import ctypes
import types

import numpy as np
import pytest

from jackfield_onnx._engine import decoder as _decoder
from jackfield_onnx._engine.decoder import open_decoder
from jackfield_onnx._files.layouts import read_decoder_folder
from jackfield_onnx._local_errors import DeviceUnavailableError, GenerationError
from jackfield_onnx._runtime import cuda as _cuda, session as _runtime
from jackfield_onnx._runtime.session import OpenedSession, SessionSettings


@pytest.fixture(autouse=True)
def fresh():
    _cuda.warn.cache_clear()
    yield
    _cuda.warn.cache_clear()


class Runtime:
    """The module `onnxruntime`, its GPU build or not, over memory of the host."""

    def __init__(self, *providers):
        self.providers = providers
        self.preloaded = False
        self.arrays = []

    @property
    def OrtValue(self):
        return self

    def get_available_providers(self):
        return list(self.providers)

    def preload_dlls(self):
        self.preloaded = True

    def ortvalue_from_shape_and_type(self, shape, kind, device, number):
        assert (device, number) == ("cuda", 1)
        self.arrays.append(np.zeros(shape, kind))
        return types.SimpleNamespace(data_ptr=lambda: self.arrays[-1].ctypes.data)


CPU_BUILD, GPU_BUILD = ("CPUExecutionProvider",), ("CUDAExecutionProvider", "CPUExecutionProvider")


def test_a_session_is_told_device_and_limit_with_its_libraries_loaded():
    runtime = Runtime(*GPU_BUILD)

    assert _cuda.build_provider(runtime, "cuda:2", None) == ("CUDAExecutionProvider", {"device_id": 2})
    assert _cuda.build_provider(runtime, "cuda:0", 5_000) == (
        "CUDAExecutionProvider",
        {"device_id": 0, "gpu_mem_limit": 5_000, "arena_extend_strategy": "kSameAsRequested"},
    )
    assert runtime.preloaded


def test_cuda_on_the_build_for_the_cpu_is_an_error_with_the_commands():
    with pytest.raises(DeviceUnavailableError, match="CPU build") as caught:
        _cuda.require_available(Runtime(*CPU_BUILD), "cuda:1")
    assert "pip uninstall -y onnxruntime" in caught.value.remedy
    assert 'pip install --force-reinstall "./plugins/onnx[gpu]"' in caught.value.remedy
    _cuda.require_available(Runtime(*GPU_BUILD), "cuda:1")


def test_a_fallback_names_what_is_missing(monkeypatch):
    monkeypatch.setattr(_cuda, "_can_load", lambda name: name.startswith("libcuda"))

    with pytest.raises(DeviceUnavailableError, match=r"missing: cuBLAS .*, cuDNN \(libcudnn.so.9\)"):
        _cuda.report_fallback("cuda")
    with pytest.warns(_cuda.DeviceFallbackWarning, match="missing: cuBLAS"):
        _cuda.report_fallback("auto")
    monkeypatch.setattr(_cuda, "_can_load", lambda name: True)
    with pytest.raises(DeviceUnavailableError, match="driver may be too old"):
        _cuda.report_fallback("cuda")


def test_any_version_of_a_library_will_do(monkeypatch):
    monkeypatch.setattr(
        _cuda, "_can_load", lambda name: ".so.12" in name or name in {"libcuda.so.1", "libcudnn.so.9"}
    )

    assert _cuda.find_missing_libraries() == []


def test_a_library_that_is_not_there_does_not_load():
    assert not _cuda._can_load("libno-such-thing.so.1")
    assert not _cuda._can_load("no_such_thing.dll")


def test_a_buffer_without_the_cuda_runtime_is_an_error(monkeypatch):
    monkeypatch.setattr(_cuda, "_can_load", lambda name: False)

    with pytest.raises(DeviceUnavailableError, match="libcudart"):
        _cuda.CudaBuffer(Runtime(*GPU_BUILD), "cuda:1", (2, 1, 4, 8), np.float16)


def test_rows_of_a_buffer_lie_where_they_should(monkeypatch):
    """The copy is played on memory of the host, by the rules of cudaMemcpy2D."""

    def memcpy_2d(to, to_pitch, source, source_pitch, width, height, kind):
        assert kind == 3
        for line in range(height):
            ctypes.memmove(to + line * to_pitch, source + line * source_pitch, width)
        return 0

    monkeypatch.setattr(_cuda, "_load_memcpy_2d", lambda: memcpy_2d)
    runtime = Runtime(*GPU_BUILD)
    buffer = _cuda.CudaBuffer(runtime, "cuda:1", (3, 2, 5, 4), np.float16)
    (array,) = runtime.arrays
    array[:] = np.arange(array.size).reshape(array.shape)
    expected = array.copy()
    expected[0, :, :3] = expected[2, :, :3]

    buffer.move(2, 0, 3)

    np.testing.assert_array_equal(array, expected)
    assert [buffer.address(row) for row in range(3)] == [array[row].ctypes.data for row in range(3)]


def test_a_failed_copy_is_an_error(monkeypatch):
    monkeypatch.setattr(_cuda, "_load_memcpy_2d", lambda: lambda *_: 700)

    with pytest.raises(GenerationError, match="error 700"):
        _cuda.CudaBuffer(Runtime(*GPU_BUILD), "cuda:1", (2, 1, 4, 8), np.float16).move(1, 0, 2)


@pytest.fixture
def gpu_build(monkeypatch):
    """Pretend that the GPU build is there and that its sessions are on CUDA; they really run here."""
    opened = []

    def open_session(graph, settings):
        found = real(graph, SessionSettings(device="cpu", threads=1))
        opened.append(settings.device)
        return OpenedSession(found.session, "cpu" if settings.device == "cpu" else "cuda:0")

    real = _runtime.open_session
    monkeypatch.setattr(_decoder, "load_runtime", lambda: Runtime(*GPU_BUILD))
    monkeypatch.setattr(_decoder, "open_session", open_session)
    return opened


def test_a_graph_written_for_the_cpu_stays_there_with_a_warning(gpu_build, tiny_folder):
    found = read_decoder_folder(tiny_folder)

    with pytest.warns(_cuda.DeviceFallbackWarning, match="built for the CPU"):
        _, device = open_decoder(found, SessionSettings(), slots=1, context=32)
    assert (device, gpu_build) == ("cpu", ["cpu"])
    with pytest.raises(DeviceUnavailableError, match="built for the CPU"):
        open_decoder(found, SessionSettings(device="cuda:0"), slots=1, context=32)
    # Declared for the CPU, it says nothing.
    open_decoder(found, SessionSettings(device="cpu"), slots=1, context=32)


def test_fused_attention_in_float32_does_not_run_on_cuda(gpu_build, tiny, tiny_folder, tmp_path):
    from onnx_graphs import write_genai_folder

    found = read_decoder_folder(write_genai_folder(tmp_path / "genai", tiny, tiny_folder))

    with pytest.warns(_cuda.DeviceFallbackWarning, match="float32"):
        _, device = open_decoder(found, SessionSettings(), slots=1, context=32)
    assert (device, gpu_build) == ("cpu", ["auto", "cpu"])
    with pytest.raises(DeviceUnavailableError, match="float16 KV cache"):
        open_decoder(found, SessionSettings(device="cuda"), slots=1, context=32)


def test_auto_says_nothing_where_there_is_only_the_build_for_the_cpu(tiny_folder, recwarn):
    open_decoder(read_decoder_folder(tiny_folder), SessionSettings(), slots=1, context=32)

    assert [warning for warning in recwarn if issubclass(warning.category, _cuda.DeviceFallbackWarning)] == []


def test_the_warning_is_seen_without_any_setting_of_a_program(run_python):
    code = "from jackfield_onnx._runtime import cuda as _cuda; _cuda.report_fallback('auto')"

    done = run_python(code)

    assert done.returncode == 0
    assert "DeviceFallbackWarning" in done.stderr
    assert "running on the CPU" in done.stderr
