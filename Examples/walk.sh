#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A walk through the API with curl: makes an account, sends a message to it, finds, reads, changes and deletes it.
#
#     POSTERN_URL=http://127.0.0.1:8025 POSTERN_TOKEN_FILE=run/admin-token Examples/walk.sh
#
# It stops at the first answer that is not what it should be. Needs curl and python3.
set -eu
url=${POSTERN_URL:-http://127.0.0.1:8025}
token=$(cat "${POSTERN_TOKEN_FILE:-run/admin-token}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The token goes to curl through a file: an argument can be seen by others on the machine.
printf 'header = "Authorization: Bearer %s"\nsilent\nshow-error\n' "$token" >"$work/curl"

# api EXPECTED-STATUS CURL-ARGUMENTS…: prints the answer's body.
api() {
    expected=$1
    shift
    status=$(curl -K "$work/curl" -o "$work/body" -w '%{http_code}' "$@")
    if [ "$status" != "$expected" ]; then
        echo "expected $expected, got $status: curl $*" >&2
        cat "$work/body" >&2
        exit 1
    fi
    cat "$work/body"
}
# pick EXPRESSION: a value of the JSON on standard input, j.
pick() { python3 -c 'import json,sys; j=json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
say() { printf '\n— %s\n' "$*"; }

name=walker$$
say "an account"
account=$(api 201 "$url/v1/accounts" -H 'Content-Type: application/json' \
    -d "{\"kind\":\"local\",\"address\":\"$name@example.org\",\"alias\":\"$name\",\"displayName\":\"A Walker\"}" | pick 'j["id"]')
echo "$account"
base=$url/v1/accounts/$name

say "its folders"
api 200 "$base/folders" | pick '", ".join(f["path"] for f in j["items"])'

say "where its log of events stands"
news=$(api 200 "$base/events?after=newest" | pick 'j["next"]')
echo "$news"

say "a message to itself, as JSON; the same key again sends nothing more"
for _ in 1 2; do
    api 202 "$base/send" -H 'Content-Type: application/json' -H "Idempotency-Key: $name-1" \
        -d "{\"to\":\"$name@example.org\",\"subject\":\"Grüße\",\"text\":\"See you at the harbour.\"}" >"$work/sent"
done
pick 'j["recipients"][0]["state"]' <"$work/sent"
[ "$(api 200 "$base/messages?folder=inbox" | pick 'len(j["items"])')" = 1 ]

say "one with an attachment, as a form"
printf 'date,from,to\n2026-11-02,harbour,island\n' >"$work/timetable.csv"
api 202 "$base/send" -F "to=$name@example.org" -F subject=Timetable -F text='It is attached.' \
    -F "attachment=@$work/timetable.csv;type=text/csv" | pick 'j["messageId"]'

say "a finished message into a folder"
printf 'From: zoe@example.org\r\nTo: %s@example.org\r\nSubject: Lunch\r\n\r\nNoodles?\r\n' "$name" >"$work/lunch.eml"
appended=$(api 201 "$base/messages?folder=archive&flags=seen" -H 'Content-Type: message/rfc822' --data-binary "@$work/lunch.eml" |
    pick 'j["id"]')

say "the list"
api 200 "$base/messages?folder=inbox&limit=10" | pick '"\n".join(m["subject"] for m in j["items"])'

say "the newest, and its attachment"
api 200 "$base/messages/latest" >"$work/latest"
latest=$(pick 'j["id"]' <"$work/latest")
part=$(pick 'j["attachments"][0]["part"]' <"$work/latest")
api 200 "$base/messages/$latest/attachments/$part" | cmp - "$work/timetable.csv" && echo "the attachment is what was sent"

say "the octets as they came"
api 200 "$base/messages/$appended/raw" | cmp - "$work/lunch.eml" && echo "the message is what was put there"

say "search"
api 200 "$base/messages?q=harbour" | pick '[m["subject"] for m in j["items"]]'

say "flags, with a condition"
etag=$(curl -K "$work/curl" -D - -o /dev/null "$base/messages/$latest" | tr -d '\r' | sed -n 's/^etag: //Ip')
api 200 -X PATCH "$base/messages/$latest" -H 'Content-Type: application/json' -H "If-Match: $etag" \
    -d '{"flags":{"add":["seen","flagged"]}}' | pick 'j["flags"]'
api 412 -X PATCH "$base/messages/$latest" -H 'Content-Type: application/json' -H "If-Match: $etag" \
    -d '{"flags":{"remove":["flagged"]}}' | pick 'j["code"]'

say "a folder of its own, and the message moved there"
folder=$(api 201 "$base/folders" -H 'Content-Type: application/json' -d '{"name":"Ferries"}' | pick 'j["id"]')
api 200 -X PATCH "$base/messages/$latest" -H 'Content-Type: application/json' -d "{\"folder\":\"$folder\"}" |
    pick '"moved" if j["folderId"] == "'"$folder"'" else "not moved"'

say "what happened meanwhile, by number; the next event is waited for, and there are some already"
api 200 "$base/events?after=$news&wait=30&limit=1" | pick 'j["items"][0]["seq"] - '"$news"
api 200 "$base/events?after=$news&type=message.*" | pick '"\n".join(e["type"] for e in j["items"])'

say "a narrow token reads and cannot send"
narrow=$(api 201 "$url/v1/tokens" -H 'Content-Type: application/json' \
    -d "{\"name\":\"walk\",\"scopes\":[\"read\"],\"accounts\":[\"$account\"]}" | tee "$work/token" | pick 'j["token"]')
cp "$work/curl" "$work/admin"
printf 'header = "Authorization: Bearer %s"\nsilent\nshow-error\n' "$narrow" >"$work/curl"
api 200 "$base/messages?limit=1" >/dev/null
api 403 "$base/send" -H 'Content-Type: application/json' -d "{\"to\":\"$name@example.org\",\"text\":\"x\"}" | pick 'j["code"]'
cp "$work/admin" "$work/curl"
api 204 -X DELETE "$url/v1/tokens/$(pick 'j["id"]' <"$work/token")"

say "and away"
api 204 -X DELETE "$base/messages/$appended?permanent=true"
api 204 -X DELETE "$base"
api 404 "$base" | pick 'j["code"]'
say "done"
