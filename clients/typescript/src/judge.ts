/** How a verifier judges a token: what it holds, and the way through it. No I/O. */

import { hash } from "node:crypto";

import { toBinary } from "@bufbuild/protobuf";

import { readToken } from "./access-token.js";
import type { Key } from "./access-token.js";
import { Cache } from "./cache.js";
import { MAX_LEEWAY_SECONDS } from "./claims.js";
import type { Expected } from "./claims.js";
import { GetSigningKeysResponseSchema } from "./gen/twofold/v1/session_pb.js";
import type { GetSigningKeysResponse, WatchRevocationsResponse } from "./gen/twofold/v1/session_pb.js";
import { PublicKey } from "./p256.js";
import { requireMs } from "./pauses.js";
import { msOf, Received, ReceivedStream } from "./revocations.js";
import { BadToken, ended, expired, ExpiredToken, invalid, notReady, UnknownKey } from "./verified.js";
import type { VerifiedSession } from "./verified.js";

/** At most one fetch of the keys in this time for the sake of tokens that name an unknown one. */
export const UNKNOWN_KEY_MS = 30_000;

const KEPT_TOKENS = 32_768;

interface Entry {
  readonly session: VerifiedSession;
  readonly untilMs: number;
  readonly kid: string;
}

/** A key set and what was verified with it: another set begins with an empty cache. */
interface Trust {
  readonly expected: Expected;
  readonly keys: ReadonlyMap<string, Key>;
  readonly published: Buffer;
  readonly cache: Cache<Entry>;
  readonly headers: Map<string, Key>;
}

/** What a Verifier is told of tokens and time. */
export interface JudgeOptions {
  /** The realm that tokens must have been issued by. */
  readonly realmId: string;
  /** The audience that tokens must have been issued for. */
  readonly audience: string;
  /** How many milliseconds an expired token is forgiven, 0 to 30,000; 0. */
  readonly leewayMs?: number | undefined;
  /** How many milliseconds without a sign of life are borne (heartbeats come each second); 5,000. */
  readonly silenceMs?: number | undefined;
  /** How many verified tokens are remembered at most, some 1 KB each; 32,768. */
  readonly cacheSize?: number | undefined;
  /** Gives milliseconds since 1970; for tests. */
  readonly clock?: (() => number) | undefined;
  /** Gives milliseconds that only grow; for tests. */
  readonly monotonic?: (() => number) | undefined;
}

/** Judges tokens of one realm and audience by the keys and revocations that it is given. */
export class Judge {
  readonly realmId: string;
  readonly audience: string;
  readonly silenceMs: number;
  readonly received: Received;
  readonly #leewayMs: number;
  readonly #cacheSize: number;
  readonly #clock: () => number;
  readonly #monotonic: () => number;
  readonly #fetchKeys: () => void;
  #trust: Trust | undefined;
  #freshUntil = -Infinity;
  #fetching = false;
  #unknownKeyFrom = -Infinity;
  #stopped = false;

  /** `fetchKeys` is called when the keys are to be fetched. Throws TypeError where a value makes no sense. */
  constructor(options: JudgeOptions, fetchKeys: () => void) {
    const { realmId, audience, leewayMs = 0, cacheSize = KEPT_TOKENS } = options;
    if (!realmId || !audience) {
      throw new TypeError("a verifier needs the realmId and the audience that its tokens must have been issued for");
    }
    if (!(leewayMs >= 0 && leewayMs <= MAX_LEEWAY_SECONDS * 1000)) {
      throw new TypeError(`leewayMs is 0 to ${MAX_LEEWAY_SECONDS * 1000}, not ${leewayMs}`);
    }
    if (!(Number.isSafeInteger(cacheSize) && cacheSize >= 2)) {
      throw new TypeError("cacheSize must be a whole number, at least 2");
    }
    this.realmId = realmId;
    this.audience = audience;
    this.silenceMs = requireMs("silenceMs", options.silenceMs ?? 5_000);
    this.received = new Received(realmId);
    this.#leewayMs = leewayMs;
    this.#cacheSize = cacheSize;
    this.#clock = options.clock ?? Date.now;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#fetchKeys = fetchKeys;
  }

  /** Whether all that was revoked is known, and a sign of life was heard lately. */
  get isFresh(): boolean {
    return this.#trust !== undefined && this.#monotonic() <= this.#freshUntil;
  }

  /** Judge a token by what is held; never waits. Throws as Verifier.verify. */
  verify(token: string): VerifiedSession {
    let session: VerifiedSession;
    try {
      session = this.judge(token);
    } catch (error) {
      if (!(error instanceof UnknownKey)) {
        throw error;
      }
      throw this.wantKeys() ? notReady("The token names a key that is being fetched.") : invalid("unknown key");
    }
    if (this.#monotonic() > this.#freshUntil) {
      throw notReady(this.whyNotFresh);
    }
    return session;
  }

  /** Judge a token by what is held, fresh or not. Throws UnknownKey, SessionEnded, SessionExpired. */
  judge(token: string): VerifiedSession {
    const trust = this.#trust;
    if (trust === undefined) {
      throw notReady(this.#stopped ? "The verifier is closed." : "The signing keys have not been fetched yet.");
    }
    if (typeof token !== "string") {
      throw new TypeError(`the token is a string, not ${typeof token}`);
    }
    const now = this.#clock();
    // Of the whole token: a forged copy with another signature is another entry.
    const digest = hash("sha256", token, "binary");
    let entry = trust.cache.get(digest);
    if (entry === undefined || now >= entry.untilMs) {
      entry = this.#read(trust, token, now);
      trust.cache.put(digest, entry);
    }
    const { session, kid } = entry;
    if (this.received.held.isDead(session.sessionId, session.accountId, session.epoch, kid)) {
      throw ended();
    }
    return session;
  }

  #read(trust: Trust, token: string, now: number): Entry {
    try {
      const { session, until, kid } = readToken(token, trust.keys, trust.headers, trust.expected, now / 1000);
      return { session, untilMs: until * 1000, kid };
    } catch (error) {
      // Taken out of the set because it is revoked: there is nothing to fetch.
      if (error instanceof UnknownKey && this.received.held.isKeyDead(error.kid)) {
        throw ended();
      }
      if (error instanceof ExpiredToken) {
        throw expired();
      }
      throw error instanceof BadToken ? invalid(error.message) : error;
    }
  }

  /** Why nobody is vouched for. */
  get whyNotFresh(): string {
    return this.#freshUntil === -Infinity
      ? "It is not known yet what is revoked."
      : `Nothing was heard of what is revoked for ${this.silenceMs} ms.`;
  }

  /** Verify with these keys from now on. Throws TypeError where they or the issuer make no sense. */
  takeKeys(response: GetSigningKeysResponse): void {
    if (this.#stopped) {
      return;
    }
    if (response.issuer === "") {
      throw new TypeError("the server names no issuer");
    }
    if (!response.audiences.includes(this.audience)) {
      throw new TypeError(
        `the realm ${JSON.stringify(this.realmId)} issues no tokens for the audience ${JSON.stringify(this.audience)}`,
      );
    }
    const published = Buffer.from(toBinary(GetSigningKeysResponseSchema, response));
    if (this.#trust === undefined || !this.#trust.published.equals(published)) {
      const keys = response.keys.map((key): [string, Key] => [
        key.keyId,
        {
          kid: key.keyId,
          publicKey: new PublicKey(key.x, key.y),
          retires: key.retireTime === undefined ? Infinity : msOf(key.retireTime) / 1000,
        },
      ]);
      const expected: Expected = {
        realmId: this.realmId,
        issuer: response.issuer,
        audience: this.audience,
        leewaySeconds: this.#leewayMs / 1000,
      };
      this.#trust = { expected, keys: new Map(keys), published, cache: new Cache(this.#cacheSize), headers: new Map() };
    }
    this.#fetching = false;
  }

  /** Have the keys fetched because of an unknown one, unless that was done lately. True: they are on their way. */
  wantKeys(): boolean {
    if (this.#fetching) {
      return true;
    }
    const now = this.#monotonic();
    if (now < this.#unknownKeyFrom) {
      return false;
    }
    this.#unknownKeyFrom = now + UNKNOWN_KEY_MS;
    this.#fetching = true;
    this.#fetchKeys();
    return true;
  }

  /** Whether the keys are being fetched. */
  get keysComing(): boolean {
    return this.#fetching;
  }

  /** A fetch of the keys begins; it ends with takeKeys, however often it must be tried. */
  beginFetch(): void {
    this.#fetching = true;
  }

  /** Begin to take the messages of a stream that was opened with `received.resumeToken`. */
  openStream(): JudgedStream {
    return new JudgedStream(this, new ReceivedStream(this.received, this.silenceMs));
  }

  /** Take a message of a stream in; true if all is known with it. Throws StreamBroken. */
  take(stream: ReceivedStream, message: WatchRevocationsResponse): boolean {
    if (this.#stopped) {
      return false;
    }
    const before = this.received.held.deadKeys;
    const heard = this.#monotonic();
    const current = stream.take(message, heard, this.#clock());
    if (current) {
      this.#freshUntil = heard + this.silenceMs;
    }
    if ([...this.received.held.deadKeys].some((kid) => !before.has(kid))) {
      // Withdrawn in an emergency: what signs now may be known to nobody yet.
      this.#fetchKeys();
    }
    return current;
  }

  /** Vouch for nobody any more, whatever still comes in. */
  stop(): void {
    this.#stopped = true;
    this.#trust = undefined;
    this.#freshUntil = -Infinity;
  }
}

/** One stream of revocations, taken in by a Judge. */
export class JudgedStream {
  /** Whether it has told all, once at least. */
  told = false;
  readonly #judge: Judge;
  readonly #stream: ReceivedStream;

  constructor(judge: Judge, stream: ReceivedStream) {
    this.#judge = judge;
    this.#stream = stream;
  }

  /** Take a message in. Throws StreamBroken. */
  take(message: WatchRevocationsResponse): void {
    this.told = this.#judge.take(this.#stream, message) || this.told;
  }
}
