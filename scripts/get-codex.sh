#!/usr/bin/env bash
# Prints the path of the Codex command that the tests use; installs it first where it is missing.
#
#   scripts/get-codex.sh
set -euo pipefail

# shellcheck source=scripts/npm-command.sh
. "$(dirname "${BASH_SOURCE[0]}")/npm-command.sh"

npm_command codex @openai/codex 0.169.0
