"""A picture that a tool of Claude Code or Codex returns arrives at every service, in the form that its API has for it."""

import json
import re

import pytest
from coding_model import DONE
from running_clients import MODELS
from test_command_lines import run_claude, run_codex

# A tool's result is text alone in chat completions: there the picture follows in a message of the user's.
FORMS = {
    "chat": r'"type": "image_url", "image_url": \{"url": "data:image/png;base64,',
    "responses": r'"type": "input_image", "image_url": "data:image/png;base64,',
    "messages": r'"source": \{"type": "base64", "(media_type": "image/png", ")?data": "',
}


@pytest.mark.parametrize("client", [run_claude, run_codex])
@pytest.mark.parametrize("api", list(MODELS))
def test_a_picture_arrives(api, client, workplace, gateway, service):
    workplace.draw()
    run = client(workplace, gateway, MODELS[api]).require_success()
    assert DONE in run.out
    assert service.refused == []
    first, second = [seen for seen in service.requests if seen.offered]
    assert first.api == second.api == api
    assert len(second.results) == 1
    told = json.dumps(second.body)
    assert len(re.findall(FORMS[api] + "iVBOR", told)) == 1, told[-3000:]
