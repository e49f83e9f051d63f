/** What every call goes through: its metadata, its deadline and its repeats. */

import { create, isMessage } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";

import type { Attempt } from "./connection.js";
import { DeadlineExceeded, SessionEnded, Unavailable } from "./errors.js";
import type { TwofoldError } from "./errors.js";
import type { Logger } from "./logging.js";
import { requireMs } from "./pauses.js";
import { codeName, decodeMessage, fromStatus, REQUEST_ID_TRAILER } from "./status.js";
import { VERSION } from "./version.js";

/** What one call has of its own. */
export interface CallOptions {
  /** The end user's access token; it travels as metadata `twofold-session`. */
  readonly session?: string | undefined;
  /** An approver's proof; it travels as metadata `twofold-approver`. */
  readonly approver?: string | undefined;
  /** Milliseconds for the whole call, repeats included. Unset: the client's deadline; for a stream none. */
  readonly timeoutMs?: number | undefined;
  /** Aborting it ends the call, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const TOKEN = /^[\x21-\x7e]{1,4096}$/;
const USER_AGENT = /^[\x20-\x7e]*$/;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
const NOT_BEGUN = "SERVER_DRAINING";
/** The longest that gRPC's eight digits of milliseconds hold. */
const MAX_TIMEOUT_MS = 99_999_999;

/** What all calls of a client have in common. */
export class Policy {
  readonly deadlineMs: number;
  readonly retries: number;
  readonly #credential: string | undefined;
  readonly #userAgent: string;

  /** Throws TypeError where a value makes no sense. */
  constructor(credential: string | undefined, deadlineMs: number, retries: number, userAgent: string) {
    // The complaint of node:http2 about a bad header quotes it.
    if (credential !== undefined && !TOKEN.test(credential)) {
      throw new TypeError("the credential must be 1 to 4096 printable ASCII characters without spaces");
    }
    if (!(Number.isSafeInteger(retries) && retries >= 0)) {
      throw new TypeError("retries must be a whole number, and not negative");
    }
    if (!USER_AGENT.test(userAgent)) {
      throw new TypeError("userAgent must be printable ASCII");
    }
    this.deadlineMs = requireMs("deadlineMs", deadlineMs);
    this.retries = retries;
    this.#credential = credential;
    this.#userAgent = `${userAgent ? `${userAgent} ` : ""}twofold-typescript/${VERSION}`;
  }

  /**
   * Give the metadata of a call.
   *
   * Throws SessionEnded for an access token that could not be one: it is the end user's input, so it has the same end
   * here as at the server.
   */
  headers(options: CallOptions): Headers {
    const headers = new Headers({ "user-agent": this.#userAgent });
    if (this.#credential !== undefined) {
      headers.set("authorization", `Bearer ${this.#credential}`);
    }
    if (options.session) {
      if (!TOKEN.test(options.session)) {
        throw new SessionEnded({
          code: "UNAUTHENTICATED",
          reason: "SESSION_INVALID",
          rawMessage: "The access token is malformed.",
        });
      }
      headers.set("twofold-session", options.session);
    }
    if (options.approver !== undefined) {
      if (!TOKEN.test(options.approver)) {
        throw new TypeError("the approver's proof must be printable ASCII without spaces");
      }
      headers.set("twofold-approver", options.approver);
    }
    return headers;
  }
}

/** Give the request message. Throws TypeError for a message of another type, whose fields would be taken by name. */
export function requestOf<S extends DescMessage>(
  method: DescMethod & { input: S },
  init: MessageInitShape<S>,
): MessageShape<S> {
  if (isMessage(init) && !isMessage(init, method.input)) {
    throw new TypeError(`${method.name} takes a ${method.input.typeName}, not a ${init.$typeName}`);
  }
  return create(method.input, init);
}

/** Give the milliseconds of a call as gRPC takes them: whole ones, more than zero. */
export function wireTimeout(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms), 1), MAX_TIMEOUT_MS);
}

/** The attempts that one call is made of, all within one deadline. */
export class Attempts {
  readonly #method: DescMethod;
  readonly #retries: number;
  readonly #log: Logger;
  readonly #endsAt: number;
  #made = 0;

  constructor(method: DescMethod, policy: Policy, log: Logger, timeoutMs: number | undefined) {
    const ms = timeoutMs === undefined ? policy.deadlineMs : requireMs("timeoutMs", timeoutMs);
    this.#endsAt = performance.now() + ms;
    this.#method = method;
    this.#retries = policy.retries;
    this.#log = log;
  }

  /** What the next attempt has left of the deadline, in milliseconds. */
  get msLeft(): number {
    return this.#endsAt - performance.now();
  }

  /** Give the error of a failed attempt, and in how many milliseconds to try again; undefined: throw it. */
  after(attempt: Attempt, cause: unknown): { error: TwofoldError; pauseMs: number | undefined } {
    const error = errorOf(attempt, cause, this.msLeft <= 0);
    this.#made += 1;
    if (this.#made > this.#retries || !this.#mayRepeat(error, attempt)) {
      return { error, pauseMs: undefined };
    }
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** (this.#made - 1), LONGEST_PAUSE_MS);
    const pauseMs =
      error.retryAfterMs === undefined
        ? longest * (0.5 + Math.random() / 2)
        : error.retryAfterMs * (1 + Math.random() / 5);
    if (pauseMs >= this.msLeft) {
      return { error, pauseMs: undefined };
    }
    this.#log.debug(
      `twofold: ${this.#method.name}: ${error.code}, attempt ${this.#made}; again in ${Math.round(pauseMs)} ms`,
    );
    return { error, pauseMs };
  }

  #mayRepeat(error: TwofoldError, attempt: Attempt): boolean {
    if (error.code === "UNAVAILABLE") {
      // A stopping server that says so has done nothing, and none has looked at a stream that was refused (RFC 9113
      // section 8.7). Otherwise even a call that the service did not answer may have been done before the connection
      // broke.
      const repeatable = this.#method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
      return repeatable || error.reason === NOT_BEGUN || (attempt.trailers === undefined && attempt.fate === "refused");
    }
    // A stopping server cancels what has not reached the service; nothing was done, whatever the method.
    return error.code === "CANCELLED" && attempt.trailers?.[REQUEST_ID_TRAILER] === undefined;
  }
}

/** Give the error of a failed attempt that nobody on this side has cancelled. */
export function errorOf(attempt: Attempt, cause: unknown, late: boolean): TwofoldError {
  const failure = ConnectError.from(cause);
  const code = codeName(failure.code);
  const { trailers, fate } = attempt;
  const status = Number(trailers?.["grpc-status"]);
  if (trailers !== undefined && status !== 0) {
    return fromStatus(codeName(status), decodeMessage(trailers["grpc-message"] ?? ""), trailers, cause);
  }
  if (trailers === undefined && (late || code === "DEADLINE_EXCEEDED")) {
    return new DeadlineExceeded({ code: "DEADLINE_EXCEEDED", rawMessage: "No answer within the deadline.", cause });
  }
  if (trailers === undefined && (fate === "lost" || fate === "refused")) {
    return new Unavailable({ code: "UNAVAILABLE", rawMessage: failure.rawMessage, cause });
  }
  // Nobody here has cancelled it: else this would not be asked.
  return fromStatus(fate === "cancelled" ? "CANCELLED" : code, failure.rawMessage, trailers ?? {}, cause);
}

/** Give the error of a call that its own client's `close` has ended. */
export function closed(): Unavailable {
  return new Unavailable({ code: "UNAVAILABLE", rawMessage: "The client is closed." });
}

/** Give the error of a connection that did not come about in time. */
export function notConnected(target: string, ms: number, cause: unknown): Unavailable {
  return new Unavailable({ code: "UNAVAILABLE", rawMessage: `No connection to ${target} in ${ms} ms.`, cause });
}
