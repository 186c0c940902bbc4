"""Do a task of two steps with one client of Python, by each of some models; print one line of JSON for each.

    python python_clients.py CLIENT URL KEY FILE MODEL...

It needs the packages of clients, and nothing of Jackfield.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

READ = "Read a file."
EDIT = "Replace a text in a file."


def read_file(path: str) -> str:
    """Read a file."""
    return Path(path).read_text()


def edit_file(path: str, old_string: str, new_string: str) -> str:
    """Replace a text in a file."""
    file = Path(path)
    text = file.read_text()
    assert old_string in text
    file.write_text(text.replace(old_string, new_string))
    return "The file was changed."


TOOLS = {"read_file": read_file, "edit_file": edit_file}


def schema(*names):
    fields = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": fields, "required": list(names), "additionalProperties": False}


SCHEMAS = {
    "read_file": (READ, schema("path")),
    "edit_file": (EDIT, schema("path", "old_string", "new_string")),
}


async def openai_chat(base, key, model, task):
    import openai

    functions = [{"name": n, "description": d, "parameters": s} for n, (d, s) in SCHEMAS.items()]
    tools = [{"type": "function", "function": function} for function in functions]
    messages = [{"role": "system", "content": "You edit files."}, {"role": "user", "content": task}]
    async with openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0) as client:
        while True:
            async with client.chat.completions.stream(
                model=model, messages=messages, tools=tools, stream_options={"include_usage": True}
            ) as stream:
                async for _ in stream:
                    pass
                answer = await stream.get_final_completion()
            message = answer.choices[0].message
            if not message.tool_calls:
                return message.content, answer.usage.total_tokens
            messages.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
            for call in message.tool_calls:
                result = TOOLS[call.function.name](**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


async def openai_responses(base, key, model, task):
    import openai

    tools = [
        {"type": "function", "name": n, "description": d, "parameters": s, "strict": True}
        for n, (d, s) in SCHEMAS.items()
    ]
    items = [{"role": "user", "content": task}]
    async with openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0) as client:
        while True:
            async with client.responses.stream(
                model=model, input=items, tools=tools, store=False, include=["reasoning.encrypted_content"],
                reasoning={"effort": "low", "summary": "auto"},
            ) as stream:  # fmt: skip
                async for _ in stream:
                    pass
                answer = await stream.get_final_response()
            items += [
                item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output
            ]
            calls = [item for item in answer.output if item.type == "function_call"]
            if not calls:
                return answer.output_text, answer.usage.total_tokens
            for call in calls:
                result = TOOLS[call.name](**json.loads(call.arguments))
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": result})


async def anthropic_messages(base, key, model, task):
    import anthropic

    tools = [{"name": n, "description": d, "input_schema": s} for n, (d, s) in SCHEMAS.items()]
    messages = [{"role": "user", "content": task}]
    async with anthropic.AsyncAnthropic(base_url=base, api_key=key, max_retries=0) as client:
        while True:
            async with client.messages.stream(
                model=model, max_tokens=9000, messages=messages, tools=tools, thinking={"type": "adaptive"}
            ) as stream:
                async for _ in stream:
                    pass
                answer = await stream.get_final_message()
            messages.append({"role": "assistant", "content": answer.content})
            calls = [block for block in answer.content if block.type == "tool_use"]
            if not calls:
                text = "".join(block.text for block in answer.content if block.type == "text")
                return text, answer.usage.output_tokens
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": TOOLS[call.name](**call.input)}
                for call in calls
            ]
            messages.append({"role": "user", "content": results})


async def agents(base, key, model, task, *, chat):
    from agents import (
        Agent,
        ModelSettings,
        OpenAIChatCompletionsModel,
        OpenAIResponsesModel,
        Runner,
        function_tool,
        set_tracing_disabled,
    )  # fmt: skip
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    async with AsyncOpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0) as client:
        kind = OpenAIChatCompletionsModel if chat else OpenAIResponsesModel
        settings = ModelSettings(
            store=False,
            include_usage=True,
            response_include=None if chat else ["reasoning.encrypted_content"],
        )
        agent = Agent(
            name="editor", instructions="You edit files.", model=kind(model=model, openai_client=client),
            tools=[function_tool(tool) for tool in TOOLS.values()], model_settings=settings,
        )  # fmt: skip
        run = Runner.run_streamed(agent, task)
        async for _ in run.stream_events():
            pass
        return run.final_output, run.context_wrapper.usage.total_tokens


async def langchain(base, key, model, task, *, surface):
    from langchain_core.messages import HumanMessage, ToolMessage

    if surface == "messages":
        from langchain_anthropic import ChatAnthropic

        chat = ChatAnthropic(model=model, base_url=base, api_key=key, max_retries=0, max_tokens=9000)
    else:
        from langchain_openai import ChatOpenAI

        chat = ChatOpenAI(
            model=model, base_url=f"{base}/v1", api_key=key, max_retries=0, stream_usage=True,
            use_responses_api=surface == "responses",
        )  # fmt: skip
    bound = chat.bind_tools(list(TOOLS.values()))
    messages = [HumanMessage(task)]
    while True:
        answer = None
        async for chunk in bound.astream(messages):
            answer = chunk if answer is None else answer + chunk
        messages.append(answer)
        if not answer.tool_calls:
            return answer.text, answer.usage_metadata["total_tokens"]
        for call in answer.tool_calls:
            result = TOOLS[call["name"]](**call["args"])
            messages.append(ToolMessage(result, tool_call_id=call["id"]))


CLIENTS = {
    "openai.chat": openai_chat,
    "openai.responses": openai_responses,
    "anthropic.messages": anthropic_messages,
    "agents.chat": lambda *given: agents(*given, chat=True),
    "agents.responses": lambda *given: agents(*given, chat=False),
    "langchain.chat": lambda *given: langchain(*given, surface="chat"),
    "langchain.responses": lambda *given: langchain(*given, surface="responses"),
    "langchain.messages": lambda *given: langchain(*given, surface="messages"),
}


async def main():
    client, base, key, file, *models = sys.argv[1:]
    before = Path(file).read_text()
    for model in models:
        Path(file).write_text(before)
        text, usage = await CLIENTS[client](base, key, model, f"Make {file} greet the gateway.")
        print(
            json.dumps({"model": model, "text": text, "usage": usage, "file": Path(file).read_text()}),
            flush=True,
        )
    if "OPENAI_API_KEY" in os.environ:
        raise SystemExit("a key in the environment would hide a mistake")


asyncio.run(main())
