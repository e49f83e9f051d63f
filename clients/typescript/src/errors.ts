/** What a failed call throws: one class for each thing that a caller does about it. */

import { inspect } from "node:util";

/** The name of a gRPC status code. */
export type StatusCode =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/** A field of the request that the server refused. */
export interface FieldViolation {
  /** Its path in the request, such as `client.ip_address`; empty: the message as a whole. */
  readonly field: string;
  /** What is wrong with it, in English. */
  readonly description: string;
}

/** A state that forbids the call. */
export interface PreconditionViolation {
  /** What kind of state, such as `SECOND_FACTOR`. */
  readonly type: string;
  /** What is in that state, such as `account`. */
  readonly subject: string;
  /** The same in English; may be empty. */
  readonly description: string;
}

/** What is known of a failed call. */
export interface Failure {
  readonly code: StatusCode;
  readonly reason?: string;
  readonly rawMessage?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number | undefined;
  readonly fieldViolations?: readonly FieldViolation[];
  readonly preconditionViolations?: readonly PreconditionViolation[];
  readonly requestId?: string;
  readonly cause?: unknown;
}

/**
 * A call failed; its subclasses tell what to do, and this stands for all of them.
 *
 * Its text holds no part of the request and no token. The error that it came from is its `cause`.
 */
export class TwofoldError extends Error {
  override readonly name: string = "TwofoldError";
  /** The status code, by gRPC's name. */
  readonly code: StatusCode;
  /** The name of the `ErrorReason` without its prefix, such as `INVALID_CREDENTIALS`; empty if there is none. */
  readonly reason: string;
  /** Further facts, by reason. */
  readonly metadata: Readonly<Record<string, string>>;
  /** How many milliseconds to wait before the next call, where the server said so. */
  readonly retryAfterMs: number | undefined;
  /** Every field that was refused. */
  readonly fieldViolations: readonly FieldViolation[];
  /** Every state that forbids the call. */
  readonly preconditionViolations: readonly PreconditionViolation[];
  /** Under which the server's log has the call; empty if the call never reached the service. */
  readonly requestId: string;
  /** The text that came with it, in English. For people; it may change. */
  declare readonly rawMessage: string;

  constructor(failure: Failure) {
    super(textOf(failure), failure.cause === undefined ? undefined : { cause: failure.cause });
    this.code = failure.code;
    this.reason = failure.reason ?? "";
    this.metadata = failure.metadata ?? {};
    this.retryAfterMs = failure.retryAfterMs;
    this.fieldViolations = failure.fieldViolations ?? [];
    this.preconditionViolations = failure.preconditionViolations ?? [];
    this.requestId = failure.requestId ?? "";
    // Out of what is logged of an error: something between here and the service may have written it.
    Object.defineProperty(this, "rawMessage", { value: failure.rawMessage ?? "", enumerable: false });
  }

  /** What `console.log` and the like show: no cause, which has texts and trailers of whatever answered. */
  [inspect.custom](): string {
    const { stack = "" } = this;
    const frames = stack.indexOf("\n    at ");
    return `${String(this)}${frames < 0 ? "" : stack.slice(frames)}`;
  }
}

/** Correct the request: `fieldViolations` names every bad field. */
export class InvalidFields extends TwofoldError {
  override readonly name: string = "InvalidFields";
}

/** Somebody has not proven who they are: the calling service (`CALLER_UNKNOWN`) or, mostly a subclass, the user. */
export class Unauthenticated extends TwofoldError {
  override readonly name: string = "Unauthenticated";
}

/** Ask the user again for address and password; which one is wrong is not told. */
export class InvalidCredentials extends Unauthenticated {
  override readonly name: string = "InvalidCredentials";
}

/** Ask the user for a new code. */
export class InvalidSecondFactor extends Unauthenticated {
  override readonly name: string = "InvalidSecondFactor";
}

/** Have the user sign in again: the session is over, or the token was never good. */
export class SessionEnded extends Unauthenticated {
  override readonly name: string = "SessionEnded";
}

/** The access token is too old: call refreshSession, then again; only if that fails have the user sign in. */
export class SessionExpired extends SessionEnded {
  override readonly name: string = "SessionExpired";
}

/** The caller or the account may not do this. */
export class PermissionDenied extends TwofoldError {
  override readonly name: string = "PermissionDenied";
}

/** Call stepUp first: this needs a proof of the last 10 min, by the reason of the password or the second factor. */
export class RecentProofRequired extends PermissionDenied {
  override readonly name: string = "RecentProofRequired";
}

/** There is no such thing, or not for this caller; a link or step that is used or expired has to begin anew. */
export class NotFound extends TwofoldError {
  override readonly name: string = "NotFound";
}

/** The state of the account forbids it: `preconditionViolations` says which. */
export class FailedPrecondition extends TwofoldError {
  override readonly name: string = "FailedPrecondition";
}

/** Wait `retryAfterMs`: too many attempts, too soon, or too much load. */
export class ResourceExhausted extends TwofoldError {
  override readonly name: string = "ResourceExhausted";
}

/** The account changed meanwhile and nothing was done: call again from the start. */
export class Aborted extends TwofoldError {
  override readonly name: string = "Aborted";
}

/**
 * Call again later: no server could answer.
 *
 * A call that writes may have been done all the same, unless `code` is CANCELLED and `requestId` is empty.
 */
export class Unavailable extends TwofoldError {
  override readonly name: string = "Unavailable";
}

/** A Verifier has no snapshot of what is revoked yet, or hears nothing more, so it vouches for nobody. */
export class VerifierNotReady extends Unavailable {
  override readonly name: string = "VerifierNotReady";
}

/** Time ran out. A call that writes may have been done, unless the reason is `DEADLINE_TOO_SHORT`. */
export class DeadlineExceeded extends TwofoldError {
  override readonly name: string = "DeadlineExceeded";
}

/** A fault of the server's own: report `requestId`. */
export class InternalError extends TwofoldError {
  override readonly name: string = "InternalError";
}

const CONNECTION_CODES: ReadonlySet<StatusCode> = new Set(["UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"]);

function textOf(failure: Failure): string {
  let text: string = failure.code;
  if (failure.reason) {
    text += ` ${failure.reason}`;
  }
  // A text without a reason is not the service's: whatever answered may quote the request in it. What is said of the
  // connection quotes none, and is needed to see what is wrong with it.
  if (failure.rawMessage && (failure.reason || CONNECTION_CODES.has(failure.code))) {
    text += `: ${failure.rawMessage}`;
  }
  if (failure.fieldViolations?.length) {
    text += ` [${failure.fieldViolations.map((violation) => violation.field || "(message)").join(", ")}]`;
  }
  if (failure.requestId) {
    text += ` (request ${failure.requestId})`;
  }
  return text;
}
