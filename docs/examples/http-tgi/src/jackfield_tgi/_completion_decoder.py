"""Decode the answer to a completion. The same code reads streams and whole answers, so that they cannot differ."""

from typing import Any

from jackfield.plugin import EventDecoder


class CompletionDecoder(EventDecoder):
    """Decode one answer; `EventDecoder` parses the JSON and checks that the answer is complete."""

    def __init__(self) -> None:
        super().__init__({"length": "length", "eos_token": "stop", "stop_sequence": "stop"})

    def read(self, data: Any) -> None:
        """Read a token of a stream, or a whole answer, which has no token."""
        if isinstance(data, list):  # the hosted API wraps a whole answer in a list
            data = data[0]
        if "error" in data:
            self.fail(data)
        if "token" in data:
            if not data["token"].get("special"):
                self.add_text(data["token"]["text"])
        elif "generated_text" in data:
            self.add_text(data["generated_text"])
        else:
            self.add_raw("unknown", data)
        if data.get("generated_text") is not None:  # the last token of a stream has it, too
            self._end(data.get("details") or {})

    def _end(self, details: dict[str, Any]) -> None:
        if details:
            # Streams report the number of input tokens, whole answers only list the tokens.
            tokens = details.get("input_length") or len(details.get("prefill") or ()) or None
            self.add_usage(tokens, details.get("generated_tokens"), raw=details)
        self.add_finish(details.get("finish_reason"))
        self.ended = True  # nothing follows, also if the connection stays open
