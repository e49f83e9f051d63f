#!/usr/bin/env bash
# The story from a shell: sign up, activate, enrol, sign in both ways, a backup code once, history, disable, delete.
# Needs `make run` in another terminal, bash, python3, and grpcurl
# (go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest). TWOFOLD_LISTEN names another address.
set -euo pipefail
cd "$(dirname "$0")/.."

address=${TWOFOLD_LISTEN:-127.0.0.1:50051}
sent=${TWOFOLD_MAIL_DIRECTORY:-.twofold/sent}
email=ada-$RANDOM$RANDOM@example.org
password='correct horse battery staple'
client='"client": {"ip_address": "192.0.2.10", "user_agent": "grpcurl"}'
reauthentication="\"reauthentication\": {\"password\": \"$password\"}"
session=

command -v grpcurl >/dev/null || { echo "grpcurl_story: grpcurl is not installed" >&2; exit 1; }

# call METHOD JSON: print the command line on standard error, to be copied, and the answer on standard output.
call() {
    local shown=${session:+ -H \'twofold-session: ...\'}
    printf "\n\$ grpcurl -plaintext%s -d '%s' %s twofold.v1.%s\n" "$shown" "$2" "$address" "$1" >&2
    grpcurl -plaintext ${session:+-H "twofold-session: $session"} -d "$2" "$address" "twofold.v1.$1"
}

# refused REASON METHOD JSON: a call that must fail, and for this reason.
refused() {
    local answer
    if answer=$(call "$2" "$3" 2>&1); then
        echo "grpcurl_story: $2 should have been refused with $1" >&2
        exit 1
    fi
    printf '%s\n' "$answer"
    grep -q "\"reason\": \"$1\"" <<<"$answer" || exit 1
}

# field PATH: one value of the JSON on standard input, such as signed_in.tokens.access_token or codes.0
field() {
    python3 -c '
import json, re, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    # Older releases of grpcurl write lowerCamelCase.
    camel = re.sub("_(.)", lambda found: found[1].upper(), name)
    value = value[int(name)] if name.isdigit() else value[name if name in value else camel]
print(value)' "$1"
}

# mailed_token: the token of the link that was mailed; waits for it.
mailed_token() {
    python3 -c '
import email, email.policy, pathlib, re, sys, time
for _ in range(150):
    for path in pathlib.Path(sys.argv[1]).glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if str(mail["To"]) == sys.argv[2]:
            print(re.search(r"token=([\w-]{43})", mail.get_body(("plain",)).get_content())[1])
            sys.exit()
    time.sleep(0.1)
sys.exit("grpcurl_story: no mail to " + sys.argv[2] + " in " + sys.argv[1])' "$sent" "$email"
}

# totp SECRET STEPS: the code of an authenticator app so many steps of 30 s from now.
totp() {
    python3 -c '
import base64, hmac, sys, time
time.sleep(2 if time.time() % 30 > 28 else 0)  # a code must not grow old on its way
step = int(time.time()) // 30 + int(sys.argv[2])
mac = hmac.digest(base64.b32decode(sys.argv[1].replace(" ", "")), step.to_bytes(8, "big"), "sha1")
at = mac[-1] & 15
number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
print(f"{number % 1000000:06d}")' "$1" "$2"
}

grpcurl -plaintext "$address" list
grpcurl -plaintext "$address" describe twofold.v1.AccountService.SignIn

claim=$(call AccountService/SignUp "{\"email\": \"$email\", \"password\": \"$password\", $client}")
echo "$claim"
binding=$(field sign_up_binding <<<"$claim")
call AccountService/ActivateAccount \
    "{\"activation_token\": \"$(mailed_token)\", \"sign_up_binding\": \"$binding\", $client}"

refused INVALID_CREDENTIALS AccountService/SignIn "{\"email\": \"$email\", \"password\": \"wrong\", $client}"
credentials="\"email\": \"$email\", \"password\": \"$password\", $client"
session=$(call AccountService/SignIn "{$credentials}" | field signed_in.tokens.access_token)
call AccountService/GetAccount '{}'

begun=$(call TwoFactorService/BeginEnrollment '{"totp": {}, "name": "Phone"}')
secret=$(field totp.secret <<<"$begun")
field totp.otpauth_url <<<"$begun"
enrolled=$(call TwoFactorService/FinishEnrollment "{\"enrollment_token\": \"$(field enrollment_token <<<"$begun")\", \
\"totp_code\": \"$(totp "$secret" -1)\", $reauthentication, $client}")
field backup_codes.text_file <<<"$enrolled"
session=

# A code is good one step early and late, so three in a row need no wait.
call AccountService/SignIn "{$credentials, \"second_factor\": {\"totp_code\": \"$(totp "$secret" 0)\"}}" | field signed_in.session.amr
challenge=$(call AccountService/SignIn "{$credentials}")
call TwoFactorService/FinishChallenge "{\"challenge_token\": \"$(field challenge.challenge_token <<<"$challenge")\", \
\"challenge_binding\": \"$(field challenge.challenge_binding <<<"$challenge")\", \
\"second_factor\": {\"totp_code\": \"$(totp "$secret" 1)\"}, $client}" | field signed_in.session.amr

backup="{$credentials, \"second_factor\": {\"backup_code\": \"$(field backup_codes.codes.0 <<<"$enrolled")\"}}"
signed_in=$(call AccountService/SignIn "$backup")
refused INVALID_SECOND_FACTOR AccountService/SignIn "$backup"
refreshed=$(call SessionService/RefreshSession \
    "{\"refresh_token\": \"$(field signed_in.tokens.refresh_token <<<"$signed_in")\"}")
session=$(field tokens.access_token <<<"$refreshed")

call TwoFactorService/GetTwoFactorStatus '{}'
call SessionService/ListSessions '{"page_size": 2}'
call AccountService/ListSignIns '{"page_size": 3}'
session=$(call TwoFactorService/DisableTwoFactor "{$reauthentication, $client, \"second_factor\": \
{\"backup_code\": \"$(field backup_codes.codes.1 <<<"$enrolled")\"}}" | field tokens.access_token)
call AccountService/DeleteAccount "{$reauthentication, $client}"
refused SESSION_ENDED AccountService/GetAccount '{}'
echo "The whole story."
