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
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What a token must say. `leewaySeconds` (0 to 30) forgives clocks. */
export interface Expected {
  readonly realmId: string;
  readonly issuer: string;
  readonly audience: string;
  readonly leewaySeconds: number;
}

/** Give what a payload says, and its `exp`, at `now` (seconds). Throws ExpiredToken where that alone is against it, else BadToken. */
export function readClaims(payload: Uint8Array, expected: Expected, now: number): [VerifiedSession, number] {
  const claims = jsonObject(payload, "payload malformed");
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
