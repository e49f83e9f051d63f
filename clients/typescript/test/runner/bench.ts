/** How many tokens a second are checked on one core. */

import { generateKeyPairSync, hash, randomUUID, sign, verify } from "node:crypto";

import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";

import { Judge } from "../../dist/judge.js";
import { GetSigningKeysResponseSchema, WatchRevocationsResponseSchema } from "../../dist/v1.js";

const SECONDS = 1.5;
const TOKENS = 2_000;
const REALM = "default";
const AUDIENCE = "billing";
const ISSUER = "https://auth.example.com/default";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** Print the rates. */
export function bench(): void {
  const tokens = Array.from({ length: TOKENS }, newToken);
  console.log(
    JSON.stringify({
      raw_p256: rawP256(tokens),
      hash_and_map: hashAndMap(tokens),
      new: newTokens(tokens),
      seen: seenTokens(tokens),
    }),
  );
}

function rawP256(tokens: readonly string[]): number {
  const parts = tokens.map((token) => {
    const dot = token.lastIndexOf(".");
    return [Buffer.from(token.slice(0, dot)), Buffer.from(token.slice(dot + 1), "base64url")] as const;
  });
  const key = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
  return rate(() => {
    for (const [message, signature] of parts) {
      if (!verify("sha256", message, key, signature)) {
        throw new Error("a signature is wrong");
      }
    }
  });
}

function hashAndMap(tokens: readonly string[]): number {
  const map = new Map(tokens.map((token) => [hash("sha256", token, "binary"), token]));
  return rate(() => {
    for (const token of tokens) {
      if (map.get(hash("sha256", token, "binary")) === undefined) {
        throw new Error("a token is missing");
      }
    }
  });
}

function newTokens(tokens: readonly string[]): number {
  let spentMs = 0;
  let checked = 0;
  for (let rounds = 0; spentMs < SECONDS * 1000; rounds++) {
    const judge = newJudge();
    if (rounds === 1) {
      // The first is not counted.
      spentMs = 0;
      checked = 0;
    }
    const began = cpuMs();
    for (const token of tokens) {
      judge.verify(token);
    }
    spentMs += cpuMs() - began;
    checked += tokens.length;
  }
  return Math.round((checked * 1000) / spentMs);
}

function seenTokens(tokens: readonly string[]): number {
  const judge = newJudge();
  return rate(() => {
    for (const token of tokens) {
      judge.verify(token);
    }
  });
}

/** What this process has used of its core so far: what else runs on the machine does not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Rounds of TOKENS a second, the first of them not counted. */
function rate(round: () => void): number {
  round();
  const began = cpuMs();
  let rounds = 0;
  let spentMs = 0;
  do {
    round();
    rounds += 1;
    spentMs = cpuMs() - began;
  } while (spentMs < SECONDS * 1000);
  return Math.round((rounds * TOKENS * 1000) / spentMs);
}

function newJudge(): Judge {
  const judge = new Judge({ realmId: REALM, audience: AUDIENCE, monotonic: () => 0 }, () => undefined);
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64url"));
  judge.takeKeys(
    create(GetSigningKeysResponseSchema, {
      issuer: ISSUER,
      audiences: [AUDIENCE],
      keys: [{ keyId: "key-1", x: bytes(x), y: bytes(y) }],
    }),
  );
  judge.openStream().take(
    create(WatchRevocationsResponseSchema, {
      reset: true,
      current: true,
      resumeToken: "1",
      serverTime: timestampNow(),
    }),
  );
  return judge;
}

function newToken(): string {
  const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: ISSUER,
    sub: randomUUID(),
    aud: AUDIENCE,
    client_id: "web",
    jti: randomUUID(),
    sid: randomUUID(),
    epoch: 1,
    amr: ["pwd", "otp", "mfa"],
    aal: 2,
    iat: now,
    exp: now + 3600,
    auth_time: now,
    second_factor_time: now,
  };
  const signed = `${segment({ alg: "ES256", typ: "at+jwt", kid: "key-1" })}.${segment(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}
