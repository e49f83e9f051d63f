/** What is revoked, as the stream WatchRevocations tells it. Times in milliseconds. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Timestamp } from "@bufbuild/protobuf/wkt";

import { RevocationKind } from "./gen/twofold/v1/session_pb.js";
import type { Revocation, WatchRevocationsResponse } from "./gen/twofold/v1/session_pb.js";

// No token outlives its revocation's expire_time by more than a verifier's leeway.
const KEPT_ON_MS = 30_000;
const SWEEP_MS = 10_000;

/** The stream is not to be trusted any more; the text says why. */
export class StreamBroken extends Error {
  override readonly name = "StreamBroken";
}

/** Give a Timestamp as milliseconds since 1970; none is 1970. */
export function msOf(time: Timestamp | undefined): number {
  return time === undefined ? 0 : timestampMs(time);
}

/** The revocations that concern one realm. */
export class RevocationSet {
  readonly #realmId: string;
  readonly #expiries = {
    [RevocationKind.SESSION]: new Map<string, number>(),
    [RevocationKind.ACCOUNT]: new Map<string, number>(),
    [RevocationKind.SIGNING_KEY]: new Map<string, number>(),
    [RevocationKind.REALM]: new Map<string, number>(),
  };
  readonly #epochs = new Map<string, number>();
  #sweepAt = -Infinity;

  constructor(realmId: string) {
    this.#realmId = realmId;
  }

  get size(): number {
    return Object.values(this.#expiries).reduce((sum, expiries) => sum + expiries.size, 0);
  }

  /** The signing keys that are revoked. */
  get deadKeys(): ReadonlySet<string> {
    return new Set(this.#expiries[RevocationKind.SIGNING_KEY].keys());
  }

  /** Say whether a token of this session, account, epoch and key is revoked. */
  isDead(sessionId: string, accountId: string, epoch: number, kid: string): boolean {
    return (
      this.#expiries[RevocationKind.SESSION].has(sessionId) ||
      (this.#epochs.get(accountId) ?? 0) > epoch ||
      this.isKeyDead(kid) ||
      this.#expiries[RevocationKind.REALM].has(this.#realmId)
    );
  }

  /** Say whether a signing key is revoked. */
  isKeyDead(kid: string): boolean {
    return this.#expiries[RevocationKind.SIGNING_KEY].has(kid);
  }

  /** Hold a revocation of this realm, or of every realm. The same may come again, in any order. */
  add(revocation: Revocation): void {
    const { kind, subject, realmId } = revocation;
    if (kind === RevocationKind.UNSPECIFIED || kind === RevocationKind.API_KEY || !(kind in this.#expiries)) {
      return;
    }
    if (realmId !== "" && realmId !== this.#realmId) {
      return;
    }
    if (kind === RevocationKind.ACCOUNT) {
      this.#epochs.set(subject, Math.max(revocation.epoch, this.#epochs.get(subject) ?? 0));
    }
    const expiries = this.#expiries[kind];
    const expires = revocation.expireTime === undefined ? Infinity : msOf(revocation.expireTime);
    expiries.set(subject, Math.max(expires, expiries.get(subject) ?? -Infinity));
  }

  /** Let go of what concerns no token that is still good at `now` (since 1970); soon, if not at once. */
  forget(now: number): void {
    if (now < this.#sweepAt) {
      return;
    }
    this.#sweepAt = now + SWEEP_MS;
    for (const expiries of Object.values(this.#expiries)) {
      for (const [subject, expires] of expiries) {
        if (expires + KEPT_ON_MS <= now) {
          expiries.delete(subject);
          if (expiries === this.#expiries[RevocationKind.ACCOUNT]) {
            this.#epochs.delete(subject);
          }
        }
      }
    }
  }
}

/** What was received so far, over every stream: the set, its place, and a snapshot that is under way. */
export class Received {
  /** What is revoked. Replaced as a whole once a new snapshot is complete. */
  held: RevocationSet;
  /** From where the next stream goes on; empty: it begins with a snapshot. */
  resumeToken = "";

  constructor(readonly realmId: string) {
    this.held = new RevocationSet(realmId);
  }
}

/** One stream, from its opening with `resumeToken` to its end. */
export class ReceivedStream {
  readonly #received: Received;
  readonly #silenceMs: number;
  #lag = Infinity;
  #serverTime = -Infinity;
  #complete: boolean;
  #snapshot: RevocationSet | undefined;

  constructor(received: Received, silenceMs: number) {
    this.#received = received;
    this.#silenceMs = silenceMs;
    this.#complete = received.resumeToken !== "";
  }

  /**
   * Take a message in at `now` (monotonic) and `wall` (since 1970). True: with it everything is known.
   *
   * Throws StreamBroken for a stream whose clock goes back or falls behind: what it says may be old.
   */
  take(message: WatchRevocationsResponse, now: number, wall: number): boolean {
    const serverTime = msOf(message.serverTime);
    if (serverTime < this.#serverTime) {
      throw new StreamBroken("its time went back");
    }
    this.#serverTime = serverTime;
    // Held up somewhere, each message a little more than the one before, a stream can be old and never silent.
    this.#lag = Math.min(this.#lag, now - serverTime);
    if (now - serverTime - this.#lag > this.#silenceMs) {
      throw new StreamBroken("it fell behind");
    }
    const received = this.#received;
    if (message.reset) {
      this.#snapshot = new RevocationSet(received.realmId);
      this.#complete = true;
    }
    if (!this.#complete) {
      throw new StreamBroken("it began without a snapshot");
    }
    for (const revocation of message.revocations) {
      // At once, even where its snapshot is not complete: it is as true before.
      received.held.add(revocation);
      this.#snapshot?.add(revocation);
    }
    if (message.current && this.#snapshot !== undefined) {
      received.held = this.#snapshot;
      this.#snapshot = undefined;
    }
    if (message.resumeToken !== "" && this.#snapshot === undefined) {
      received.resumeToken = message.resumeToken;
    }
    if (message.current) {
      // The earlier of two clocks: one that jumped ahead must not make anything forgotten.
      received.held.forget(Math.min(wall, serverTime));
    }
    return message.current;
  }
}
