"""What a model can do: yes, no or unknown, each with its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from jackfield._faces import show_in
from jackfield._hints import hint
from jackfield._values import Value, evolve, field, field_names, frozen

from .content import Message
from .cost import RateCard
from .policies import PacePolicy

__all__ = [
    "FEATURES",
    "Capabilities",
    "Capability",
    "Kind",
    "Limits",
    "ModelCard",
    "ModelEntry",
    "ModelRef",
    "ParameterRule",
]

Kind: TypeAlias = Literal["chat", "completion", "embedding", "summarization", "rerank"]

KINDS: Final[tuple[Kind, ...]] = ("chat", "completion", "embedding", "summarization", "rerank")

FEATURES: Final[Mapping[str, str]] = {
    "streaming": "answers can be streamed",
    "system": "a system prompt is honoured",
    "tools": "tools can be offered",
    "parallel_tool_calls": "several tool calls in one answer",
    "tool_choice": "a tool call can be forced",
    "json": "answers can be forced to be JSON",
    "json_schema": "answers can be forced to follow a JSON schema",
    "images": "images are understood",
    "documents": "documents (PDF and the like) are understood",
    "audio": "audio is understood",
    "reasoning": "the model can think before it answers",
    "citations": "answers can cite documents",
    "prompt_cache": "marks of cacheable prefixes are honoured",
    "dimensions": "the size of embeddings can be chosen",
    "count_tokens": "the service counts tokens",
}
"""Every feature that a plugin may speak of, and what it means."""


@frozen
class Capability(Value):
    """One answer to "can it?".

    Attributes:
        value: True, False, or None for unknown.
        source: Where the answer comes from: "declared", "listing", "table 2026-11-22", "inferred".
    """

    value: bool | None = None
    source: str = "unknown"


UNKNOWN: Final = Capability()


@frozen(kw_only=True)
class ParameterRule(Value):
    """How a model treats one option. A row of a plugin's table.

    Attributes:
        supported: True, False, or None for unknown (sent as it is).
        wire: The service's name for it, a dotted path; None for the name the plugin gives.
        minimum: Least value, included.
        maximum: Greatest value, included.
        choices: The only values; of `reasoning`, the only words of effort.
        max_items: Most entries of a list.
        excludes: The names of options that the model does not accept together with this one; they stay, and this one is
            refused or dropped.
        why: What is told when it is refused, dropped or clamped, behind the range or the choices that it breaks.
        source: Document and date.
    """

    supported: bool | None = True
    wire: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] | None = None
    max_items: int | None = None
    excludes: tuple[str, ...] = ()
    why: str | None = None
    source: str = "unknown"


@frozen(kw_only=True)
class Limits(Value):
    """Sizes; None is unknown.

    Attributes:
        context_window: Tokens of input and output together, or of input alone where the service counts so.
        max_output_tokens: Tokens.
        max_inputs: Texts or documents in one embedding or rerank request.
        max_input_tokens: Tokens of one embedding input.
        max_input_tokens_per_request: Tokens of all embedding inputs of one request.
        dimensions: Length of an embedding unless asked otherwise.
    """

    context_window: int | None = None
    max_output_tokens: int | None = None
    max_inputs: int | None = None
    max_input_tokens: int | None = None
    max_input_tokens_per_request: int | None = None
    dimensions: int | None = None


@frozen(kw_only=True, slots=False)  # for `lacking`, which is kept
class Capabilities(Value):
    """What is known of a model.

    Attributes:
        known: The model stands in a table or a listing (else all is inferred from its kind of service).
        kinds: The kinds of request it serves; empty is unknown.
        features: By name (see `FEATURES`); a feature that is absent is unknown.
        parameters: Rules by option name; an option that is absent is unknown and is sent as it is.
        limits: Sizes.
        chat_prompt: For a model that only completes text: turns a conversation into the prompt that its
            maker documents, and the stop sequences that belong to it.
        chat_prompt_name: What that format is called, with its document.
        retired: The day (ISO) from which the service no longer has the model, if it was told.
        source: Where most of this comes from.
    """

    known: bool = False
    kinds: frozenset[Kind] = frozenset()
    features: Mapping[str, Capability] = field(factory=dict)
    parameters: Mapping[str, ParameterRule] = field(factory=dict)
    limits: Limits = field(factory=Limits)
    chat_prompt: Callable[[tuple[Message, ...]], tuple[str, tuple[str, ...]]] | None = None
    chat_prompt_name: str | None = None
    retired: str | None = None
    source: str = "unknown"

    @classmethod
    def from_row(cls, row: Mapping[str, Any], *, source: str) -> Capabilities:
        """Return what a row of a table says of a model.

            {"kinds": ["chat"], "features": {"tools": true, "images": false}, "limits": {"context_window": 32000},
             "parameters": {"temperature": {"minimum": 0, "maximum": 1}}, "retired": "2027-01-31"}

        Every key may be absent, and means what the field of that name means. Other keys are for the plugin.

        Args:
            row: The row.
            source: Document and date, for every feature and rule without a source of its own.

        Raises:
            ValueError: There is no such kind, feature or limit.
        """
        kinds, features, sizes = row.get("kinds", ()), row.get("features", {}), row.get("limits", {})
        for what, names, known in (
            ("kind", kinds, KINDS),
            ("feature", features, FEATURES),
            ("limit", sizes, field_names(Limits)),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"there is no {what} {name!r}{hint(name, known)}")
        rules = {
            option: ParameterRule(**{"source": source, **rule, **_freeze_sequences(rule)})
            for option, rule in row.get("parameters", {}).items()
        }
        made = cls(
            known=True,
            kinds=frozenset(kinds),
            parameters=rules,
            limits=Limits(**sizes),
            retired=row.get("retired"),
            source=source,
        )
        return made.with_features(source, **features)

    def feature(self, name: str) -> Capability:
        """Return whether the model has a feature; unknown unless it is declared."""
        return self.features.get(name, UNKNOWN)

    @cached_property
    def lacking(self) -> frozenset[str]:
        """The features that the model is known not to have; every call asks."""
        return frozenset(name for name, capability in self.features.items() if capability.value is False)

    def lacks(self, name: str) -> bool:
        """Return whether the model is known not to have a feature."""
        return name in self.lacking

    def with_features(self, source: str, /, **values: bool | None) -> Capabilities:
        """Return a copy in which these features have these values and this source."""
        added = {name: Capability(value, source) for name, value in values.items()}
        return evolve(self, features={**self.features, **added})


def _freeze_sequences(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(rule[name]) for name in ("choices", "excludes") if rule.get(name) is not None}


@frozen
class ModelRef(Value):
    """A model as a hook sees it.

    Attributes:
        id: What the service calls it: a model id or the customer's own name for a deployment.
        connection: The connection's name.
        kind: The kind of the request at hand; None where there is none (listing).
        underlying: The model behind a deployment: "[provider:]model", or None.
        declared: The entry in the connection's `models`; {} if there is none.
        settings: The plugin's settings object, secrets unresolved.
    """

    id: str
    connection: str = ""
    kind: Kind | None = None
    underlying: str | None = None
    declared: Mapping[str, Any] = field(factory=dict)
    settings: Any = field(default=None, repr=False)

    @property
    def known_as(self) -> str:
        """The id to look up in tables: the underlying model's (without its provider), else the id."""
        if self.underlying is None:
            return self.id
        return self.underlying.partition(":")[2] or self.underlying


@frozen(kw_only=True)
class ModelCard(Value):
    """What `mesh.models` says of a model.

    Attributes:
        id: What to write after the colon of a target.
        connection: The connection's name.
        kinds: The kinds of request it serves; empty is unknown.
        capabilities: What it can do.
        limits: Sizes.
        price: Its rates; None for unknown.
        underlying: The model behind a deployment.
        title: A name for people.
        retired: The day (ISO) from which the service no longer has it, if told.
        allowed: The connection's allow-list lets it be called.
        data: The listing's own entry.
    """

    id: str
    connection: str = ""
    kinds: frozenset[Kind] = frozenset()
    capabilities: Capabilities = field(factory=Capabilities)
    limits: Limits = field(factory=Limits)
    price: RateCard | None = None
    underlying: str | None = None
    title: str | None = None
    retired: str | None = None
    allowed: bool = True
    data: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class ModelEntry(Value):
    """One entry of `models`.

    Attributes:
        id: What programs write; may end in `*`.
        kinds: The kinds of request it is declared to serve; empty if none is declared.
        underlying: The model behind a deployment: "[provider:]model".
        route: Where the call goes, if that differs from the id.
        price: Declared rates.
        rate: Declared cost of time or of a unit.
        capabilities: Declared features, by name.
        limits: Declared sizes.
        options: Given with each call that does not say otherwise.
        pace: How fast the service may be asked for the models that the entry names, all together; a table as of the
            connection, whose own pace holds as well.
        own: The plugin's own keys, read into its `model_keys`; None if it has none.
        raw: The entry as it is written.
    """

    id: str
    kinds: frozenset[Kind] = frozenset()
    underlying: str | None = None
    route: str | None = None
    price: RateCard | None = None
    rate: RateCard | None = None
    capabilities: Mapping[str, bool] = field(factory=dict)
    limits: Limits | None = None
    options: Mapping[str, Any] = field(factory=dict)
    pace: PacePolicy | None = None
    own: Any = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False)

    def matches(self, model_id: str) -> bool:
        """Return whether this entry names a model: exactly, or by what stands before its `*`."""
        if self.id.endswith("*"):
            return model_id.startswith(self.id[:-1])
        return model_id == self.id


show_in("jackfield", ModelCard)
show_in("jackfield.plugin", Capabilities, Capability, Limits, ModelEntry, ModelRef, ParameterRule)
