"""One thread per model, which alone touches the graph, its KV buffers and the sampling.

This is the module to replace for another way of sharing a model: it takes jobs, in any number, and calls each job's
sink with steps and at most one error. This form serves one job at a time, first come first served.
"""

import collections
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import attrs

from jackfield_onnx._decoder import Decoder
from jackfield_onnx._errors import EngineClosedError, GenerationError, LocalModelError, QueueFullError
from jackfield_onnx._runtime import RunOptions
from jackfield_onnx._sampling import Choice, Sampler
from jackfield_onnx._text import StopScanner, TokenText

FinishReason = Literal["stop", "length"]


@attrs.define
class JobStep:
    """What a job has made since its last step.

    Args:
        text: Whole characters, free of stop strings; may be empty in the last step.
        choices: The tokens behind it, and those still held back before it.
        finish: Why the answer ends here, in the last step only.
    """

    text: str
    choices: list[Choice]
    finish: FinishReason | None = None


Sink = Callable[[JobStep | LocalModelError], None]


class Job:
    """One answer in the making.

    Its counts are written by the scheduler and may be read from anywhere, at any time.

    Args:
        prompt: Tokens to read.
        max_tokens: Tokens to make at most.
        end_tokens: Tokens that end the answer.
        sampler: Chooses tokens.
        text: Turns them into text.
        scanner: Looks for stop strings.
        options: Run options of this job alone.
        sink: Told of each step, from the scheduler's thread; it must not block.
    """

    def __init__(
        self,
        *,
        prompt: Sequence[int],
        max_tokens: int,
        end_tokens: frozenset[int],
        sampler: Sampler,
        text: TokenText,
        scanner: StopScanner,
        options: RunOptions,
        sink: Sink,
    ) -> None:
        self.prompt = prompt
        self.max_tokens = max_tokens
        self.end_tokens = end_tokens
        self.sampler = sampler
        self.text = text
        self.scanner = scanner
        self.options = options
        self.sink = sink
        self.generated = 0
        self.queued_seconds = 0.0
        self.prompt_seconds = 0.0
        self.seconds = 0.0
        self.cancelled = False
        self.reason: LocalModelError | None = None
        self.created = time.monotonic()

    def cancel(self, reason: LocalModelError | None = None) -> None:
        """Stop the job, from any thread: within a prompt being read, else before the next step.

        Args:
            reason: Told to the sink; without one the job ends in silence.
        """
        self.reason = self.reason or reason
        self.cancelled = True
        # Makes a run that is under way raise within milliseconds; the job's own options, so that nobody else's does.
        self.options.terminate = True


class Scheduler:
    """Serves jobs from a bounded queue.

    Args:
        decoder: The model; the scheduler owns it from here on.
        name: The model's name, for the thread and for messages.
        max_queue: Jobs that may wait, beside the one that is served.
    """

    def __init__(self, decoder: Decoder, name: str, max_queue: int) -> None:
        self._decoder = decoder
        self._name = name
        self._max_queue = max_queue
        self._waiting: collections.deque[Job] = collections.deque()
        self._current: Job | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Put a job into the queue, from any thread, without blocking.

        Raises:
            QueueFullError: When as many jobs are waiting as may wait.
            EngineClosedError: When the scheduler was closed.
        """
        with self._changed:
            if self._closed:
                raise _closed(self._name)
            self._waiting = collections.deque(waiting for waiting in self._waiting if not waiting.cancelled)
            if len(self._waiting) >= self._max_queue + (self._current is None):
                raise QueueFullError(
                    f"{len(self._waiting)} requests are waiting already",
                    self._name,
                    "Try again later, or raise max_queue.",
                )
            self._waiting.append(job)
            if self._thread is None:
                # A daemon, so that a program which forgets to close the engine can still end.
                self._thread = threading.Thread(
                    target=self._serve_all, name=f"jackfield-onnx {self._name}", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Stop every job, wait for the thread, and release the model. Blocks; may be called twice."""
        with self._changed:
            first, self._closed = not self._closed, True
            for job in [*self._waiting, *([self._current] if self._current is not None else [])]:
                job.cancel(_closed(self._name))
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        if first:
            self._decoder.release()

    def _serve_all(self) -> None:
        while True:
            with self._changed:
                self._current = None
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                job = self._current = self._waiting.popleft()
            self._serve(job)

    def _serve(self, job: Job) -> None:
        started = time.monotonic()
        job.queued_seconds = started - job.created
        try:
            if not job.cancelled:
                for step in self._steps(job, started):
                    job.seconds = time.monotonic() - started
                    job.sink(step)
        except Exception as error:
            # A cancelled job ends by an exception of the runtime's making, which says nothing.
            if not job.cancelled:
                failure = GenerationError(f"generation failed: {error}", self._name)
                failure.__cause__ = error
                job.sink(failure)
        job.seconds = time.monotonic() - started
        if job.reason is not None:
            job.sink(job.reason)

    def _steps(self, job: Job, started: float) -> Iterator[JobStep]:
        logits = self._decoder.forward(job.prompt, 0, job.options)
        job.prompt_seconds = time.monotonic() - started
        pending: list[Choice] = []
        while not job.cancelled:
            choice = job.sampler.choose(logits)
            job.generated += 1
            pending.append(choice)
            text, finish = _advance(job, choice.token)
            if text or finish is not None:
                yield JobStep(text, pending, finish)
                pending = []
            if finish is not None:
                return
            position = len(job.prompt) + job.generated - 1
            logits = self._decoder.forward([choice.token], position, job.options)


def _advance(job: Job, token: int) -> tuple[str, FinishReason | None]:
    """Add a token to a job's text.

    Returns:
        The text that may be shown now, and why the answer ends, if it does.
    """
    ended = token in job.end_tokens
    text, stop = job.scanner.feed("" if ended else job.text.feed(token))
    if stop is not None:
        return text, "stop"
    if not ended and job.generated < job.max_tokens:
        return text, None
    last, stop = job.scanner.feed(job.text.flush())
    if stop is None:
        last += job.scanner.flush()
    return text + last, "stop" if ended or stop is not None else "length"


def _closed(name: str) -> EngineClosedError:
    return EngineClosedError("the engine was closed", name, "Load it again before the next request.")
