/** ES256 signatures: ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4). */

import { createPublicKey, verify } from "node:crypto";
import type { VerifyKeyObjectInput } from "node:crypto";

export const COORDINATE_BYTES = 32;
export const SIGNATURE_BYTES = 2 * COORDINATE_BYTES;

/** A public key by its coordinates. */
export class PublicKey {
  readonly #key: VerifyKeyObjectInput;

  /** 32 bytes each, big-endian. Throws TypeError for no point on P-256: one that is not would leak or forge. */
  constructor(x: Uint8Array, y: Uint8Array) {
    if (x.length !== COORDINATE_BYTES || y.length !== COORDINATE_BYTES) {
      throw new TypeError("a coordinate on P-256 has 32 bytes");
    }
    const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
    try {
      const key = createPublicKey({
        key: { kty: "EC", crv: "P-256", x: base64url(x), y: base64url(y) },
        format: "jwk",
      });
      this.#key = { key, dsaEncoding: "ieee-p1363" };
    } catch (cause) {
      throw new TypeError("a signing key is not on P-256", { cause });
    }
  }

  /** Say whether `signature` (64 bytes, r then s) is this key's on `message`. */
  signed(message: Uint8Array, signature: Uint8Array): boolean {
    return verify("sha256", message, this.#key, signature);
  }
}
