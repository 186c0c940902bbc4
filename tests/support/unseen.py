"""Answers that nobody recorded, made of those that somebody did: what a service adds tomorrow, what a proxy writes otherwise."""

import json

from jackfield._calls.fold import fold

__all__ = ["check_unseen", "mutated"]

# What is below these keys is somebody's own data, where every field means something.
OWN_DATA = frozenset(
    {
        "arguments",
        "args",
        "input",
        "parameters",
        "json",
        "structVal",
        "outputs",
        "partialArgs",
        "function_call",
        "audio",
    }
)
COUNTS = frozenset({"usage", "usageMetadata", "billed_units", "tokens", "token_count"})


def with_unknown_fields(value):
    """Return a value with a field that nobody knows in each of its objects."""
    if isinstance(value, dict):
        told = {name: one if name in OWN_DATA else with_unknown_fields(one) for name, one in value.items()}
        return {**told, "x_new": {"a": [1]}}
    return [with_unknown_fields(one) for one in value] if isinstance(value, list) else value


def with_points(value, *, counts=False):
    """Return a value whose counts are written as 12.0, as they come out of some libraries for protobuf and JSON."""
    if isinstance(value, dict):
        return {name: with_points(one, counts=counts or name in COUNTS) for name, one in value.items()}
    if isinstance(value, list):
        return [with_points(one, counts=counts) for one in value]
    return float(value) if counts and isinstance(value, int) and not isinstance(value, bool) else value


def mutated(row, change):
    """Return a row whose answer is changed, each of its JSON values by itself."""
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    if kind in ("sse", "ndjson"):
        body = "".join(f"{_line(line, change)}\n" for line in body.replace("\r\n", "\n").split("\n"))
    elif kind in ("parsed_events", "json_array_stream"):
        body = [change(event) for event in body]
    else:
        body = change(body)
    return {**row, "response": {**row["response"], "body": body}}


def _line(line, change):
    data, text = ("data: ", line[5:]) if line.startswith("data:") else ("", line)
    try:
        return f"{data}{json.dumps(change(json.loads(text)))}"
    except ValueError:  # a line of its own, [DONE], or a piece of JSON over several lines
        return line


def said(events):
    """Return the contents of an answer: each choice's parts, its end, and the counts."""
    answer = fold(events)
    # What a call carries beside these is replayed as it came, unknown fields too.
    choices = [
        (one.text, [(c.id, c.name, c.arguments) for c in one.message.tool_calls], one.finish_reason)
        for one in answer.choices
    ]
    usage = answer.usage
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.reasoning_tokens)
    return choices, counts


def check_unseen(rows, events_of):
    """Check that unknown fields change nothing that an answer says, and neither do counts with a point.

    Args:
        rows: Recorded answers, of chats and completions.
        events_of: Gives the events of one.

    Returns:
        How many were read.
    """
    rows = [row for row in rows if row["response"]["body_kind"] not in ("eventstream", "text")]
    for row in rows:
        expected = said(events_of(row))
        for change in (with_unknown_fields, with_points):
            assert said(events_of(mutated(row, change))) == expected, (row["id"], change.__name__)
    return len(rows)
