"""A loaded chat or completion model for asyncio programs."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
from tokenizers import Tokenizer

from jackfield.plugin import read_text_file
from jackfield_onnx._files.folder import DecoderDescription, read_tokenizer
from jackfield_onnx._files.layouts import DecoderFolder, read_decoder_folder
from jackfield_onnx._local_errors import (
    ContextOverflowError,
    DamagedModelError,
    LocalModelError,
    RequestError,
)
from jackfield_onnx._runtime.session import SessionSettings, new_run_options
from jackfield_onnx._text.detokenizer import TokenText, decode_token
from jackfield_onnx._text.grammar import Grammars
from jackfield_onnx._text.prompts import PromptEncoder
from jackfield_onnx._text.sampling import Choice, Sampler, Sampling
from jackfield_onnx._text.stops import StopScanner
from jackfield_onnx._text.template import ChatTemplate, Turn

from .decoder import open_decoder
from .outbox import Mailbox
from .replies import GenerateRequest, Step, TokenDetail, Usage
from .scheduler import Job, JobStep, Scheduler

__all__ = ["Engine", "EngineSettings", "Generation"]

_DEFAULT_MAX_CONTEXT = 4096
_SHARE_OF_OUTPUT = 4
_FOR_TOOLS = "tool_use"


@attrs.frozen(kw_only=True)
class EngineSettings:
    """Settings with which a model is loaded.

    Args:
        session: Where and how its graph runs.
        max_context: Maximum number of tokens of prompt and reply together; the model's own limit applies, too. KV buffers
            are reserved for all of it, and a model's own limit may be many times what a program needs.
        max_output: Maximum number of tokens of a reply if the request has no `max_tokens`. Default: a quarter of
            `max_context`. Without it, a model that never ends its reply would run to the end of the context.
        slots: Replies generated at the same time.
        max_queue: Requests that may wait in the queue; None for no limit.
        queue_timeout: Seconds that a request may wait; None for no limit.
        precision: Which graph to use if a folder has several; `auto` prefers the full-precision one.
        template: A file with a chat template, instead of the model's own; or the name of one of the model's own.
        sampling: Defaults instead of the model's own: names and values of `Sampling`.
    """

    session: SessionSettings = attrs.field(factory=SessionSettings)
    max_context: int = attrs.field(default=_DEFAULT_MAX_CONTEXT, validator=attrs.validators.ge(2))
    max_output: int | None = None
    slots: int = attrs.field(default=8, validator=attrs.validators.ge(1))
    max_queue: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(0))
    )
    queue_timeout: float | None = None
    precision: str = "auto"
    template: Path | str | None = None
    sampling: Mapping[str, Any] = attrs.field(factory=dict)


class Generation:
    """A reply that arrives in steps.

    Use it as `async with engine.generate(request) as generation`, and iterate. Entering it queues the request; leaving
    it, or cancelling the task that iterates, stops the generation.
    """

    def __init__(self, engine: Engine, request: GenerateRequest) -> None:
        self._engine = engine
        self._request = request
        self._job: Job | None = None
        self._arrived: asyncio.Queue[JobStep | LocalModelError] = asyncio.Queue()
        self._begun = asyncio.Event()
        self._ended = False

    @property
    def usage(self) -> Usage:
        """What the reply has used so far; final when it has ended."""
        job = self._job
        return Usage(
            prompt_tokens=0 if job is None else len(job.prompt),
            generated_tokens=0 if job is None else job.generated,
            queued_seconds=0.0 if job is None else job.queued_seconds,
            prompt_seconds=0.0 if job is None else job.prompt_seconds,
            seconds=0.0 if job is None else job.seconds,
        )

    async def __aenter__(self) -> Self:
        mailbox = Mailbox(asyncio.get_running_loop(), self._receive, self.cancel)
        job = await asyncio.to_thread(self._engine.prepare, self._request, mailbox)
        self._engine.submit(job)
        self._job = job
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    async def wait_for_slot(self) -> None:
        """Wait until the model begins to read the prompt, or the request has failed; iterating does not need this."""
        await self._begun.wait()

    def _receive(self, item: JobStep | LocalModelError | None) -> None:
        self._begun.set()
        if item is not None:
            self._arrived.put_nowait(item)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Step:
        if self._job is None:
            raise RuntimeError("enter the generation with `async with` before iterating over it")
        if self._ended:
            raise StopAsyncIteration
        try:
            item = await self._arrived.get()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if isinstance(item, LocalModelError):
            self._ended = True
            raise item
        self._ended = item.finish is not None
        return self._engine.make_step(item, with_logprobs=self._request.top_logprobs is not None)

    def cancel(self) -> None:
        """Stop the generation and free its slot: within one step, or within milliseconds while the prompt is read."""
        self._ended = True
        if self._job is not None:
            self._job.cancel()


class Engine:
    """A loaded decoder model. Created by `load`; can be used from several event loops.

    Args:
        description: The model's description.
        tokenizer: Its tokenizer.
        template: Its chat template, None if it has none.
        scheduler: Runs the model.
        context: Maximum number of tokens of prompt and reply together.
        device: The device it runs on.
        max_output: Maximum number of tokens of a reply if the request has no `max_tokens`; None leaves it to the context.
    """

    def __init__(
        self,
        *,
        description: DecoderDescription,
        tokenizer: Tokenizer,
        template: ChatTemplate | None,
        scheduler: Scheduler,
        context: int,
        device: str,
        max_output: int | None = None,
    ) -> None:
        self.description = description
        self.context = context
        self.device = device
        self.max_output = context if max_output is None else max_output
        self._tokenizer = tokenizer
        self._prompts = PromptEncoder(tokenizer, template)
        self._scheduler = scheduler

    @classmethod
    async def load(cls, folder: Path, settings: EngineSettings | None = None) -> Self:
        """Load a model from its folder, off the event loop.

        Raises:
            DamagedModelError: The folder is incomplete or malformed.
            DeviceUnavailableError: The model cannot run on the requested device.
            RuntimeMissingError: ONNX Runtime is not installed.
            UnsupportedModelError: The model is not supported.
        """
        return await asyncio.to_thread(cls._load, folder, EngineSettings() if settings is None else settings)

    @classmethod
    def _load(cls, folder: Path, settings: EngineSettings) -> Self:
        found = read_decoder_folder(folder, settings.precision)
        description = attrs.evolve(found.description, **settings.sampling)
        context = min(settings.max_context, description.context_length)
        tokenizer = read_tokenizer(folder)
        template = _read_template(found, settings.template)
        decoder, device = open_decoder(found, settings.session, slots=settings.slots, context=context)
        return cls(
            description=description,
            tokenizer=tokenizer,
            template=template,
            scheduler=Scheduler(decoder, description.name, settings.max_queue, settings.queue_timeout),
            context=context,
            device=device,
            max_output=settings.max_output or max(1, context // _SHARE_OF_OUTPUT),
        )

    @functools.cached_property
    def grammars(self) -> Grammars:
        """Grammars over the model's vocabulary."""
        return Grammars(self._tokenizer, self.description.vocabulary, self.description.end_token_ids)

    @property
    def template(self) -> ChatTemplate | None:
        """The chat template; None if the model has none."""
        return self._prompts.template

    def find_control_token(self, name: str) -> int | None:
        """Return the id of a control token, None if there is no such token."""
        return self._prompts.find_control_token(name)

    @property
    def busy(self) -> bool:
        """Whether any request is waiting or being served."""
        return self._scheduler.busy

    @property
    def closed(self) -> bool:
        """Whether it no longer accepts requests."""
        return self._scheduler.closed

    def generate(self, request: GenerateRequest) -> Generation:
        """Create a generation, which starts when it is entered with `async with`.

        Entering it raises ContextOverflowError, RequestError, QueueFullError or EngineClosedError.
        """
        return Generation(self, request)

    async def count_tokens(
        self, prompt: str | tuple[Turn, ...], tools: Sequence[Mapping[str, Any]] = ()
    ) -> int:
        """Count the tokens of a prompt, exactly as `generate` would tokenise it."""
        return len(await asyncio.to_thread(self._encode, prompt, tools))

    async def aclose(self) -> None:
        """Stop all generations with EngineClosedError, join the thread and release the memory. Idempotent."""
        await asyncio.to_thread(self._scheduler.close)

    def prepare(self, request: GenerateRequest, mailbox: Mailbox) -> Job:
        """Convert a request to a job. Blocks while the prompt is tokenised.

        Raises:
            ContextOverflowError: Prompt and reply do not fit into the context.
            RequestError: The template refuses the messages, or a parameter is not valid.
        """
        prompt = self._encode(request.prompt, request.tools)
        room = self.context - len(prompt)
        if room < (request.max_tokens or 1):
            raise ContextOverflowError(len(prompt), request.max_tokens, self.context, self.description.name)
        if not prompt:
            raise RequestError("the prompt is empty", "prompt", "Write at least one token of text.")
        ends = self.description.end_token_ids
        sampling = self._make_sampling(request)
        return Job(
            prompt=prompt,
            max_tokens=request.max_tokens or min(room, self.max_output),
            end_tokens=frozenset(ends),
            sampler=Sampler(sampling, prompt, self.description.vocabulary, ends, request.constraint),
            # A completion goes on where the prompt ends, so the space before its first word counts; a turn of a chat begins.
            text=TokenText(self._tokenizer, request.shown, prompt if isinstance(request.prompt, str) else ()),
            scanner=StopScanner(request.stop),
            options=new_run_options(),
            mailbox=mailbox,
        )

    def submit(self, job: Job) -> None:
        """Queue a prepared job."""
        self._scheduler.submit(job)

    def make_step(self, item: JobStep, *, with_logprobs: bool) -> Step:
        """Convert a step of the scheduler to one for callers."""
        details = tuple(self._describe_choice(choice) for choice in item.choices) if with_logprobs else None
        return Step(item.text, tuple(choice.token for choice in item.choices), details, item.finish)

    def _describe_choice(self, choice: Choice) -> TokenDetail:
        top = tuple(TokenDetail(t.token, self._decode_token(t.token), t.logprob) for t in choice.top)
        # The sampler returns a log-probability whenever the request asked for any.
        logprob = float("nan") if choice.logprob is None else choice.logprob
        return TokenDetail(choice.token, self._decode_token(choice.token), logprob, top)

    def _decode_token(self, token: int) -> str:
        return decode_token(self._tokenizer, token, self._any_token)

    @functools.cached_property
    def _any_token(self) -> int | None:
        """A token to decode others behind."""
        ids: list[int] = self._tokenizer.encode("a", add_special_tokens=False).ids
        return ids[-1] if ids else None

    def _make_sampling(self, request: GenerateRequest) -> Sampling:
        outside = [token for token in request.logit_bias if not 0 <= token < self.description.vocabulary]
        if outside:
            raise RequestError(f"token {outside[0]} is not in the vocabulary", "logit_bias")
        endless = [token for token, bias in request.logit_bias.items() if not math.isfinite(bias)]
        if endless:
            raise RequestError(f"the bias of token {endless[0]} is not a finite number", "logit_bias")
        # The model's default applies if the request has no value.
        said = {
            name: getattr(self.description if given is None else request, name)
            for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
            for given in [getattr(request, name)]
        }
        return Sampling(
            **said,
            presence_penalty=request.presence_penalty,
            frequency_penalty=request.frequency_penalty,
            logit_bias=request.logit_bias,
            seed=request.seed,
            top_logprobs=request.top_logprobs,
        )

    def _encode(self, prompt: str | tuple[Turn, ...], tools: Sequence[Mapping[str, Any]]) -> list[int]:
        if isinstance(prompt, str):
            return self._prompts.encode_text(prompt)
        return self._prompts.encode_conversation(prompt, tools)


def _read_template(found: DecoderFolder, override: Path | str | None) -> ChatTemplate | None:
    source, for_tools = found.template, found.templates.get(_FOR_TOOLS)
    if override is not None:
        source, for_tools = _read_override(found, override), None
    if source is None:
        return None
    description = found.description
    return ChatTemplate(
        source,
        for_tools=for_tools,
        begin_token=description.begin_token,
        end_token=description.end_token,
        tokens=found.tokens,
        model=description.name,
    )


def _read_override(found: DecoderFolder, override: Path | str) -> str:
    if isinstance(override, str):
        if override not in found.templates:
            known = ", ".join(found.templates) or "none"
            raise DamagedModelError(
                f"the model has no chat template named {override!r}; it has {known}",
                found.description.name,
                "Declare one of these, or the absolute path of a file, as chat_template.",
            )
        return found.templates[override]
    try:
        return read_text_file(override)
    except (OSError, ValueError) as error:
        raise DamagedModelError(f"the chat template cannot be read: {error}", str(override)) from error
