"""Named chat templates, wherever a folder holds them, and templates that fail, through the whole framework."""

import json

import pytest
from chains import PLAIN, connection, words_tokenizer, write_chain

from jackfield import ConfigurationError, InvalidRequestError, Mesh, Tool

TOOL = Tool("f", "d")
FOR_TOOLS = "{% for t in tools %}{{ t.function.name }} {% endfor %}" + PLAIN
RAG = "a a a " + PLAIN


@pytest.fixture
def tokenizer():
    return words_tokenizer("a", "user", "f", "hi", '{"name":', '"f",', '"arguments":', "{}}")


async def _count(config, **options):
    async with Mesh.from_config(config) as mesh:
        return (await mesh.chat("l:m", "hi", max_tokens=3, **options)).usage.input_tokens


def _in_a_list(folder, templates):
    path = folder / "tokenizer_config.json"
    named = [{"name": name, "template": source} for name, source in templates.items()]
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": named}))


def _in_files(folder, templates):
    (folder / "chat_template.jinja").write_text(templates["default"], encoding="utf-8-sig")
    (folder / "additional_chat_templates").mkdir()
    for name in templates.keys() - {"default"}:
        path = folder / "additional_chat_templates" / f"{name}.jinja"
        path.write_text(templates[name], encoding="utf-8-sig")


@pytest.mark.parametrize("write", [_in_a_list, _in_files])
async def test_conversations_with_tools_use_the_template_for_tools(write, tokenizer, tmp_path):
    folder = write_chain(tmp_path, tokenizer, {}, template=None)
    write(folder, {"default": PLAIN, "tool_use": FOR_TOOLS, "rag": RAG})
    config = connection(folder)

    assert await _count(config) == 2
    assert await _count(config, tools=[TOOL]) == 3
    config["connections"]["l"]["models"][0]["chat_template"] = "rag"
    assert await _count(config) == 5
    config["connections"]["l"]["models"][0]["chat_template"] = "rga"
    with pytest.raises(ConfigurationError, match="no chat template named 'rga'; it has default"):
        await _count(config)


async def test_calls_of_a_template_for_tools_that_shows_no_format_are_objects(tokenizer, tmp_path):
    i = tokenizer.token_to_id
    words = ['{"name":', '"f",', '"arguments":', "{}}"]
    follows = dict(zip(map(i, ["hi", *words]), map(i, words), strict=False))
    folder = write_chain(tmp_path, tokenizer, follows, template=None)
    _in_a_list(folder, {"default": PLAIN, "tool_use": FOR_TOOLS})

    async with Mesh.from_config(connection(folder)) as mesh:
        reply = await mesh.chat("l:m", "hi", max_tokens=9, tools=[TOOL])

    assert [(call.name, dict(call.arguments)) for call in reply.tool_calls] == [("f", {})]
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")


async def test_a_template_without_tools_still_refuses_them(tokenizer, tmp_path):
    with pytest.raises(InvalidRequestError, match="does not support tools"):
        await _count(connection(write_chain(tmp_path, tokenizer, {})), tools=[TOOL])


@pytest.mark.parametrize(
    "template",
    ["{{ 1 / 0 }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ raise_exception('no') }}"],
)
async def test_a_template_that_fails_names_the_model_and_is_not_asked_again(template, tokenizer, tmp_path):
    config = connection(write_chain(tmp_path / "our-model", tokenizer, {}, template=template))
    del config["connections"]["l"]["retry"]

    with pytest.raises(InvalidRequestError, match="our-model") as caught:
        await _count(config)

    assert len(caught.value.attempts) == 1


async def test_control_tokens_reach_the_template(tokenizer, tmp_path):
    words = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": {"content": "hi"}, "model_max_length": 9}
    folder = write_chain(
        tmp_path, tokenizer, {}, template="{{ unk_token }} {{ bos_token }}", tokenizer_config=words
    )

    assert await _count(connection(folder)) == 2
