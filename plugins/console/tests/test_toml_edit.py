"""A configuration is changed at one place; the rest of the file stays byte for byte."""

import tomllib

import pytest
from hypothesis import given, strategies as st

from jackfield_console._toml_edit import EditError, add_element, add_table, remove, set_value, value_at
from jackfield_console._toml_scan import scan

FILE = """\
# ours; talk to us before you change it

[defaults]
timeout = 5   # seconds

# about openai
[connections.openai]   # the paid one
provider = "openai"
api_key = "env:A" # key
models = [
  "gpt-6-luna", # cheap
  { id = "gpt-6", price = { input = "1" } },
]

# connections of people without a key
# [connections.trial]
# provider = "openai"

# about b
[connections.b]
provider = "onnx"

# the aliases
[aliases]
x = "b:c"
"""


def lines_of(text):
    return text.splitlines(keepends=True)


def is_subsequence(wanted, found):
    rest = iter(found)
    return all(any(line == other for other in rest) for line in wanted)


def test_a_new_key_stands_behind_the_last_of_its_table():
    new = set_value(FILE, ("connections", "b", "max_parallel"), 4)
    assert new == FILE.replace('provider = "onnx"\n', 'provider = "onnx"\nmax_parallel = 4\n')


def test_a_value_is_replaced_and_its_comment_stays():
    new = set_value(FILE, ("connections", "openai", "api_key"), "file:/run/key")
    assert new == FILE.replace('"env:A"', '"file:/run/key"')


def test_a_removed_table_takes_the_comment_directly_above_it_and_no_other():
    new = remove(FILE, ("connections", "b"))
    assert new == FILE.replace('# about b\n[connections.b]\nprovider = "onnx"\n\n', "")
    assert "# connections of people" in remove(FILE, ("connections", "openai"))


def test_a_new_table_stands_behind_the_last_of_its_kind():
    new = add_table(FILE, ("connections", "new"), {"provider": "cohere"})
    assert new == FILE.replace(
        'provider = "onnx"\n', 'provider = "onnx"\n\n[connections.new]\nprovider = "cohere"\n'
    )


def test_what_stays_in_a_list_keeps_its_comment():
    new = set_value(FILE, ("connections", "openai", "models"), ["gpt-6-luna", "gpt-6-nova"])
    assert '  "gpt-6-luna", # cheap\n' in new
    assert value_at(tomllib.loads(new), ("connections", "openai", "models")) == ["gpt-6-luna", "gpt-6-nova"]


def test_rules_are_elements_of_an_array_of_tables():
    path = ("middleware", "limits", "limit")
    once = add_element(FILE, path, {"name": "a", "most": "250"})
    twice = add_element(once, path, {"name": "b", "most": "2"})
    assert twice.startswith(FILE)
    assert [rule["name"] for rule in value_at(tomllib.loads(twice), path)] == ["a", "b"]
    changed = set_value(twice, (*path, 1, "most"), "3")
    assert value_at(tomllib.loads(changed), (*path, 1, "most")) == "3"
    assert tomllib.loads(remove(twice, (*path, 0))) == tomllib.loads(
        add_element(FILE, path, {"name": "b", "most": "2"})
    )
    assert remove(twice, (*path, 1)) == once
    assert remove(once, (*path, 0)) == FILE


@pytest.mark.parametrize(
    ("text", "path", "value", "wanted"),
    [
        (
            'connections = { a = { provider = "x" } }\n',
            ("connections", "a", "models"),
            ["m"],
            'connections = { a = { provider = "x", models = ["m"]} }\n',
        ),
        (
            "[connections]\na.provider = 'x'\n[z]\n",
            ("connections", "a", "n"),
            2,
            "[connections]\na.provider = 'x'\na.n = 2\n[z]\n",
        ),
        ("", ("aliases", "best"), "a:b", '[aliases]\nbest = "a:b"\n'),
        ("[aliases]\n", ("aliases", "my best"), "a:b", '[aliases]\n"my best" = "a:b"\n'),
        ("a = 1", ("b",), 2, "a = 1\nb = 2\n"),
        ("[t]\r\na = 1\r\n", ("t", "b"), True, "[t]\r\na = 1\r\nb = true\r\n"),
        ("[t]\na = '''\n[x]\n'''\n", ("t", "b"), float("inf"), "[t]\na = '''\n[x]\n'''\nb = inf\n"),
        ('[a."b.c"]\nd = 1\n', ("a", "b.c", "d"), 2, '[a."b.c"]\nd = 2\n'),
    ],
)
def test_other_ways_to_write_a_table_are_followed(text, path, value, wanted):
    assert set_value(text, path, value) == wanted


def test_a_table_with_a_header_is_merged_key_by_key():
    text = "[c.a]\nx = 1\n\n[c.a.timeout]  # slow\nconnect = 3 # s\nidle = 4\n"
    assert set_value(text, ("c", "a", "timeout"), {"connect": 3, "total": 9}) == (
        "[c.a]\nx = 1\n\n[c.a.timeout]  # slow\nconnect = 3 # s\ntotal = 9\n"
    )


def test_a_table_that_is_there_is_not_added_again():
    with pytest.raises(EditError, match="is there already"):
        add_table(FILE, ("connections", "b"), {"provider": "x"})


def test_a_broken_file_is_refused():
    with pytest.raises(EditError, match="not valid TOML"):
        set_value("a = [\n", ("b",), 1)


# Random files

keys = st.sampled_from(["alpha", "beta", "gamma", "delta", "a.b", "with space", "ümlaut"])
comments = st.sampled_from(["# words", "#[looks.like] = 'a header'", '# "quoted', "#"])
written_values = st.sampled_from(
    [
        "1",
        "-0.5",
        "true",
        '"text # no comment"',
        "'lit'",
        '"""\n[not a header]\n"""',
        "'''a\n\nb = 1'''",
        '[\n  "a", # first\n  "b",\n]',
        "[1, 2]",
        '{ x = 1, y = ["z"] }',
        "1979-05-27",
        "inf",
        '"a\\"b"',
    ]
)
new_values = st.sampled_from(
    [7, "text", True, 1.5, ["a", "b"], {"q": 1}, [{"id": "m"}], 'quote " and \\ and \n line']
)


def write_key(key):
    return key if key.isascii() and key.isalnum() else f'"{key}"'


@st.composite
def documents(draw):
    """Return a text, and the paths of its pairs and tables."""
    lines, pairs, tables = [], [], []
    for name in draw(st.lists(keys, unique=True, min_size=1, max_size=4)):
        table = ("connections", name)
        tables.append(table)
        lines += draw(st.lists(comments, max_size=2))
        tail = draw(st.sampled_from(["", "  # here"]))
        lines.append(f"[connections.{write_key(name)}]{tail}")
        for key in draw(st.lists(keys, unique=True, max_size=4)):
            lines += draw(st.lists(comments, max_size=1))
            indent, tail = draw(st.sampled_from(["", "  ", "\t"])), draw(st.sampled_from(["", " # why"]))
            lines.append(f"{indent}{write_key(key)} = {draw(written_values)}{tail}")
            pairs.append((*table, key))
            lines += [""] * draw(st.integers(0, 1))
        if draw(st.booleans()):
            lines += ["", f"[connections.{write_key(name)}.sub]", "n = 1"]
            pairs.append((*table, "sub", "n"))
        lines += draw(st.lists(comments, max_size=1))
        lines += [""] * draw(st.integers(0, 2))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    text = "\n".join(lines).replace("\n", newline) + newline
    return text, pairs, tables


def touched(text, path):
    """Return the lines of a text that belong to a path."""
    return {
        line
        for one in scan(text)
        if one.path[: len(path)] == path and one.path
        for line in lines_of(text[one.start : one.end])
    }


@given(documents(), st.data())
def test_what_is_not_meant_stays_byte_for_byte(document, data):
    text, pairs, tables = document
    assert "".join(text[one.start : one.end] for one in scan(text)) == text
    before = tomllib.loads(text)
    path = data.draw(
        st.sampled_from([*pairs, *((*table, "new") for table in tables), ("connections", "new", "k")])
    )
    value = data.draw(new_values)
    new = set_value(text, path, value)
    assert value_at(tomllib.loads(new), path) == value
    kept = [line for line in lines_of(text) if line not in touched(text, path)]
    assert is_subsequence(kept, lines_of(new))
    # and away again
    if value_at(before, path) is None:
        assert tomllib.loads(remove(new, path))["connections"].get(path[1], {}) == before["connections"].get(
            path[1], {}
        )
    else:
        gone = remove(new, path)
        assert value_at(tomllib.loads(gone), path) is None
        assert is_subsequence(kept, lines_of(gone))


@given(documents(), st.data())
def test_a_value_that_is_set_back_gives_the_old_bytes(document, data):
    text, pairs, _ = document
    plain = [path for path in pairs if type(value_at(tomllib.loads(text), path)) in (int, bool)]
    if not plain:
        return
    path = data.draw(st.sampled_from(plain))
    old = value_at(tomllib.loads(text), path)
    assert set_value(set_value(text, path, "other"), path, old) == text


@given(documents(), st.data())
def test_a_removed_table_takes_no_line_of_another(document, data):
    text, _, tables = document
    table = data.draw(st.sampled_from(tables))
    new = remove(text, table)
    assert value_at(tomllib.loads(new), table) is None
    others = {name: value for name, value in tomllib.loads(text)["connections"].items() if name != table[1]}
    assert tomllib.loads(new).get("connections", {}) == others


@given(documents(), st.sampled_from(["new", "with space", "ümlaut.x"]))
def test_an_added_table_changes_no_line(document, name):
    text, _, tables = document
    if ("connections", name) in tables:
        return
    new = add_table(text, ("connections", name), {"provider": "x", "models": ["a"]})
    assert is_subsequence(lines_of(text), lines_of(new))
