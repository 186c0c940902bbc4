"""Groq for Jackfield: a service that speaks OpenAI's dialect, so one call is the whole plugin."""

from jackfield_openai import compatible

plugin = compatible(
    id="groq",
    title="Groq",
    base_url="https://api.groq.com/openai/v1",
    api_key_env="GROQ_API_KEY",
    end="finish",  # a stream is whole when each choice has told why it ended
)
