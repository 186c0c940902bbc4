"""Estimate a model's memory from its files before it is loaded."""

from __future__ import annotations

import contextlib
from pathlib import Path

import attrs

from jackfield_onnx._files.encoders import read_encoder_folder, read_reranker_folder
from jackfield_onnx._files.layouts import read_decoder_folder
from jackfield_onnx._local_errors import MemoryExceededError

from .summarizer import read_summarizer_folder

__all__ = ["Estimate", "check_memory", "estimate_decoder", "estimate_other", "read_available_memory"]

_CGROUP = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@attrs.frozen(kw_only=True)
class Estimate:
    """An upper bound of a model's memory in bytes.

    Args:
        weights: Size of its graphs and weights.
        conversations: Size of the KV cache of all slots at full length.
        detail: How `conversations` was computed, for messages.
    """

    weights: int
    conversations: int = 0
    detail: str = ""

    @property
    def total(self) -> int:
        """The sum of both."""
        return self.weights + self.conversations


def estimate_decoder(folder: Path, precision: str, max_context: int, slots: int) -> Estimate:
    """Estimate the memory of a chat model.

    Raises:
        LocalModelError: The folder cannot be read.
    """
    found = read_decoder_folder(folder, precision)
    about = found.description
    context = min(max_context, about.context_length)
    item = 2 if about.precision == "fp16" else 4
    token = 2 * about.layers * about.kv_heads * about.head_dim * item
    return Estimate(
        weights=_measure(found.graph),
        conversations=token * context * slots,
        detail=f"{slots} slots of {context} tokens, {token} bytes a token",
    )


def estimate_other(folder: Path, kind: str, precision: str) -> Estimate:
    """Estimate the memory of an encoder, a reranker or a summarizer: its weights.

    Raises:
        LocalModelError: The folder cannot be read.
    """
    if kind == "summarization":
        found = read_summarizer_folder(folder)
        return Estimate(weights=sum(map(_measure, {found.encoder, *found.decoders})))
    read = read_reranker_folder if kind == "rerank" else read_encoder_folder
    return Estimate(weights=_measure(read(folder, precision).graph))


def check_memory(estimate: Estimate, name: str, limit: int | None, available: int | None) -> None:
    """Check that a model fits into memory.

    Args:
        estimate: Its estimated memory.
        name: The model, for messages.
        limit: The declared limit in bytes, None for no limit.
        available: Available memory in bytes, None if unknown.

    Raises:
        MemoryExceededError: It does not fit.
    """
    for room, whose in ((limit, "memory_limit allows"), (available, "are available")):
        if room is not None and estimate.total > room:
            parts = f"weights {_format_megabytes(estimate.weights)}"
            if estimate.conversations:
                parts += f", conversations {_format_megabytes(estimate.conversations)} ({estimate.detail})"
            raise MemoryExceededError(
                f"the model needs {_format_megabytes(estimate.total)}, and {_format_megabytes(room)} {whose}: {parts}",
                name,
                "Lower slots or max_context, choose a graph of lower precision, or raise memory_limit."
                if estimate.conversations
                else "Choose a smaller model or a graph of lower precision, or raise memory_limit.",
            )


def read_available_memory() -> int | None:
    """Return how many bytes this process can still allocate, on the machine and in its container; None if unknown."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        found.append(int(line.split()[1]) * 1024)
    for limit, used in _CGROUP:
        with contextlib.suppress(OSError, ValueError):  # "max" is not a number and means no limit
            found.append(
                int(Path(limit).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii"))
            )
    return max(0, min(found)) if found else None


def _measure(graph: Path) -> int:
    """Add up the sizes of a graph and its external weights, whose names begin with the graph's."""
    if not graph.exists():
        return 0
    return sum(path.stat().st_size for path in graph.parent.glob(f"{graph.name}*"))


def _format_megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
