"""The one door to ONNX Runtime: everything that must be checked before and after it is imported."""

import contextlib
import ctypes
import functools
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from jackfield_onnx._errors import (
    DamagedModelError,
    DeviceUnavailableError,
    RuntimeConflictError,
    RuntimeMissingError,
)

_TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"


class TelemetryWarning(UserWarning):
    """ONNX Runtime was imported by somebody else, with its telemetry on."""


class DeviceFallbackWarning(UserWarning):
    """A GPU could have been used and was not."""


class RunOptions(Protocol):
    """Options of one run; `terminate` may be set from another thread while it runs."""

    terminate: bool


class Binding(Protocol):
    """Where the inputs and outputs of a graph lie in memory."""

    # The signatures are ONNX Runtime's: (name, device type, device id, element type, shape, pointer).
    def bind_input(self, *where: Any) -> None: ...
    def bind_output(self, *where: Any) -> None: ...


class Session(Protocol):
    """The part of `onnxruntime.InferenceSession` that this plugin uses."""

    def get_providers(self) -> list[str]: ...
    def io_binding(self) -> Binding: ...
    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: dict[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[npt.NDArray[np.float32]]: ...
    def run_with_iobinding(self, iobinding: Binding, run_options: RunOptions | None = None) -> None: ...


@attrs.frozen(kw_only=True)
class SessionSettings:
    """Say where and how a graph runs.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: Threads for one operator; None takes every core this process may use.
        spinning: Let idle threads spin. Some percent faster, at the price of a core that is never idle.
    """

    device: str = attrs.field(default="auto", validator=attrs.validators.matches_re(r"auto|cpu|cuda(:\d+)?"))
    threads: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    spinning: bool = False


@attrs.frozen
class OpenedSession:
    """A session, and the device it really runs on (`cpu` or `cuda:N`)."""

    session: Session
    device: str


@functools.cache
def load_runtime() -> Any:
    """Import ONNX Runtime with its telemetry off.

    From 1.29 on, importing it on Linux starts an uploading thread and writes a device id under the home directory
    unless the switch is set before the first import (observed with 1.32.0; the switch named in its issue tracker,
    ORT_TELEMETRY_DISABLED, has no effect there).

    Returns:
        The module `onnxruntime`.

    Raises:
        RuntimeMissingError: When no distribution provides it.
        RuntimeConflictError: When the CPU and the GPU distribution are both installed.
    """
    if "onnxruntime" in sys.modules and os.environ.get(_TELEMETRY_SWITCH) != "1":
        warnings.warn(
            f"onnxruntime was imported before jackfield_onnx could set {_TELEMETRY_SWITCH}=1: its telemetry may be "
            f"running. Set {_TELEMETRY_SWITCH}=1 in the environment of the process.",
            TelemetryWarning,
            stacklevel=2,
        )
    # Not setdefault: an inherited "0" would turn on what this plugin promises to keep off.
    os.environ[_TELEMETRY_SWITCH] = "1"
    _check_distributions()
    return importlib.import_module("onnxruntime")


def new_run_options() -> RunOptions:
    """Make the options of one request, through which that request alone can be stopped."""
    options: RunOptions = load_runtime().RunOptions()
    return options


def open_session(graph: Path, settings: SessionSettings) -> OpenedSession:
    """Load a graph and check that it runs where it was told to.

    ONNX Runtime turns a CUDA session into a CPU session without an exception when a library is missing, so what it
    was asked for proves nothing; only the session's own providers do.

    Raises:
        DeviceUnavailableError: When CUDA was asked for by name and the session is not on it.
        DamagedModelError: When the graph cannot be loaded.
    """
    runtime = load_runtime()
    wanted = _wanted_device(runtime, settings.device)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = settings.threads or _usable_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # its warnings go to stderr, past Python's logging; ours are raised below
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(settings.spinning)))
    providers: list[Any] = [_CPU]
    if wanted != "cpu":
        # Finds CUDA and cuDNN in the nvidia-* wheels that the [gpu] extra installs; present since 1.21.
        getattr(runtime, "preload_dlls", lambda: None)()
        providers.insert(0, (_CUDA, {"device_id": int(wanted.partition(":")[2] or 0)}))
    try:
        session: Session = runtime.InferenceSession(str(graph), options, providers=providers)
    except Exception as error:
        raise DamagedModelError(
            f"ONNX Runtime could not load the graph: {error}",
            str(graph),
            "Remove the model from the cache and prepare it again.",
        ) from error
    return OpenedSession(session, _check_device(session, settings.device, wanted))


def give_memory_back() -> None:
    """Return freed memory to the system.

    A session is freed in many pieces, and glibc keeps them for later: of the 440 MB that a model of 135M parameters
    took, 425 stayed with the process after closing it, and 40 with this call.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):  # another C library has no such function
            ctypes.CDLL(None).malloc_trim(0)


def _wanted_device(runtime: Any, device: str) -> str:
    if device == "auto":
        # This lists what the build could do, whatever the machine has; `_check_device` finds out.
        return "cuda:0" if _CUDA in runtime.get_available_providers() else "cpu"
    return "cuda:0" if device == "cuda" else device


def _check_device(session: Session, declared: str, wanted: str) -> str:
    if wanted == "cpu" or session.get_providers()[0] == _CUDA:
        return wanted
    if declared == "auto":
        _warn_of_fallback()
        return "cpu"
    raise DeviceUnavailableError(
        "CUDA was asked for, but ONNX Runtime fell back to the CPU: the GPU build, its driver or a CUDA or cuDNN "
        "library is missing",
        f"device={declared}",
        'Install "jackfield-onnx[gpu]" without onnxruntime beside it and check nvidia-smi, or declare device="auto".',
    )


@functools.cache
def _warn_of_fallback() -> None:
    warnings.warn(
        "the GPU build of ONNX Runtime is installed but CUDA could not be used: running on the CPU. "
        'Declare device="cpu" to accept this, or device="cuda" to make it an error.',
        DeviceFallbackWarning,
        stacklevel=2,
    )


def _check_distributions() -> None:
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    if len(installed) == 2:
        raise RuntimeConflictError(
            "onnxruntime and onnxruntime-gpu are both installed; they own the same folder, and the CPU build wins "
            "silently",
            "onnxruntime, onnxruntime-gpu",
            "Keep one: pip uninstall -y onnxruntime onnxruntime-gpu, then "
            'pip install --force-reinstall "jackfield-onnx[gpu]" (or [cpu]).',
        )
    # Other distributions (DirectML, OpenVINO, ROCm) bring the same module under their own names: the module decides.
    if not installed and importlib.util.find_spec("onnxruntime") is None:
        raise RuntimeMissingError(
            "no ONNX Runtime is installed",
            "onnxruntime",
            'Run pip install "jackfield-onnx[cpu]", or pip install "jackfield-onnx[gpu]" on a machine with CUDA.',
        )


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _usable_cores() -> int:
    # The affinity mask, not the machine: a container with two cores of 64 must not start 64 threads.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
