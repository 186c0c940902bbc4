"""Get an answer in JSON from a model that has no such mode but can be made to call a tool."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jackfield._faces import show_in
from jackfield._types.content import Tool
from jackfield._types.option_rules import UNSET
from jackfield._values import Value, frozen

from .translating import ReportBuilder

__all__ = ["JSONTool", "json_tool"]


@frozen(kw_only=True)
class JSONTool(Value):
    """The tool whose arguments are the answer.

    Attributes:
        tool: What to offer beside the caller's own tools.
        by_name: Force this tool; False: the caller's may be called, too, so force any of them.
        why: Why the answer comes this way, for the report.
    """

    tool: Tool
    by_name: bool
    why: str

    def note(self, report: ReportBuilder, *, tools: str, choice: str, forced: Any) -> None:
        """Report the tool and the choice that forces it.

        Args:
            report: Where to.
            tools: Where tools stand on the wire, a dotted path.
            choice: Where the choice among them stands.
            forced: What was written there.
        """
        why = f"{self.why}: through the tool {self.tool.name}"
        report.note("response_format", "emulated", wire=tools, value=self.tool.parameters, why=why)
        report.note("tool_choice", "emulated", wire=choice, value=forced, why="it makes the answer JSON")


def json_tool(
    report: ReportBuilder,
    wanted: str | Mapping[str, Any],
    *,
    names: Collection[str],
    choice: Any,
    emulate: bool,
    obstacle: str | None = None,
) -> JSONTool | None:
    """Return the tool through which an answer in JSON comes; refuse `response_format` and return None if there is none.

    The decoder gives that tool's arguments as text. Its name can be carried to it in `Wire.meta`.

    Args:
        report: Where the refusal goes.
        wanted: `response_format`: "json" or a JSON schema.
        names: Of the caller's tools.
        choice: The caller's `tool_choice`, or `UNSET`.
        emulate: `Options.emulate`.
        obstacle: Why the service or the model cannot be forced to call a tool "in its place"; None if it can.

    Raises:
        UnsupportedError: It is refused, and the policy is "error".
    """
    is_plain = wanted == "json"
    why = "the service has no plain JSON mode" if is_plain else "the model follows no schema by itself"
    schema: Mapping[str, Any] = {"type": "object"} if isinstance(wanted, str) else wanted
    if not emulate:
        obstacle = "emulate=False forbids to force a tool in its place"
    elif obstacle is None and choice is not UNSET and choice not in ("auto", "none"):
        obstacle = "the tool that tool_choice forces stands in the way of the one that would hold the answer"
    elif obstacle is None and schema.get("type") != "object":
        obstacle = "the tool that would hold the answer wants a schema of type object"
    if obstacle is not None:
        report.refuse("response_format", f"{why}, and {obstacle}", wanted)
        return None
    name = "answer_in_json"
    while name in names:
        name += "_"
    tool = Tool(name, "Gives the answer. Call it when it is ready.", schema)
    return JSONTool(tool=tool, by_name=not names or choice == "none", why=why)


show_in("jackfield.plugin", JSONTool)
