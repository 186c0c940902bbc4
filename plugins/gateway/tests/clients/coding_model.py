"""A model that follows a script: it reads `greet.py` by one tool, changes it by another, and says that it is done.

It looks at the tools that it is offered and at the results that it has had so far, so that any client can be driven by it,
whatever the tools are called there.
"""

import json
import re

import attrs

__all__ = ["AFTER", "BEFORE", "DONE", "THOUGHT", "Call", "Step", "Tool", "next_step", "shows_file"]

BEFORE = 'print("hello")\n'
AFTER = 'print("hello, gateway")\n'
DONE = "Done: it greets the gateway."
THOUGHT = "Which file is it?"

_READERS = ("read", "read_file", "read_files", "view")
_VIEWERS = ("view_image", *_READERS)
_EDITORS = ("edit", "edit_file", "replace", "str_replace", "editor")
_SHELLS = ("exec_command", "shell", "shell_command", "bash", "run_commands")
_JAVASCRIPT_READ = "const r = await tools.exec_command({{cmd: {}}}); text(r.output);"
_JAVASCRIPT_PATCH = "const r = await tools.apply_patch({}); text(r);"
_VALUES = {
    "file_path": "path",
    "filepath": "path",
    "path": "path",
    "absolute_path": "path",
    "old_string": "old",
    "oldstring": "old",
    "old_text": "old",
    "oldtext": "old",
    "new_string": "new",
    "newstring": "new",
    "new_text": "new",
    "newtext": "new",
    "cmd": "command",
    "command": "command",
    "workdir": "folder",
}


@attrs.frozen
class Tool:
    """A tool that the client offers; `form` is "function" or "custom" (its input is a text)."""

    name: str
    schema: dict
    form: str = "function"
    namespace: str | None = None


@attrs.frozen
class Call:
    """A call of a tool: the tool, and its arguments, or the text of a custom tool."""

    tool: Tool
    arguments: dict | str


@attrs.frozen
class Step:
    """What the model says next."""

    text: str
    calls: tuple = ()


def next_step(tools, results, conversation, *, reads=1):
    """Return what the model says next; of a picture, it looks at it and says that it is done.

    Args:
        tools: The tools that are offered.
        results: The texts that tools have returned so far.
        conversation: All texts, in which the path of the file is named.
        reads: How often it reads the file, in one answer.
    """
    found = re.search(r"(/[\w./-]+)/(?:greet\.py|logo\.png)", conversation)
    if found is None or not tools:
        return Step(_without_tools(conversation))
    if found[0].endswith(".png"):
        return Step(DONE) if results else _call("I look at it.", 1, tools, _VIEWERS, {"path": found[0]})
    values = {
        "folder": found[1],
        "path": found[0],
        "old": BEFORE.strip(),
        "new": AFTER.strip(),
    }
    script = _named(tools, "exec")
    if not results:
        if script is not None:  # Codex's newest models write programs, in which the tools are functions
            program = _JAVASCRIPT_READ.format(json.dumps(f"cat {found[0]}"))
            return _step("I read the file.", reads, _written(script, program))
        return _call("I read the file.", reads, tools, _READERS, {**values, "command": f"cat {found[0]}"})
    if len(results) == reads:
        if not shows_file(results[0]):
            return Step(f"The file was not read: {results[0][:400]}")
        patch = f"*** Begin Patch\n*** Update File: greet.py\n@@\n-{BEFORE}+{AFTER}*** End Patch\n"
        if script is not None:
            return _step("I change it.", 1, _written(script, _JAVASCRIPT_PATCH.format(json.dumps(patch))))
        if (tool := _named(tools, "apply_patch")) is not None:
            return _step("I change it.", 1, _written(tool, patch))
        command = f"sed -i 's/hello/hello, gateway/' {found[0]}"
        return _call("I change it.", 1, tools, _EDITORS, {**values, "command": command})
    return Step(DONE)


def shows_file(text):
    """Return whether a tool's result shows the file as it was; some clients number its lines, or write it as JSON."""
    return BEFORE.strip() in text.replace('\\"', '"')


def _without_tools(conversation):
    if "SEARCH/REPLACE" in conversation:  # aider: changes are written as text
        return f"greet.py\n```python\n<<<<<<< SEARCH\n{BEFORE}=======\n{AFTER}>>>>>>> REPLACE\n```\n\n{DONE}"
    return "Greet the gateway"


def _step(text, number, call):
    return Step(text, (call,) * number)


def _call(text, number, tools, names, values):
    by_name = {tool.name.lower(): tool for tool in tools}
    for name in (*names, *_SHELLS):
        if name in by_name and by_name[name].form == "function":
            return _step(text, number, Call(by_name[name], _fill(by_name[name].schema, values)))
    return Step(f"None of the tools is known: {', '.join(by_name)}")


def _fill(schema, values):
    """Return arguments that follow a schema: known names by their meaning, others only if they are required."""
    filled = {}
    for name, field in schema.get("properties", {}).items():
        meaning = _VALUES.get(name.lower())
        if meaning is not None:
            filled[name] = [values[meaning]] if field.get("type") == "array" else values[meaning]
        elif field.get("type") == "array" and "properties" in field.get("items", {}):
            filled[name] = [_fill(field["items"], values)]
        elif name in schema.get("required", ()):
            filled[name] = {"integer": 1, "number": 1, "boolean": False, "array": []}.get(
                field.get("type"), "greet"
            )
    return filled


def _named(tools, name):
    """Return the tool of a name, which may follow the name of a namespace."""
    return next((tool for tool in tools if tool.name.rsplit("__", 1)[-1] == name), None)


def _written(tool, text):
    """Return the call of a tool whose input is a text; services without such tools have a function in its place."""
    return Call(tool, text if tool.form == "custom" else {"input": text})
