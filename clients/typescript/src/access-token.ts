/**
 * Access tokens: ES256 JWTs of type `at+jwt` (RFC 9068), read without leniency.
 *
 * One spelling is taken and no other: a header of exactly `alg`, `typ` and `kid`, canonical base64url, JSON without
 * duplicate names. So no header can name a key or a rule of its own (`jku`, `jwk`, `x5u`, `x5c`, `crit`), and what is
 * good here is good everywhere. Nothing of the payload is read before the signature is good (RFC 8725).
 */

import { jsonObject, readClaims } from "./claims.js";
import type { Expected } from "./claims.js";
import { SIGNATURE_BYTES } from "./p256.js";
import type { PublicKey } from "./p256.js";
import { BadToken, UnknownKey } from "./verified.js";
import type { VerifiedSession } from "./verified.js";

const MAX_TOKEN_CHARACTERS = 4096;
const MAX_HEADER_CHARACTERS = 256;
const MAX_HEADERS = 64;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
// The bits of the last character that belong to no byte are zero, or there would be several spellings.
const LAST = [/./, /(?!)/, /[AQgw]$/, /[AEIMQUYcgkosw048]$/] as const;

/** A key that tokens may be signed with, and until when (seconds since 1970). */
export interface Key {
  readonly kid: string;
  readonly publicKey: PublicKey;
  readonly retires: number;
}

/** What a good token says, until when it is good (seconds since 1970), and the id of the key that signed it. */
export interface Read {
  readonly session: VerifiedSession;
  readonly until: number;
  readonly kid: string;
}

/**
 * Give what a token says that one of `keys` signed, at `now` (seconds since 1970).
 *
 * `headers` remembers the header segments of good tokens; it belongs to `keys`, and begins empty. Throws UnknownKey,
 * ExpiredToken where expiry alone is against the token, else BadToken.
 */
export function readToken(
  token: string,
  keys: ReadonlyMap<string, Key>,
  headers: Map<string, Key>,
  expected: Expected,
  now: number,
): Read {
  if (token.length > MAX_TOKEN_CHARACTERS) {
    throw new BadToken("too long");
  }
  const [header, payload, signature, ...more] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) {
    throw new BadToken("not three segments");
  }
  let key = headers.get(header);
  if (key === undefined) {
    const kid = kidOf(header);
    key = keys.get(kid);
    if (key === undefined) {
      throw new UnknownKey(kid);
    }
  }
  const rAndS = decode(signature, "signature malformed");
  if (rAndS.length !== SIGNATURE_BYTES) {
    throw new BadToken("signature malformed");
  }
  const claims = decode(payload, "payload malformed");
  // Both segments are of base64url's alphabet by now, so a byte each.
  const message = Buffer.from(token.slice(0, header.length + 1 + payload.length), "latin1");
  if (!key.publicKey.signed(message, rAndS)) {
    throw new BadToken("signature wrong");
  }
  // Only what the key has signed: others can't fill it with spellings of their own.
  if (headers.size < MAX_HEADERS) {
    headers.set(header, key);
  }
  const [session, expires] = readClaims(claims, expected, now);
  if (key.retires <= now) {
    throw new BadToken("key retired");
  }
  return { session, until: Math.min(expires + expected.leewaySeconds, key.retires), kid: key.kid };
}

function kidOf(segment: string): string {
  if (segment.length > MAX_HEADER_CHARACTERS) {
    throw new BadToken("header malformed");
  }
  const header = jsonObject(decode(segment, "header malformed"), "header malformed");
  if (header.get("alg") !== "ES256") {
    throw new BadToken("wrong algorithm");
  }
  if (header.get("typ") !== "at+jwt") {
    throw new BadToken("wrong type");
  }
  const kid = header.get("kid");
  if (header.size !== 3 || typeof kid !== "string") {
    throw new BadToken("header not exactly alg, typ and kid");
  }
  return kid;
}

function decode(segment: string, why: string): Buffer {
  // Node.js's own decoder takes padding, the other alphabet, white space and stray bits as well.
  if (!BASE64URL.test(segment) || !LAST[(segment.length & 3) as 0 | 1 | 2 | 3].test(segment)) {
    throw new BadToken(why);
  }
  return Buffer.from(segment, "base64url");
}
