"""Which carrier and dialects a provider's package means, and what OpenCode's catalogue knows of a provider.

OpenCode names a provider by its npm package. Where that package speaks OpenAI's Chat Completions the gateway
relays; for the others it uses LiteLLM's provider of that name. Bases, variables and packages of well-known
providers are those of models.dev (July 2026), OpenCode's own catalogue; default bases were compared with
those of LiteLLM 1.106.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from app.types import CarrierName, DialectName

CHAT: frozenset[DialectName] = frozenset({"chat"})
COMPATIBLE = "@ai-sdk/openai-compatible"
OPENAI_BASE = "https://api.openai.com/v1"
ZEN_KEY = "public"
"""What OpenCode Zen's free models are called with when the user has no key."""
ZEN_MODELS = (("gpt-", "@ai-sdk/openai"), ("claude-", "@ai-sdk/anthropic"), ("gemini-", "@ai-sdk/google"))
"""Zen has one address for all; which API is there depends on the model (its documentation)."""


@dataclass(frozen=True, slots=True)
class Package:
    """How the targets of a package are called."""

    carrier: CarrierName = "relay"
    litellm: str | None = None
    """LiteLLM's provider; None: OpenAI-compatible."""
    dialects: frozenset[DialectName] = CHAT
    base: str = ""
    """Where it is when the file does not say; empty: the file must (relay), or LiteLLM knows (litellm)."""
    chat_base: str = ""
    """Its OpenAI-compatible base, if another than `base`, for `carrier: "relay"`."""
    env: tuple[str, ...] = ()
    """The variables in which its SDK looks for a key."""
    needs_key: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What OpenCode knows of a provider by its id."""

    npm: str = COMPATIBLE
    api: str = ""
    env: tuple[str, ...] = ()
    key_optional: bool = False
    by_model: tuple[tuple[str, str], ...] = ()
    """Beginnings of wire ids whose models are called by another package."""
    free_key: str = ""
    """The key for its free models when the user has none."""

    def package_of(self, model: str) -> str:
        return next((npm for start, npm in self.by_model if model.startswith(start)), self.npm)


def _litellm(
    name: str,
    base: str = "",
    *env: str,
    chat_base: str = "",
    dialects: frozenset[DialectName] = CHAT,
    needs_key: bool = True,
) -> Package:
    return Package("litellm", name, dialects, base, chat_base, env, needs_key)


PACKAGES: dict[str, Package] = {
    COMPATIBLE: Package(),
    "@ai-sdk/openai": Package(
        dialects=frozenset({"chat", "responses"}), base=OPENAI_BASE, env=("OPENAI_API_KEY",), needs_key=True
    ),
    "@ai-sdk/anthropic": _litellm(
        "anthropic",
        "https://api.anthropic.com",
        "ANTHROPIC_API_KEY",
        chat_base="https://api.anthropic.com/v1",
        dialects=frozenset({"messages"}),
    ),
    "@ai-sdk/google": _litellm(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        "GOOGLE_GENERATIVE_AI_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        chat_base="https://generativelanguage.googleapis.com/v1beta/openai",
        dialects=frozenset(),
    ),
    "@ai-sdk/google-vertex": _litellm("vertex_ai", dialects=frozenset(), needs_key=False),
    "@ai-sdk/google-vertex/anthropic": _litellm("vertex_ai", dialects=frozenset(), needs_key=False),
    "@ai-sdk/amazon-bedrock": _litellm("bedrock", dialects=frozenset(), needs_key=False),
    "@ai-sdk/azure": _litellm("azure", "", "AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
    "@ai-sdk/groq": _litellm("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "@ai-sdk/mistral": _litellm("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "@ai-sdk/cohere": _litellm(
        "cohere_chat",
        "",
        "COHERE_API_KEY",
        chat_base="https://api.cohere.ai/compatibility/v1",
        dialects=frozenset(),
    ),
    "@ai-sdk/xai": _litellm("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    "@openrouter/ai-sdk-provider": _litellm(
        "openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"
    ),
    "@ai-sdk/deepseek": _litellm("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "@ai-sdk/togetherai": _litellm(
        "together_ai", "https://api.together.xyz/v1", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY"
    ),
    "@ai-sdk/cerebras": _litellm("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "@ai-sdk/perplexity": _litellm("perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
    "@ai-sdk/deepinfra": _litellm("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    "@ai-sdk/fireworks": _litellm(
        "fireworks_ai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"
    ),
    "@ai-sdk/moonshotai": _litellm("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "@ai-sdk/alibaba": _litellm(
        "dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"
    ),
    "@ai-sdk/baseten": _litellm("baseten", "https://inference.baseten.co/v1", "BASETEN_API_KEY"),
    "@ai-sdk/vercel": _litellm("v0", "https://api.v0.dev/v1", "VERCEL_API_KEY"),
    "@ai-sdk/gateway": _litellm("vercel_ai_gateway", "https://ai-gateway.vercel.sh/v1", "AI_GATEWAY_API_KEY"),
    "ollama-ai-provider": _litellm("ollama_chat", "http://127.0.0.1:11434", needs_key=False),
    "ollama-ai-provider-v2": _litellm("ollama_chat", "http://127.0.0.1:11434", needs_key=False),
}

KNOWN: dict[str, Known] = {
    "openai": Known("@ai-sdk/openai", env=("OPENAI_API_KEY",)),
    "anthropic": Known("@ai-sdk/anthropic", env=("ANTHROPIC_API_KEY",)),
    "google": Known(
        "@ai-sdk/google", env=("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
    ),
    "google-vertex": Known("@ai-sdk/google-vertex"),
    "google-vertex-anthropic": Known("@ai-sdk/google-vertex/anthropic"),
    "amazon-bedrock": Known("@ai-sdk/amazon-bedrock"),
    "azure": Known("@ai-sdk/azure", env=("AZURE_API_KEY",)),
    "opencode": Known(
        api="https://opencode.ai/zen/v1", env=("OPENCODE_API_KEY",), by_model=ZEN_MODELS, free_key=ZEN_KEY
    ),
    "opencode-go": Known(api="https://opencode.ai/zen/go/v1", env=("OPENCODE_API_KEY",)),
    "zai": Known(api="https://api.z.ai/api/paas/v4", env=("ZAI_API_KEY", "ZHIPU_API_KEY")),
    "zai-coding-plan": Known(api="https://api.z.ai/api/coding/paas/v4", env=("ZAI_API_KEY", "ZHIPU_API_KEY")),
    "zhipuai": Known(api="https://open.bigmodel.cn/api/paas/v4", env=("ZHIPU_API_KEY",)),
    "openrouter": Known(
        "@openrouter/ai-sdk-provider", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)
    ),
    "groq": Known("@ai-sdk/groq", env=("GROQ_API_KEY",)),
    "mistral": Known("@ai-sdk/mistral", env=("MISTRAL_API_KEY",)),
    "cohere": Known("@ai-sdk/cohere", env=("COHERE_API_KEY",)),
    "xai": Known("@ai-sdk/xai", env=("XAI_API_KEY",)),
    "deepseek": Known(api="https://api.deepseek.com", env=("DEEPSEEK_API_KEY",)),
    "togetherai": Known("@ai-sdk/togetherai", env=("TOGETHER_API_KEY",)),
    "cerebras": Known("@ai-sdk/cerebras", env=("CEREBRAS_API_KEY",)),
    "perplexity": Known("@ai-sdk/perplexity", env=("PERPLEXITY_API_KEY",)),
    "deepinfra": Known("@ai-sdk/deepinfra", env=("DEEPINFRA_API_KEY",)),
    "fireworks-ai": Known(api="https://api.fireworks.ai/inference/v1", env=("FIREWORKS_API_KEY",)),
    "moonshotai": Known(api="https://api.moonshot.ai/v1", env=("MOONSHOT_API_KEY",)),
    "alibaba": Known(
        api="https://dashscope-intl.aliyuncs.com/compatible-mode/v1", env=("DASHSCOPE_API_KEY",)
    ),
    "minimax": Known("@ai-sdk/anthropic", "https://api.minimax.io/anthropic/v1", ("MINIMAX_API_KEY",)),
    "nvidia": Known(api="https://integrate.api.nvidia.com/v1", env=("NVIDIA_API_KEY",)),
    "huggingface": Known(api="https://router.huggingface.co/v1", env=("HF_TOKEN",)),
    "baseten": Known(api="https://inference.baseten.co/v1", env=("BASETEN_API_KEY",)),
    "vercel": Known("@ai-sdk/gateway", env=("AI_GATEWAY_API_KEY",)),
    "ollama-cloud": Known(api="https://ollama.com/v1", env=("OLLAMA_API_KEY",)),
    "lmstudio": Known(api="http://127.0.0.1:1234/v1", env=("LMSTUDIO_API_KEY",), key_optional=True),
}

NATIVE_PREFIXES = ("@opencode/ai/providers/", "@opencode-ai/ai/providers/")
"""OpenCode 2's own packages, named after the provider and, behind a slash, the dialect."""


def package_name(written: str) -> str:
    """A package without V2's `aisdk:`; OpenCode 2's own packages by their cousin's name."""
    name = written.removeprefix("aisdk:")
    for prefix in NATIVE_PREFIXES:
        if name.startswith(prefix):
            return _native(*name.removeprefix(prefix).partition("/"))
    return name


def _native(provider: str, _: str, dialect: str) -> str:
    if provider == "google-vertex":
        return "@ai-sdk/google-vertex"
    if dialect == "messages":
        return "@ai-sdk/anthropic"
    if provider in KNOWN:
        return KNOWN[provider].npm
    return f"@ai-sdk/{provider}"


def native_provider(written: str) -> str | None:
    """The provider's id that one of OpenCode 2's own packages is made for."""
    for prefix in NATIVE_PREFIXES:
        if written.startswith(prefix):
            return written.removeprefix(prefix).partition("/")[0]
    return None


def relayed(package: Package) -> Package:
    """The same provider called by relay at its OpenAI-compatible base."""
    dialects = package.dialects if package.carrier == "relay" else CHAT
    return replace(
        package, carrier="relay", litellm=None, dialects=dialects, base=package.chat_base or package.base
    )


def base_for_litellm(provider: str | None, base: str) -> str:
    """A base as the SDK takes it, in the form that LiteLLM wants for this provider.

    Measured with LiteLLM 1.106.2: Gemini wants the version in it, Anthropic adds it itself, Cohere
    takes the whole address, Azure adds `/openai`, Ollama `/api`.
    """
    match provider if base else None:
        case "gemini" if not urlsplit(base).path:
            return f"{base}/v1beta"
        case "anthropic":
            return base.removesuffix("/v1")
        case "cohere_chat" if not base.endswith("/chat"):
            return f"{base}/chat"
        case "azure":
            return base.removesuffix("/v1").removesuffix("/openai")
        case "ollama_chat":
            return base.removesuffix("/api")
    return base
