"""The work that every subject does."""

from __future__ import annotations

MESSAGES = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "Why is the sky blue?"},
]
TEXTS = [f"The sky is blue for reason number {number}." for number in range(64)]
LIMIT = 300
BEDROCK_MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
REGION = "eu-central-1"
