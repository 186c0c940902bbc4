"""The interface of decoders, which generate several replies at once with their KV cache on the graph's device.

Each reply being generated is a row. One more row may be in preparation: its prompt is read separately, and then it joins
the others. There are two implementations, for the two ways in which graphs handle the KV cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs
import numpy as np

from jackfield_onnx._files.layouts import DecoderFolder
from jackfield_onnx._runtime import cuda
from jackfield_onnx._runtime.session import (
    RunOptions,
    SessionSettings,
    load_runtime,
    open_session,
)
from jackfield_onnx._text.sampling import Floats

from .concat_decoder import ConcatDecoder
from .graph import DecoderGraph
from .shared_decoder import SharedDecoder

__all__ = ["Decoder", "open_decoder"]


class Decoder(Protocol):
    """A decoder, as the scheduler uses it. All methods but `release` are called from one thread.

    A call that raises has changed only the row in preparation.
    """

    @property
    def slots(self) -> int:
        """Maximum number of rows, including the one in preparation."""

    def begin(self) -> None:
        """Begin a row; only one is in preparation at a time."""

    def read(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        """Read tokens of the prompt into the row in preparation.

        Returns:
            The logits [vocabulary] after the last token. The next call overwrites them.
        """

    def join(self) -> None:
        """Append the row in preparation to the rows."""

    def drop(self) -> None:
        """Discard the row in preparation."""

    def step(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        """Append one token to each row.

        Returns:
            The logits [rows, vocabulary] after it. The next call overwrites them.
        """

    def leave(self, row: int) -> None:
        """Remove a row; the last one takes its place."""

    def release(self) -> None:
        """Release the graph and its buffers; no other call may follow or be in progress."""


def open_decoder(
    found: DecoderFolder, session: SessionSettings, *, slots: int, context: int
) -> tuple[Decoder, str]:
    """Open a decoder on the requested device; with `auto`, on the CPU if it cannot run on CUDA.

    Args:
        found: The model's folder.
        session: Where and how the graph runs.
        slots: Maximum number of rows.
        context: Maximum length of a row.

    Returns:
        The decoder, and the device it runs on.

    Raises:
        DeviceUnavailableError: It cannot run on the requested device.
        UnsupportedModelError: The graph is not a supported decoder.
    """
    name, on_cpu = found.description.name, attrs.evolve(session, device="cpu")
    if found.cpu_only:
        wants_cuda = session.device != "cpu" and (
            session.device != "auto" or cuda.is_available(load_runtime())
        )
        if wants_cuda:
            cuda.report_unsuitable(session.device, name, "its graph was built for the CPU")
        session = on_cpu
    graph = DecoderGraph(open_session(found.graph, session), found)
    if found.attention == "concat":
        return ConcatDecoder(graph, slots), graph.device
    if graph.device != "cpu" and graph.kv_type != np.float16:
        cuda.report_unsuitable(session.device, name, "its fused attention has a float32 KV cache")
        graph = DecoderGraph(open_session(found.graph, on_cpu), found)
    return SharedDecoder(graph, slots, context), graph.device
