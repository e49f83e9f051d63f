/** The client of the Twofold authentication service for Node.js. */

export type { CallOptions } from "./calls.js";
export { Client } from "./client.js";
export type { ClientOptions } from "./client.js";
export {
  Aborted,
  DeadlineExceeded,
  FailedPrecondition,
  InternalError,
  InvalidCredentials,
  InvalidFields,
  InvalidSecondFactor,
  NotFound,
  PermissionDenied,
  RecentProofRequired,
  ResourceExhausted,
  SessionEnded,
  SessionExpired,
  TwofoldError,
  Unauthenticated,
  Unavailable,
  VerifierNotReady,
} from "./errors.js";
export type { FieldViolation, PreconditionViolation, StatusCode } from "./errors.js";
export type { Logger } from "./logging.js";
export type { Methods } from "./methods.js";
export { tlsFromFiles } from "./tls.js";
export type { TlsFiles, TlsOptions } from "./tls.js";
export { VerifiedSession } from "./verified.js";
export { Verifier } from "./verifier.js";
export type { VerifierOptions } from "./verifier.js";
export { VERSION } from "./version.js";
