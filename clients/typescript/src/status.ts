/** The error that a gRPC status stands for. */

import { fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import * as errors from "./errors.js";
import type { Failure, StatusCode, TwofoldError } from "./errors.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RequestInfoSchema,
  RetryInfoSchema,
  StatusSchema,
} from "./gen/google/rpc/details_pb.js";

/** The trailer that every answer of the service itself carries. */
export const REQUEST_ID_TRAILER = "twofold-request-id";

const ERROR_DOMAIN = "twofold";

/** By number, from 1. */
const CODES: readonly StatusCode[] = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

type Kind = new (failure: Failure) => TwofoldError;

const BY_CODE: Partial<Record<StatusCode, Kind>> = {
  INVALID_ARGUMENT: errors.InvalidFields,
  UNAUTHENTICATED: errors.Unauthenticated,
  PERMISSION_DENIED: errors.PermissionDenied,
  NOT_FOUND: errors.NotFound,
  FAILED_PRECONDITION: errors.FailedPrecondition,
  RESOURCE_EXHAUSTED: errors.ResourceExhausted,
  ABORTED: errors.Aborted,
  UNAVAILABLE: errors.Unavailable,
  // Remote only, as when a server stops: cancelling on this side throws the signal's own reason.
  CANCELLED: errors.Unavailable,
  DEADLINE_EXCEEDED: errors.DeadlineExceeded,
  INTERNAL: errors.InternalError,
  UNKNOWN: errors.InternalError,
  DATA_LOSS: errors.InternalError,
};

const BY_REASON: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["INVALID_CREDENTIALS", errors.InvalidCredentials],
  ["INVALID_SECOND_FACTOR", errors.InvalidSecondFactor],
  ["SESSION_INVALID", errors.SessionEnded],
  ["SESSION_EXPIRED", errors.SessionExpired],
  ["SESSION_ENDED", errors.SessionEnded],
  ["SESSION_REUSED", errors.SessionEnded],
  ["SESSION_USER_AGENT_CHANGED", errors.SessionEnded],
  ["RECENT_PASSWORD_REQUIRED", errors.RecentProofRequired],
  ["RECENT_TWO_FACTOR_REQUIRED", errors.RecentProofRequired],
]);

/** Give the name of a status code by its number; what is none is UNKNOWN. */
export function codeName(number: number): StatusCode {
  return CODES[number - 1] ?? "UNKNOWN";
}

/** Trailers by name, as HTTP/2 gives them: binary ones in base64. */
export type Trailers = Readonly<Record<string, string>>;

/** Turn the status and trailers of a failed call into the error to throw. Details that don't parse are left out. */
export function fromStatus(code: StatusCode, rawMessage: string, trailers: Trailers, cause?: unknown): TwofoldError {
  const details = detailsOf(trailers["grpc-status-details-bin"]);
  const info = unpack(details, ErrorInfoSchema).find((found) => found.domain === ERROR_DOMAIN);
  const retry = unpack(details, RetryInfoSchema)[0]?.retryDelay;
  const kind = (info && BY_REASON.get(info.reason)) ?? BY_CODE[code] ?? errors.TwofoldError;
  return new kind({
    code,
    reason: info?.reason ?? "",
    rawMessage,
    metadata: { ...info?.metadata },
    retryAfterMs: retry && Math.max(0, Number(retry.seconds) * 1000 + retry.nanos / 1e6),
    fieldViolations: unpack(details, BadRequestSchema).flatMap((found) =>
      found.fieldViolations.map(({ field, description }) => ({ field, description })),
    ),
    preconditionViolations: unpack(details, PreconditionFailureSchema).flatMap((found) =>
      found.violations.map(({ type, subject, description }) => ({ type, subject, description })),
    ),
    requestId: trailers[REQUEST_ID_TRAILER] ?? unpack(details, RequestInfoSchema)[0]?.requestId ?? "",
    cause,
  });
}

/** Give the text of `grpc-message`, which is percent-encoded; what is not well encoded as it is. */
export function decodeMessage(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

function detailsOf(base64: string | undefined): readonly Any[] {
  if (base64 === undefined) {
    return [];
  }
  try {
    return fromBinary(StatusSchema, Buffer.from(base64, "base64")).details;
  } catch {
    return [];
  }
}

function unpack<S extends DescMessage>(details: readonly Any[], schema: S): MessageShape<S>[] {
  return details.flatMap((detail) => {
    if (detail.typeUrl.slice(detail.typeUrl.lastIndexOf("/") + 1) !== schema.typeName) {
      return [];
    }
    try {
      return [fromBinary(schema, detail.value)];
    } catch {
      return [];
    }
  });
}
