"""Text and tokens: chat templates, tool calls, grammars, sampling, beam search. Runs no model."""
