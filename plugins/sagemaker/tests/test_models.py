"""The table of modes and models."""

from sagemaker_endpoints import ref

from jackfield.plugin import ModelRef
from jackfield_sagemaker import jackfield_capabilities


def known(mode, underlying=None, **declared):
    return jackfield_capabilities(ref(mode, underlying, **declared))


def test_what_is_known_of_an_endpoint():
    llama = known("lmi", "meta-textgeneration-llama-3-8b-instruct")
    assert (llama.known, llama.kinds, llama.limits.context_window) == (True, frozenset({"completion"}), 8192)
    assert llama.chat_prompt_name.startswith("Llama 3")
    assert known("llama", "llama-2-7b").chat_prompt is None
    assert known("claude", "claude-2.1").limits.context_window == 200_000
    assert known("cohere-command", "command-light").known
    assert not known("lmi", "never-heard-of").known
    nobody = jackfield_capabilities(ModelRef("e", declared={"id": "e", "mode": "claude"}))
    assert (nobody.known, nobody.limits.context_window) == (False, None)
    assert known("openai", "gpt-4o").kinds == {"chat"}
    assert known("lmi").feature("tools").value is False
    assert known("openai", "gpt-oss-120b").feature("tools").value is not False
    assert known("lmi", asynchronous={}).feature("streaming").value is False
    assert jackfield_capabilities(ModelRef("e")).known is False
    body = {"m": "{{messages}}", "p": "{{prompt}}"}
    template = known("template", template={"body": body, "text": "t"})
    assert template.kinds == {"chat", "completion"}
    assert template.feature("streaming").value is False
