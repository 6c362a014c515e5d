#!/usr/bin/env bash
# Prints the path of the Claude Code command that the tests use; installs it first where it is missing.
#
#   scripts/get-claude.sh
set -euo pipefail

# shellcheck source=scripts/npm-command.sh
. "$(dirname "${BASH_SOURCE[0]}")/npm-command.sh"

npm_command claude @anthropic-ai/claude-code 2.1.197 CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
