from __future__ import annotations

from app.config.report import report
from tests.config.conftest import Read


def test_the_report_shows_where_each_alias_leads_and_what_is_wrong(read: Read) -> None:
    file = {
        "theme": "dark",
        "disabled_providers": ["off"],
        "provider": {
            "groq": {"npm": "@ai-sdk/groq", "models": {"fast": {"id": "kimi"}}},
            "local": {"options": {"baseURL": "http://127.0.0.1:8080/v1"}, "models": {"llama": {}}},
            "bad": {"options": {"baseURL": "nowhere"}, "models": {"x": {}}},
            "off": {"models": {"y": {}}},
            "echo": {"models": {"echo": {"options": {"localcode": {"mockResponse": "hi"}}}}},
        },
    }
    catalog = read(file)

    assert (
        report(catalog)
        == f"""\
{catalog.source}: 4 models, 2 ready
  alias  target       where           how
  fast   groq/kimi    api.groq.com    litellm groq  off: GROQ_API_KEY is not set
  llama  local/llama  127.0.0.1:8080  relay         ready
  x      bad/x        ?               ?             off: its entry is wrong: provider.bad.options.baseURL
  echo   echo/echo    here            fixed answer  ready

1 problem:
  provider.bad.options.baseURL
    it is no http or https address
    -> write it as "https://host/v1"

left out:
  provider.off
    it is in disabled_providers

1 note:
  theme
    for OpenCode alone, without effect here: theme"""
    )


def test_the_report_of_a_file_without_models_is_short_and_says_why(read: Read) -> None:
    catalog = read({})

    assert report(catalog).splitlines()[0] == f"{catalog.source}: 0 models, 0 ready"
    assert "there is nothing to serve" in report(catalog)


def test_the_report_holds_no_key(read: Read) -> None:
    options = {
        "baseURL": "https://[2001:db8::1]:8443/v1",
        "apiKey": "sk-canary-0001",
        "headers": {"x-key": "canary-2"},
    }
    text = report(read({"provider": {"p": {"options": options, "models": {"m": {}}}}}))

    assert "canary" not in text
    assert "[2001:db8::1]:8443" in text


def test_what_is_to_be_copied_from_the_report_stands_on_one_line(read: Read) -> None:
    text = report(read({"provider": {"p": {"npm": "@ai-sdk/openai-compatble", "models": {"m": {}}}}}))

    assert "close:\n    @ai-sdk/openai-compatible\n" in text


def test_a_target_without_an_address_is_where_litellm_knows(read: Read) -> None:
    assert "bedrock's own" in report(read({"provider": {"amazon-bedrock": {"models": {"m": {}}}}}))
