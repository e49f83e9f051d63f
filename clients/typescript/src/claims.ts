/** The claims of an access token (RFC 9068 and OpenID Connect Core): read, and judged but for revocation. */

import { readJson } from "./strict-json.js";
import type { Json } from "./strict-json.js";
import { BadToken, ExpiredToken, VerifiedSession } from "./verified.js";

export const MAX_LEEWAY_SECONDS = 30;

const MAX_METHODS = 16;
const MAX_EPOCH = 2 ** 31 - 1;
/** 9999-12-31T23:59:59Z, the last that every language's calendar has. */
const MAX_SECONDS = 253_402_300_799;
// One spelling only: capitals, braces or `urn:uuid:` would give one account many names.
const UUID_TEXT = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const UUID = new RegExp(`^${UUID_TEXT}$`);
// Claims as the service spells them, read by one search instead of a parser. It takes nothing that JSON would read
// otherwise: no escapes, nothing beyond ASCII, no claim twice. Everything else goes to the parser.
const TEXT = '"([ !#-[\\]-~]{1,256})"';
const SECONDS = "(0|[1-9][0-9]{0,10})";
const AS_WRITTEN = new RegExp(
  `^{"iss":${TEXT},"sub":"(${UUID_TEXT})","aud":${TEXT},"client_id":${TEXT},"jti":"(${UUID_TEXT})",` +
    `"sid":"(${UUID_TEXT})","epoch":(0|[1-9][0-9]{0,8}),"amr":\\[((?:"[a-z]{1,16}",){0,7}"[a-z]{1,16}")\\],` +
    `"aal":([12]),"iat":${SECONDS},"exp":${SECONDS},"auth_time":${SECONDS}(?:,"second_factor_time":${SECONDS})?}$`,
);
const NAMES = [
  "iss",
  "sub",
  "aud",
  "client_id",
  "jti",
  "sid",
  "epoch",
  "amr",
  "aal",
  "iat",
  "exp",
  "auth_time",
] as const;

/** What a token must say. `leewaySeconds` (0 to 30) forgives clocks. */
export interface Expected {
  readonly realmId: string;
  readonly issuer: string;
  readonly audience: string;
  readonly leewaySeconds: number;
}

type Claims = Pick<ReadonlyMap<string, Json>, "get" | "has">;

/** Give what a payload says, and its `exp`, at `now` (seconds). Throws ExpiredToken where that alone is against it, else BadToken. */
export function readClaims(payload: Uint8Array, expected: Expected, now: number): [VerifiedSession, number] {
  const claims: Claims = asWritten(payload) ?? jsonObject(payload, "payload malformed");
  if (claims.get("iss") !== expected.issuer) {
    throw new BadToken("wrong issuer");
  }
  if (claims.get("aud") !== expected.audience) {
    throw new BadToken("wrong audience");
  }
  uuid(claims.get("jti"));
  const expireSeconds = whole(claims.get("exp"));
  const session = new VerifiedSession({
    accountId: uuid(claims.get("sub")),
    sessionId: uuid(claims.get("sid")),
    realmId: expected.realmId,
    clientId: identifier(claims.get("client_id")),
    audience: expected.audience,
    amr: methods(claims.get("amr")),
    aal: whole(claims.get("aal"), 1, 2),
    authSeconds: whole(claims.get("auth_time")),
    secondFactorSeconds: claims.has("second_factor_time") ? whole(claims.get("second_factor_time")) : undefined,
    epoch: whole(claims.get("epoch"), 0, MAX_EPOCH),
    expireSeconds,
  });
  // No token gains by an early `iat`, and the clocks of machines differ: as much as may be is forgiven always.
  if (whole(claims.get("iat")) > now + MAX_LEEWAY_SECONDS) {
    throw new BadToken("issued in the future");
  }
  if (claims.has("nbf") && whole(claims.get("nbf")) > now + expected.leewaySeconds) {
    throw new BadToken("not valid yet");
  }
  if (expireSeconds + expected.leewaySeconds <= now) {
    throw new ExpiredToken();
  }
  return [session, expireSeconds];
}

/** Give the claims if they are spelled as the service spells them. */
function asWritten(payload: Uint8Array): Claims | undefined {
  const found = AS_WRITTEN.exec(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("latin1"));
  if (found === null) {
    return undefined;
  }
  const claims = new Map<string, Json>();
  NAMES.forEach((name, i) => {
    const text = found[i + 1] ?? "";
    claims.set(name, i < 6 ? text : name === "amr" ? text.slice(1, -1).split('","') : Number(text));
  });
  const secondFactorTime = found[NAMES.length + 1];
  if (secondFactorTime !== undefined) {
    claims.set("second_factor_time", Number(secondFactorTime));
  }
  return claims;
}

/** Read a JSON object without a name twice. Throws BadToken with that text. */
export function jsonObject(raw: Uint8Array, why: string): Map<string, Json> {
  let value: Json;
  try {
    value = readJson(raw);
  } catch {
    throw new BadToken(why);
  }
  if (!(value instanceof Map)) {
    throw new BadToken(why);
  }
  return value;
}

function uuid(value: Json | undefined): string {
  if (typeof value !== "string" || !UUID.test(value)) {
    throw new BadToken("an identifier malformed");
  }
  return value;
}

function identifier(value: Json | undefined): string {
  if (typeof value !== "string" || value === "") {
    throw new BadToken("an identifier malformed");
  }
  return value;
}

function methods(value: Json | undefined): readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_METHODS || !value.every((method) => typeof method === "string")) {
    throw new BadToken("amr malformed");
  }
  return value;
}

function whole(value: Json | undefined, least = 0, most = MAX_SECONDS): number {
  if (typeof value !== "number" || !(value >= least && value <= most)) {
    throw new BadToken("a number malformed");
  }
  return value;
}
