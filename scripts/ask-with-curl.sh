#!/usr/bin/env bash
# Asks a gateway that runs the questions that everybody asks first, with curl.
#
#   scripts/ask-with-curl.sh http://127.0.0.1:4242
#
# LOCALCODE_API_KEY is sent where it is set. Uses the alias `echo`, which needs no network.
# Exit 1 at the first answer that is not as it should be.
set -euo pipefail

URL=${1%/}
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
KEY=()
[ -z "${LOCALCODE_API_KEY:-}" ] || KEY=(-H "Authorization: Bearer $LOCALCODE_API_KEY")

# expect WHAT STATUS PATTERN CURL-ARGUMENTS... where the pattern must be in the headers or the body.
expect() {
    local what=$1 status=$2 pattern=$3 got
    shift 3
    got=$(curl -sS --max-time 60 -o "$FOLDER/body" -D "$FOLDER/head" -w '%{http_code}' ${KEY[@]+"${KEY[@]}"} "$@") || got=none
    if [ "$got" = "$status" ] && cat "$FOLDER/head" "$FOLDER/body" 2>/dev/null | grep -Eq -- "$pattern"; then
        echo "  ok  $what ($got)"
        return
    fi
    echo "  NOT $what: status $got, wanted $status and /$pattern/" >&2
    head -c 2000 "$FOLDER/body" >&2
    echo >&2
    exit 1
}

chat() {
    local what=$1 status=$2 pattern=$3 body=$4
    shift 4
    expect "$what" "$status" "$pattern" -H 'Content-Type: application/json' -d "$body" "$URL/v1/chat/completions" "$@"
}

: >"$FOLDER/body" # curl makes none where it cannot connect

HELLO='"messages": [{"role": "user", "content": "Hello"}]'

expect "is healthy" 200 '"status": *"ok"' "$URL/health"
expect "answers HEAD /" 200 '^HTTP' -I "$URL/"
expect "lists its models" 200 '"id": *"echo"' "$URL/v1/models"
expect "lists them without /v1" 200 '"id": *"echo"' "$URL/models"
expect "describes one model" 200 '"id": *"echo"' "$URL/v1/models/echo"
chat "answers" 200 '"role": *"assistant"' "{\"model\": \"echo\", $HELLO}"
chat "answers under the alias" 200 '"model": *"echo"' "{\"model\": \"echo\", $HELLO}"
chat "streams to the end" 200 '^data: \[DONE\]' "{\"model\": \"echo\", \"stream\": true, $HELLO}" -N
chat "streams under the alias" 200 '"model": *"echo"' "{\"model\": \"echo\", \"stream\": true, $HELLO}" -N
chat "keeps the request id" 200 '^[Xx]-[Rr]equest-[Ii]d: *from-curl' "{\"model\": \"echo\", $HELLO}" -H 'x-request-id: from-curl'
chat "knows no such model" 404 '"code": *"model_not_found"' "{\"model\": \"ecco\", $HELLO}"
chat "refuses bad JSON" 400 '"type": *"invalid_request_error"' '{"model": "echo", '
chat "refuses a JSON array" 400 '"type": *"invalid_request_error"' '[]'
chat "misses the messages" 400 'messages' '{"model": "echo"}'
expect "refuses a wrong method" 405 '"error"' "$URL/v1/chat/completions"
expect "knows no such path" 404 '"error"' "$URL/v1/nothing"
