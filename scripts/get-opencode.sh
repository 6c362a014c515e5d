#!/usr/bin/env bash
# Prints the path of the OpenCode command that the tests use; installs it first where it is missing.
#
#   scripts/get-opencode.sh
set -euo pipefail

# shellcheck source=scripts/npm-command.sh
. "$(dirname "${BASH_SOURCE[0]}")/npm-command.sh"

npm_command opencode opencode-ai 1.18.33 OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1
