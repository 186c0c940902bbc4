"""Import ONNX Runtime and open its sessions, with the checks that both need."""

from __future__ import annotations

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

from jackfield.plugin import install_command
from jackfield_onnx._local_errors import (
    DamagedModelError,
    RuntimeConflictError,
    RuntimeMissingError,
)

from . import cuda

__all__ = [
    "Binding",
    "OpenedSession",
    "RunOptions",
    "Session",
    "SessionSettings",
    "Slot",
    "TelemetryWarning",
    "load_runtime",
    "new_run_options",
    "open_session",
    "release_free_memory",
]

_TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
_CPU = "CPUExecutionProvider"


class TelemetryWarning(UserWarning):
    """ONNX Runtime was already imported by other code, with telemetry enabled."""


class RunOptions(Protocol):
    """Options of a run; `terminate` may be set from another thread during the run."""

    terminate: bool


class Binding(Protocol):
    """The I/O binding of a session: where inputs and outputs are in memory."""

    # The signatures are ONNX Runtime's: (name, device type, device id, element type, shape, pointer).
    def bind_input(self, *where: Any) -> None: ...
    def bind_output(self, *where: Any) -> None: ...
    def bind_ortvalue_input(self, name: str, value: Any) -> None: ...
    def get_outputs(self) -> list[Any]: ...


class Slot(Protocol):
    """An input or output of a graph: its name, dimensions (numbers, or names of variable ones) and type."""

    name: str
    shape: list[int | str | None]
    type: str


class Session(Protocol):
    """The part of `onnxruntime.InferenceSession` that this plugin uses."""

    def get_providers(self) -> list[str]: ...
    def get_inputs(self) -> Sequence[Slot]: ...
    def get_outputs(self) -> Sequence[Slot]: ...
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
    """Where and how a graph runs.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: Threads for one operator; None uses every core that this process may use.
        spinning: Let idle threads spin: a few percent faster, at the price of a core that is never idle.
        memory_limit: Maximum size in bytes of the arena of a session on CUDA.
    """

    device: str = attrs.field(default="auto", validator=attrs.validators.matches_re(r"auto|cpu|cuda(:\d+)?"))
    threads: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    spinning: bool = False
    memory_limit: int | None = None


@attrs.frozen
class OpenedSession:
    """A session, and the device it really runs on (`cpu` or `cuda:N`)."""

    session: Session
    device: str


@functools.cache
def load_runtime() -> Any:
    """Import ONNX Runtime with telemetry disabled.

    Since 1.29, importing it on Linux starts a thread that uploads telemetry and writes a device id below the home
    directory, unless the variable is set before the first import (observed with 1.32.0; ORT_TELEMETRY_DISABLED, which
    its issue tracker names, has no effect there).

    Returns:
        The module `onnxruntime`.

    Raises:
        RuntimeMissingError: No installed distribution provides it.
        RuntimeConflictError: The CPU and the GPU distribution are both installed.
    """
    if "onnxruntime" in sys.modules and os.environ.get(_TELEMETRY_SWITCH) != "1":
        warnings.warn(
            f"onnxruntime was imported before jackfield_onnx could set {_TELEMETRY_SWITCH}=1: its telemetry may be "
            f"running. Set {_TELEMETRY_SWITCH}=1 in the environment of the process.",
            TelemetryWarning,
            stacklevel=2,
        )
    # Not setdefault: an inherited "0" would enable what this plugin promises to disable.
    os.environ[_TELEMETRY_SWITCH] = "1"
    _check_distributions()
    return importlib.import_module("onnxruntime")


def new_run_options() -> RunOptions:
    """Create the run options of one request, through which only that request can be stopped."""
    options: RunOptions = load_runtime().RunOptions()
    return options


def open_session(graph: Path, settings: SessionSettings) -> OpenedSession:
    """Load a graph and check that it runs on the requested device.

    If a library is missing, ONNX Runtime turns a CUDA session into a CPU session without an exception, so only the
    providers of the opened session show where it runs.

    Raises:
        DeviceUnavailableError: CUDA was requested explicitly and is not available.
        DamagedModelError: The graph cannot be loaded.
    """
    runtime = load_runtime()
    wanted = _choose_device(runtime, settings.device)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = settings.threads or _count_usable_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = (
        3  # its warnings bypass Python's logging and go to stderr; ours are raised below
    )
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(settings.spinning)))
    providers: list[Any] = [_CPU]
    if wanted != "cpu":
        providers.insert(0, cuda.build_provider(runtime, wanted, settings.memory_limit))
    try:
        session: Session = runtime.InferenceSession(str(graph), options, providers=providers)
    except Exception as error:
        raise DamagedModelError(
            f"ONNX Runtime could not load the graph: {error}",
            str(graph),
            "Remove the model from the cache and prepare it again.",
        ) from error
    if wanted != "cpu" and session.get_providers()[0] != cuda.PROVIDER:
        cuda.report_fallback(settings.device)
        wanted = "cpu"
    return OpenedSession(session, wanted)


def release_free_memory() -> None:
    """Return freed memory to the operating system.

    glibc keeps the many freed pieces of a session for reuse: of the 440 MB of a model with 135M parameters, 425 MB stayed
    with the process after closing it, and 40 MB with this call.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):  # another C library has no such function
            ctypes.CDLL(None).malloc_trim(0)


def _choose_device(runtime: Any, device: str) -> str:
    if device == "auto":
        return "cuda:0" if cuda.is_available(runtime) else "cpu"
    if device == "cpu":
        return device
    cuda.require_available(runtime, device)
    return f"cuda:{cuda.parse_device_number(device)}"


def _check_distributions() -> None:
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    if len(installed) == 2:
        raise RuntimeConflictError(
            "onnxruntime and onnxruntime-gpu are both installed; they share a folder, and the CPU build silently wins",
            "onnxruntime, onnxruntime-gpu",
            "Keep one: pip uninstall -y onnxruntime onnxruntime-gpu, then "
            f"{install_command('jackfield-onnx', 'gpu', options='--force-reinstall')}, or with [cpu].",
        )
    # Other distributions (DirectML, OpenVINO, ROCm) provide the same module under other names: the module decides.
    if not installed and importlib.util.find_spec("onnxruntime") is None:
        raise RuntimeMissingError(
            "no ONNX Runtime is installed",
            "onnxruntime",
            f"Run {install_command('jackfield-onnx', 'cpu')}, or with [gpu] on a machine with CUDA.",
        )


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _count_usable_cores() -> int:
    # The affinity mask, not the core count: a container with two of 64 cores must not start 64 threads.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
