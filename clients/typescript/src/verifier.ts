/** Verification of access tokens without a call. */

import { Client } from "./client.js";
import type { ClientOptions } from "./client.js";
import { Judge } from "./judge.js";
import type { JudgedStream, JudgeOptions } from "./judge.js";
import { defaultLogger } from "./logging.js";
import { News } from "./news.js";
import { pause, requireMs, within } from "./pauses.js";
import { StreamBroken } from "./revocations.js";
import { Tries } from "./tries.js";
import { invalid, notReady, UnknownKey } from "./verified.js";
import type { VerifiedSession } from "./verified.js";

/** How often the signing keys are fetched anyway: a new one is published 10 min before it signs. */
const KEYS_MS = 300_000;

/** What a Verifier verifies, and how it connects. */
export interface VerifierOptions
  extends JudgeOptions, Pick<ClientOptions, "credential" | "tls" | "deadlineMs" | "userAgent" | "logger"> {
  /** What `check` does while nothing is heard: refuse, or ask CheckSession; refuse. */
  readonly onSilence?: "refuse" | "ask" | undefined;
}

/**
 * Verifies access tokens of one realm and audience: `const session = verifier.verify(token)`, no call per token.
 *
 * It holds the realm's signing keys and, by a stream, all that is revoked: a sign-out is known here within 250 ms.
 * Before the first snapshot of that, and after 5 s without a sign of life, it vouches for nobody (VerifierNotReady). Its
 * caller needs the role `verifier` in the realm. The stream keeps the process alive until `close`.
 */
export class Verifier {
  readonly #judge: Judge;
  readonly #asks: boolean;
  readonly #deadlineMs: number;
  readonly #connect: () => Client;
  readonly #client: Client;
  readonly #keys: Tries;
  readonly #stream: Tries;
  readonly #news = new News();
  readonly #keysWanted = new News();
  readonly #ending = new AbortController();
  #jobs: Promise<unknown> | undefined;

  /** Prepare a verifier; `target` is that of a Client. Throws TypeError where a value makes no sense. */
  constructor(target: string, options: VerifierOptions) {
    if (options.onSilence !== undefined && !["refuse", "ask"].includes(options.onSilence)) {
      throw new TypeError('onSilence is "refuse" or "ask"');
    }
    this.#judge = new Judge(options, () => {
      this.#keysWanted.tell();
    });
    this.#asks = options.onSilence === "ask";
    this.#deadlineMs = requireMs("deadlineMs", options.deadlineMs ?? 5_000);
    const { credential, tls, deadlineMs, userAgent, logger = defaultLogger } = options;
    this.#connect = () => new Client(target, { credential, tls, deadlineMs, userAgent, logger });
    this.#client = this.#connect();
    this.#keys = new Tries("signing keys", logger);
    this.#stream = new Tries("revocations", logger);
  }

  /** Make a verifier, start it and wait until it is ready. Throws what `waitReady` throws. */
  static async open(target: string, options: VerifierOptions): Promise<Verifier> {
    const verifier = new Verifier(target, options);
    verifier.start();
    try {
      await verifier.waitReady();
    } catch (error) {
      await verifier.close();
      throw error;
    }
    return verifier;
  }

  /** Begin to fetch keys and revocations, and go on until `close`. Returns at once: `waitReady` follows. */
  start(): void {
    if (this.#jobs !== undefined || this.#ending.signal.aborted) {
      throw new Error("The verifier was started or closed before.");
    }
    this.#jobs = Promise.allSettled([this.#keepKeys(), this.#keepWatching()]);
  }

  /**
   * Return once tokens can be verified. Throws VerifierNotReady after so long (unset: the deadline).
   *
   * Throws at once what waiting does not mend: Unauthenticated or PermissionDenied for the caller, NotFound for the
   * realm, TypeError for an audience that the realm issues no tokens for.
   */
  async waitReady(timeoutMs: number = this.#deadlineMs): Promise<void> {
    const endsAt = performance.now() + requireMs("timeoutMs", timeoutMs);
    while (!this.#judge.isFresh) {
      const refusal = this.#keys.refusal ?? this.#stream.refusal;
      if (refusal !== undefined) {
        throw refusal;
      }
      await this.#newsBefore(endsAt, () =>
        notReady(`Not ready in ${timeoutMs} ms.`, this.#keys.error ?? this.#stream.error),
      );
    }
  }

  /** End the stream and the connections. From then on nobody is vouched for, and the process can exit. */
  async close(): Promise<void> {
    this.#ending.abort(notReady("The verifier is closed."));
    this.#judge.stop();
    this.#client.close();
    await this.#jobs;
  }

  /** The same as `close`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Give what a good token says; never waits, never calls.
   *
   * Throws SessionExpired, SessionEnded (its reason SESSION_ENDED if it was revoked, SESSION_INVALID if the token is not
   * one of this realm and audience), or VerifierNotReady: then nothing is said of the token, answer 503.
   */
  verify(token: string): VerifiedSession {
    return this.#judge.verify(token);
  }

  /**
   * Give what a good token says, like `verify`, but wait where that helps.
   *
   * For the keys, where the token names one that is not known yet; and for the answer of CheckSession, where nothing is
   * heard and `onSilence` is "ask". Throws what `verify` throws, and with "ask" what CheckSession does.
   */
  async check(token: string): Promise<VerifiedSession> {
    const session = await this.#judgeWithKeys(token);
    if (this.#judge.isFresh) {
      return session;
    }
    if (!this.#asks) {
      throw notReady(this.#judge.whyNotFresh);
    }
    const { realmId, audience } = this.#judge;
    await this.#client.sessions.checkSession({ realmId, audience }, { session: token });
    return session;
  }

  async #judgeWithKeys(token: string): Promise<VerifiedSession> {
    try {
      return this.#judge.judge(token);
    } catch (error) {
      if (!(error instanceof UnknownKey)) {
        throw error;
      }
    }
    if (this.#judge.wantKeys()) {
      const endsAt = performance.now() + this.#deadlineMs;
      while (this.#judge.keysComing) {
        await this.#newsBefore(endsAt, () => notReady("The signing keys could not be fetched.", this.#keys.error));
      }
    }
    try {
      return this.#judge.judge(token);
    } catch (error) {
      throw error instanceof UnknownKey ? invalid("unknown key") : error;
    }
  }

  async #newsBefore(endsAt: number, late: () => Error): Promise<void> {
    await within(this.#news.next, Math.max(0, endsAt - performance.now()), this.#ending.signal, late);
  }

  #ended(): boolean {
    return this.#ending.signal.aborted;
  }

  async #keepKeys(): Promise<void> {
    const { realmId } = this.#judge;
    while (!this.#ended()) {
      // Taken before the fetch: what is wanted meanwhile is fetched again.
      const wanted = this.#keysWanted.next;
      this.#judge.beginFetch();
      let pauseMs = KEYS_MS;
      let wake: Promise<void> | undefined = wanted;
      try {
        this.#judge.takeKeys(await this.#client.sessions.getSigningKeys({ realmId }));
        this.#keys.succeeded();
      } catch (error) {
        if (this.#ended()) {
          return;
        }
        pauseMs = this.#keys.failed(error);
        wake = undefined;
      }
      this.#news.tell();
      await this.#rest(pauseMs, wake);
    }
  }

  async #keepWatching(): Promise<void> {
    // A connection of its own, given up as soon as it is silent: a dead one would be found out much later.
    let client = this.#connect();
    while (!this.#ended()) {
      try {
        await this.#watch(client, this.#judge.openStream());
      } catch (error) {
        if (this.#ended()) {
          break;
        }
        if (error instanceof StreamBroken) {
          client.close();
          client = this.#connect();
        }
        const pauseMs = this.#stream.failed(error);
        this.#news.tell();
        await this.#rest(pauseMs);
      }
    }
    client.close();
  }

  async #watch(client: Client, stream: JudgedStream): Promise<never> {
    const { realmId, silenceMs, received } = this.#judge;
    const ending = new AbortController();
    const messages = client.sessions.watchRevocations(
      { realmId, resumeToken: received.resumeToken },
      { signal: ending.signal },
    );
    const silent = () => new StreamBroken(`nothing was heard for ${silenceMs} ms`);
    try {
      for (;;) {
        const { done, value } = await within(messages.next(), silenceMs, this.#ending.signal, silent);
        if (done) {
          throw new StreamBroken("it ended");
        }
        stream.take(value);
        if (stream.told && this.#stream.error !== undefined) {
          this.#stream.succeeded();
        }
        this.#news.tell();
      }
    } finally {
      ending.abort();
      messages.return().catch(() => undefined);
    }
  }

  /** Wait, but not past `close`, nor past `wake`; the process may exit meanwhile. */
  async #rest(ms: number, wake?: Promise<void>): Promise<void> {
    const waking = new AbortController();
    const { signal } = this.#ending;
    const end = () => {
      waking.abort();
    };
    signal.addEventListener("abort", end, { once: true });
    void wake?.then(end);
    if (!signal.aborted) {
      await pause(ms, waking.signal, false).catch(() => undefined);
    }
    signal.removeEventListener("abort", end);
  }
}
