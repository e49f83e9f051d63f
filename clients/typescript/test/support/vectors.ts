/** The vectors that every client shares, and judges that hold their keys. */

import { readFileSync } from "node:fs";

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";

import { Judge } from "../../dist/judge.js";
import type { JudgeOptions } from "../../dist/judge.js";
import { GetSigningKeysResponseSchema, WatchRevocationsResponseSchema } from "../../dist/v1.js";
import type { GetSigningKeysResponse } from "../../dist/v1.js";

const FOLDER = new URL("../../../vectors/", import.meta.url);

interface Jwk {
  readonly kid: string;
  readonly x: string;
  readonly y: string;
}

interface Held {
  readonly realm_id: string;
  readonly issuer: string;
  readonly audience: string;
  readonly now: number;
  readonly keys: readonly Jwk[];
}

export interface AccessTokens extends Held {
  readonly cases: readonly {
    readonly name: string;
    readonly token: string;
    readonly leeway_seconds?: number;
    readonly expect: string;
    readonly claims?: Readonly<Record<string, unknown>>;
  }[];
}

export interface Revocations extends Held {
  readonly tokens: Readonly<Record<string, string>>;
  readonly steps: readonly {
    readonly name: string;
    readonly resumed?: boolean;
    readonly message: object;
    readonly ready: boolean;
    readonly dead: readonly string[];
  }[];
}

export function vectors(name: "access_tokens"): AccessTokens;
export function vectors(name: "revocations"): Revocations;
export function vectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8")) as unknown;
}

/** What GetSigningKeys answers where these are held. */
export function keysOf(held: Held): GetSigningKeysResponse {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64url"));
  return create(GetSigningKeysResponseSchema, {
    issuer: held.issuer,
    audiences: [held.audience],
    keys: held.keys.map(({ kid, x, y }) => ({ keyId: kid, x: bytes(x), y: bytes(y) })),
  });
}

/** A judge that holds these keys and nothing else, its clock at `now`; with `fresh` it knows that nothing is revoked. */
export function judgeOf(held: Held, options: Partial<JudgeOptions> & { readonly fresh?: boolean } = {}): Judge {
  const judge = new Judge(
    {
      realmId: held.realm_id,
      audience: held.audience,
      clock: () => held.now * 1000,
      monotonic: () => 0,
      ...options,
    },
    () => undefined,
  );
  // The one fetch that unknown keys are granted has just been made.
  judge.wantKeys();
  judge.takeKeys(keysOf(held));
  if (options.fresh) {
    judge.openStream().take(
      create(WatchRevocationsResponseSchema, {
        reset: true,
        current: true,
        resumeToken: "1",
        serverTime: timestampFromMs(held.now * 1000),
      }),
    );
  }
  return judge;
}
