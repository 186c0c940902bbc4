"""Continuous batching: one thread per model, which alone uses the graph, its KV cache and the samplers.

Each step appends one token to every row. A request joins the rows when its prompt has been read, and leaves them when its
reply ends, independently of the others. Between two steps at most one piece of one prompt is read, so a long prompt
delays the others by that piece only. A request's tokens are the same as if it were alone, provided that the graph
computes a row independently of the others: our converter's graphs do, bit for bit.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Sequence
from typing import Literal

import attrs

from jackfield_onnx._local_errors import (
    EngineClosedError,
    GenerationError,
    LocalModelError,
    NotFiniteError,
    QueueFullError,
    QueueTimeoutError,
)
from jackfield_onnx._runtime.session import RunOptions, new_run_options
from jackfield_onnx._text.detokenizer import TokenText
from jackfield_onnx._text.sampling import Choice, Floats, Sampler
from jackfield_onnx._text.stops import StopScanner

from .decoder import Decoder
from .outbox import Mailbox, Outbox

__all__ = ["FinishReason", "Job", "JobStep", "Scheduler"]

FinishReason = Literal["stop", "length"]


@attrs.define
class JobStep:
    """What a job has generated since its last step.

    Args:
        text: Complete characters, without stop strings; may be empty in the last step.
        choices: Its tokens, including those that were held back before.
        finish: Why the reply ended, in the last step only.
    """

    text: str
    choices: list[Choice]
    finish: FinishReason | None = None


# Tokens of a prompt that are read at once: while rows wait for their next token, and while there are none. On two cores, a
# model of 135M parameters reads the shorter piece in 0.2 s; short pieces make reading a prompt 10 % slower.
_PIECE = 64
_PIECE_ALONE = 256
# Tokens without text after which a step is sent all the same, so that the receiver sees that the reply goes on.
_HELD = 16


class Job:
    """A reply being generated.

    The scheduler writes its counters; any thread may read them at any time.

    Args:
        prompt: Tokens of the prompt.
        max_tokens: Maximum number of tokens to generate.
        end_tokens: Tokens that end the reply.
        sampler: Chooses tokens.
        text: Converts them to text.
        scanner: Finds stop strings.
        options: Run options of this job only, for its prompt.
        mailbox: Receives None when the job gets a slot, then its steps, and at most one error.
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
        mailbox: Mailbox,
    ) -> None:
        self.prompt = prompt
        self.max_tokens = max_tokens
        self.end_tokens = end_tokens
        self.sampler = sampler
        self.text = text
        self.scanner = scanner
        self.options = options
        self.mailbox = mailbox
        self.read = 0
        self.generated = 0
        self.last = 0
        self.pending: list[Choice] = []
        self.queued_seconds = 0.0
        self.prompt_seconds = 0.0
        self.seconds = 0.0
        self.cancelled = False
        self.reason: LocalModelError | None = None
        self.queued = 0.0

    def cancel(self, reason: LocalModelError | None = None) -> None:
        """Stop the job, from any thread: at once while its prompt is read, else before the next step.

        Args:
            reason: Error for the mailbox; without one the job ends silently.
        """
        self.reason = self.reason or reason
        self.cancelled = True
        # Aborts the reading of a prompt within milliseconds; a step serves other jobs, too, and is not aborted.
        self.options.terminate = True


class Scheduler:
    """Serves jobs from a bounded queue, as many at once as the model has slots.

    Args:
        decoder: The model; the scheduler owns it from now on.
        name: The model's name, for the thread and for messages.
        max_queue: Jobs that may wait, in addition to those that have a slot; None for no limit.
        queue_timeout: Seconds that a job may wait; None for no limit.
    """

    def __init__(
        self, decoder: Decoder, name: str, max_queue: int | None, queue_timeout: float | None = None
    ) -> None:
        self._decoder = decoder
        self._name = name
        self._max_queue = max_queue
        self._queue_timeout = queue_timeout
        self._waiting: collections.deque[Job] = collections.deque()
        self._reading: Job | None = None
        self._rows: list[Job] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._outbox = Outbox()
        self._options: RunOptions = new_run_options()

    def __repr__(self) -> str:
        reading = self._reading is not None
        return f"<Scheduler {self._name}: {len(self._waiting)} waiting, {reading:d} read, {len(self._rows)} served>"

    @property
    def busy(self) -> bool:
        """Whether any job is waiting or being served."""
        return bool(self._waiting or self._rows or self._reading is not None)

    @property
    def closed(self) -> bool:
        """Whether it no longer accepts jobs: it was closed, or failed."""
        return self._closed

    def submit(self, job: Job) -> None:
        """Queue a job, from any thread, without blocking.

        Raises:
            QueueFullError: The queue is full.
            EngineClosedError: The scheduler was closed.
        """
        with self._changed:
            if self._closed:
                raise _closed_error(self._name)
            if self._max_queue is not None:
                self._check_queue(self._max_queue)
            job.queued = time.monotonic()
            self._waiting.append(job)
            if self._thread is None:
                # A daemon thread, so that a program that does not close the engine can still exit.
                self._thread = threading.Thread(
                    target=self._serve, name=f"jackfield-onnx {self._name}", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def _check_queue(self, most: int) -> None:
        waiting = sum(not one.cancelled for one in self._waiting)
        free = self._decoder.slots - len(self._rows) - (self._reading is not None)
        if waiting >= most + free:
            raise QueueFullError(
                f"{waiting} requests are already waiting",
                self._name,
                "Try again later, or raise max_queue.",
            )

    def close(self) -> None:
        """Stop every job, join the thread, and release the model. Blocks. Idempotent."""
        with self._changed:
            first, self._closed = not self._closed, True
            reading = [] if self._reading is None else [self._reading]
            for job in [*self._waiting, *reading, *self._rows]:
                job.cancel(_closed_error(self._name))
            self._options.terminate = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        if first:
            self._decoder.release()

    def _serve(self) -> None:
        try:
            while self._wait_for_work():
                self._drop_cancelled()
                self._outbox.flush()  # so that who has waited for a slot hears of it before the prompt is read
                if self._reading is not None:
                    self._read_prompt(self._reading)
                    self._outbox.flush()  # so that a first token does not wait for the step of the others
                if self._rows:
                    self._step()
                self._outbox.flush()
        except Exception as error:
            # Nothing above is expected to raise. If it does, no request may be left waiting.
            with self._changed:
                self._closed = True
                left = [*self._waiting, *self._rows, *([] if self._reading is None else [self._reading])]
                self._waiting.clear()
            for job in left:
                self._fail(job, error)
            self._decoder.release()
        self._outbox.flush()

    def _wait_for_work(self) -> bool:
        """Wait for work and assign a free slot to a waiting job; return False when closed and idle."""
        with self._changed:
            self._changed.wait_for(lambda: self.busy or self._closed)
            self._prune_queue(None)
            room = self._reading is None and len(self._rows) < self._decoder.slots
            if room and self._waiting:
                job = self._reading = self._waiting.popleft()
                job.queued_seconds = time.monotonic() - job.queued
                self._outbox.add(job.mailbox, None)
                self._decoder.begin()
            # Only now, so that a job that can be served is not rejected for having waited a moment too long.
            self._prune_queue(self._queue_timeout)
            return self.busy or not self._closed

    def _prune_queue(self, timeout: float | None) -> None:
        """Remove jobs from the queue that were cancelled or have waited too long."""
        latest = None if timeout is None else time.monotonic() - timeout
        if not any(job.cancelled or (latest is not None and job.queued < latest) for job in self._waiting):
            return
        kept: collections.deque[Job] = collections.deque()
        for job in self._waiting:
            if job.cancelled:
                self._report_stop(job)
            elif latest is not None and job.queued < latest:
                self._outbox.add(job.mailbox, _timeout_error(self._name, time.monotonic() - job.queued))
            else:
                kept.append(job)
        self._waiting = kept

    def _drop_cancelled(self) -> None:
        if self._reading is not None and self._reading.cancelled:
            self._report_stop(self._reading)
            self._end_reading()
        for row in reversed(range(len(self._rows))):
            if self._rows[row].cancelled:
                self._report_stop(self._rows[row])
                self._leave(row)

    def _read_prompt(self, job: Job) -> None:
        """Read a piece of a prompt; after the last piece the job joins the rows."""
        began = time.monotonic()
        size = _PIECE if self._rows else _PIECE_ALONE
        left = len(job.prompt) - job.read
        # A short remainder is read with the last piece: a run of its own would not be worth it.
        piece = job.prompt[job.read : job.read + (left if left < size * 3 // 2 else size)]
        try:
            logits = self._decoder.read(piece, job.options)
            job.read += len(piece)
            job.prompt_seconds += time.monotonic() - began
            job.seconds = job.prompt_seconds
            if job.read < len(job.prompt):
                return
            ended = self._choose_token(job, logits)
        except Exception as error:
            self._fail(job, error)
            ended = True
        if ended:
            self._end_reading()
        else:
            self._decoder.join()
            self._rows.append(job)
            self._reading = None

    def _step(self) -> None:
        """Generate the next token of each row."""
        began = time.monotonic()
        rows = self._rows
        ended = []
        try:
            logits = self._decoder.step([job.last for job in rows], self._options)
        except Exception as error:
            for job in rows:
                self._fail(job, error)
            ended = list(range(len(rows)))
        else:
            share = (time.monotonic() - began) / len(rows)
            for row, job in enumerate(rows):
                job.seconds += share
                try:
                    if self._choose_token(job, logits[row]):
                        ended.append(row)
                except Exception as error:
                    self._fail(job, error)
                    ended.append(row)
        for row in reversed(ended):
            self._leave(row)

    def _choose_token(self, job: Job, logits: Floats) -> bool:
        """Choose a job's next token; return whether that ends its reply."""
        choice = job.sampler.choose(logits)
        job.last = choice.token
        job.generated += 1
        job.pending.append(choice)
        text, finish = _advance(job, choice.token)
        if text or finish is not None or len(job.pending) == _HELD:
            self._outbox.add(job.mailbox, JobStep(text, job.pending, finish))
            job.pending = []
        return finish is not None

    def _leave(self, row: int) -> None:
        self._decoder.leave(row)
        self._rows[row] = self._rows[-1]
        self._rows.pop()

    def _end_reading(self) -> None:
        self._decoder.drop()
        self._reading = None

    def _report_stop(self, job: Job) -> None:
        if job.reason is not None:
            self._outbox.add(job.mailbox, job.reason)

    def _fail(self, job: Job, error: Exception) -> None:
        if job.cancelled:
            # The runtime raises an exception without information when a run is terminated.
            self._report_stop(job)
            return
        if isinstance(error, NotFiniteError):
            failure: GenerationError = NotFiniteError(error.args[0], self._name)
        else:
            failure = GenerationError(f"generation failed: {error}", self._name)
        failure.__cause__ = error
        self._outbox.add(job.mailbox, failure)


def _advance(job: Job, token: int) -> tuple[str, FinishReason | None]:
    """Append a token to a job's text.

    Returns:
        The text that may be emitted now, and why the reply ended, if it did.
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


def _closed_error(name: str) -> EngineClosedError:
    return EngineClosedError("the engine was closed", name, "Load it again before the next request.")


def _timeout_error(name: str, seconds: float) -> QueueTimeoutError:
    return QueueTimeoutError(
        f"the request waited {seconds:.1f} seconds in the queue, longer than queue_timeout allows",
        name,
        "Try again later, or raise queue_timeout or slots.",
    )
