"""CUDA: session options, checks that a session really uses it, and buffers in GPU memory.

Without a GPU only the checks and their errors can be tested; `tests/gpu` has the tests for a machine with one.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield.plugin import install_command
from jackfield_onnx._local_errors import DeviceUnavailableError, GenerationError

__all__ = [
    "PROVIDER",
    "CudaBuffer",
    "DeviceFallbackWarning",
    "build_provider",
    "find_missing_libraries",
    "is_available",
    "parse_device_number",
    "report_fallback",
    "report_unsuitable",
    "require_available",
    "warn",
]

PROVIDER: Final = "CUDAExecutionProvider"

# The driver and the libraries that the execution provider loads, under every name that a build may use (CUDA 13 and 12).
_LIBRARIES: Final[Mapping[str, Sequence[str]]] = {
    "the NVIDIA driver (libcuda.so.1)": ("libcuda.so.1", "nvcuda.dll"),
    "cuBLAS (libcublasLt.so.13)": ("libcublasLt.so.13", "libcublasLt.so.12", "cublasLt64_13.dll", "cublasLt64_12.dll"),
    "cuDNN (libcudnn.so.9)": ("libcudnn.so.9", "cudnn64_9.dll"),
    "the CUDA runtime (libcudart.so.13)": ("libcudart.so.13", "libcudart.so.12", "cudart64_13.dll", "cudart64_12.dll"),
}  # fmt: skip
_RUNTIMES: Final = _LIBRARIES["the CUDA runtime (libcudart.so.13)"]
_DEVICE_TO_DEVICE: Final = 3  # cudaMemcpyKind


class DeviceFallbackWarning(UserWarning):
    """A GPU could have been used and was not."""


def is_available(runtime: Any) -> bool:
    """Return whether this build of ONNX Runtime supports CUDA, regardless of the machine."""
    return PROVIDER in runtime.get_available_providers()


def build_provider(runtime: Any, device: str, memory_limit: int | None) -> tuple[str, dict[str, Any]]:
    """Build the execution provider of a session on `cuda:N`, after preloading its libraries.

    Args:
        runtime: The module `onnxruntime`.
        device: `cuda:N`.
        memory_limit: Maximum size of the session's arena in bytes.
    """
    # Finds CUDA and cuDNN in the nvidia-* wheels that the [gpu] extra installs; exists since ONNX Runtime 1.21.
    getattr(runtime, "preload_dlls", lambda: None)()
    options: dict[str, Any] = {"device_id": parse_device_number(device)}
    if memory_limit is not None:
        # By default the arena doubles when it grows, and never shrinks.
        options |= {"gpu_mem_limit": memory_limit, "arena_extend_strategy": "kSameAsRequested"}
    return PROVIDER, options


def parse_device_number(device: str) -> int:
    """Parse N from `cuda:N`; 0 without a number."""
    return int(device.partition(":")[2] or 0)


def require_available(runtime: Any, declared: str) -> None:
    """Check that this build of ONNX Runtime supports CUDA.

    Raises:
        DeviceUnavailableError: It does not.
    """
    if not is_available(runtime):
        raise DeviceUnavailableError(
            "CUDA was requested, but the installed ONNX Runtime is the CPU build",
            f"device={declared}",
            "Run pip uninstall -y onnxruntime, then "
            f"{install_command('jackfield-onnx', 'gpu', options='--force-reinstall')}; "
            'or declare device="cpu" or "auto".',
        )


def report_fallback(declared: str) -> None:
    """Report that a session requested on CUDA runs on the CPU: a warning for `auto`, else an error.

    Raises:
        DeviceUnavailableError: CUDA was declared explicitly.
    """
    missing = find_missing_libraries()
    why = (
        f"missing: {', '.join(missing)}"
        if missing
        else "its libraries can be loaded, so the driver may be too old, or there may be no GPU"
    )
    if declared == "auto":
        warn(f"the GPU build of ONNX Runtime is installed but CUDA could not be used ({why})")
        return
    raise DeviceUnavailableError(
        f"CUDA was requested, but ONNX Runtime fell back to the CPU; {why}",
        f"device={declared}",
        'Install "jackfield-onnx[gpu]" without onnxruntime and check nvidia-smi, or declare device="auto".',
    )


def report_unsuitable(declared: str, which: str, why: str) -> None:
    """Report that a model cannot run on CUDA: a warning for `auto`, else an error.

    Raises:
        DeviceUnavailableError: CUDA was declared explicitly.
    """
    if declared == "auto":
        warn(f"{which} cannot run on CUDA: {why}")
        return
    raise DeviceUnavailableError(
        f"this model cannot run on CUDA: {why}",
        f"{which}, device={declared}",
        'Declare device="cpu" or "auto", or export a graph for CUDA with a float16 KV cache.',
    )


@functools.cache
def warn(what: str) -> None:
    """Warn that the CPU is used; the same warning is given once."""
    warnings.warn(
        f'{what}: running on the CPU. Declare device="cpu" to accept this, or device="cuda" to make it an error.',
        DeviceFallbackWarning,
        stacklevel=2,
    )


def find_missing_libraries() -> list[str]:
    """Return the libraries that the execution provider needs and this process cannot load."""
    return [what for what, names in _LIBRARIES.items() if not any(_can_load(name) for name in names)]


class CudaBuffer:
    """Keys or values of all slots in GPU memory: [slots, heads, length, head_dim].

    Args:
        runtime: The module `onnxruntime`.
        device: `cuda:N`.
        shape: Its shape.
        kind: numpy type of an element.
    """

    def __init__(self, runtime: Any, device: str, shape: Sequence[int], kind: Any) -> None:
        self._value = runtime.OrtValue.ortvalue_from_shape_and_type(
            list(shape), kind, "cuda", parse_device_number(device)
        )
        self._shape = tuple(shape)
        self._item = kind().itemsize
        self._copy = _load_memcpy_2d()

    def address(self, row: int) -> int:
        """Return the address at which a row begins."""
        return int(self._value.data_ptr()) + row * self._shape[1] * self._pitch

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of each head of a row to another row."""
        failed = self._copy(
            self.address(target), self._pitch, self.address(source), self._pitch,
            length * self._shape[3] * self._item, self._shape[1], _DEVICE_TO_DEVICE,
        )  # fmt: skip
        if failed:
            raise GenerationError(f"CUDA could not copy a row of the KV cache (error {failed})")

    @property
    def _pitch(self) -> int:
        return int(self._shape[2] * self._shape[3] * self._item)


def _load_memcpy_2d() -> Any:
    for name in _RUNTIMES:
        if _can_load(name):
            call = ctypes.CDLL(name).cudaMemcpy2D
            size, pointer = ctypes.c_size_t, ctypes.c_void_p
            call.argtypes = [pointer, size, pointer, size, size, size, ctypes.c_int]
            call.restype = ctypes.c_int
            return call
    raise DeviceUnavailableError(
        "the CUDA runtime cannot be loaded",
        _RUNTIMES[0],
        'Install "jackfield-onnx[gpu]" and check nvidia-smi.',
    )


def _can_load(library: str) -> bool:
    if library.endswith(".dll") != (sys.platform == "win32"):
        return False
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
