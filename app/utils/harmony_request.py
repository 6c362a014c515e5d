"""A chat request as one for text completions, whose prompt is Harmony. Pure."""

from __future__ import annotations

from app.types import Body
from app.utils.harmony import TOKENS

END = ["<|return|>", "<|call|>"]
"""What ends a turn. gpt-oss's own list of stop tokens has both, but not every server reads it."""

# They ask for control tokens as text: llama-server's (a list for each request, else --special), vLLM's and
# SGLang's. mlx-lm writes them anyway. Who does not know a field reads past it.
RAW = {"preserved_tokens": [*TOKENS], "skip_special_tokens": False, "spaces_between_special_tokens": False}

# What stands in the prompt, or has no meaning for text. The client's stop sequences are looked for in what
# is shown: the target would find them in the analysis too.
_IN_PROMPT = frozenset({"messages", "tools", "tool_choice", "response_format", "reasoning_effort"})
_OF_CHAT = frozenset(
    """parallel_tool_calls functions function_call thinking reasoning stop logprobs top_logprobs modalities
    audio prediction web_search_options verbosity max_completion_tokens chat_template_kwargs
    reasoning_format parse_tool_calls add_generation_prompt verbose echo suffix best_of""".split()  # noqa: SIM905  # a list of 20 lines says no more
)


def completions_body(body: Body, prompt: str) -> Body:
    """The body for /completions; what the configuration adds to a chat request goes along."""
    made = {key: value for key, value in body.items() if key not in _IN_PROMPT and key not in _OF_CHAT}
    if made.get("max_tokens") is None and body.get("max_completion_tokens") is not None:
        made["max_tokens"] = body["max_completion_tokens"]
    return {**RAW, **made, "prompt": prompt, "stop": END}
