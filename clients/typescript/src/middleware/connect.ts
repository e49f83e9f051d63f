/** Protects services that are served by Connect: gRPC, gRPC-Web and Connect's own protocol. */

import { Code, ConnectError, createContextKey } from "@connectrpc/connect";
import type { ContextKey, Interceptor } from "@connectrpc/connect";

import { ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/details_pb.js";
import type { VerifiedSession } from "../verified.js";
import { challengeOf, Guard, RETRY_SECONDS } from "./guard.js";
import type { Checker, GuardOptions, Refusal } from "./guard.js";

export type { Checker, GuardOptions } from "./guard.js";

const CODES = {
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  UNAVAILABLE: Code.Unavailable,
} as const;

/** Where a handler finds whose call it is: `context.values.get(verifiedSession)`; undefined for what is open. */
export const verifiedSession: ContextKey<VerifiedSession | undefined> = createContextKey<VerifiedSession | undefined>(
  undefined,
  { description: "twofold verified session" },
);

/**
 * Let a call through if its metadata `authorization: Bearer` holds a good access token:
 * `connectNodeAdapter({ routes, interceptors: [protect(verifier)] })`.
 *
 * Others end as UNAUTHENTICATED, as PERMISSION_DENIED below `minAal`, or as UNAVAILABLE while the verifier can't judge.
 * A stream is judged when it begins. `open` are methods, such as `/grpc.health.v1.Health/Check`.
 */
export function protect(checker: Checker, options: GuardOptions = {}): Interceptor {
  const guard = new Guard(checker, options);
  return (next) => async (request) => {
    if (guard.isOpen(`/${request.service.typeName}/${request.method.name}`)) {
      return await next(request);
    }
    const authorization = request.header.get("authorization");
    const judged = await guard.admit(authorization === null ? [] : [authorization]);
    if ("refusal" in judged) {
      throw errorOf(judged.refusal);
    }
    request.contextValues.set(verifiedSession, judged.session);
    return await next(request);
  };
}

function errorOf(refusal: Refusal): ConnectError {
  const challenge = challengeOf(refusal);
  return new ConnectError(
    refusal.text,
    CODES[refusal.code],
    challenge === undefined ? {} : { "www-authenticate": challenge },
    [
      ...(refusal.reason ? [{ desc: ErrorInfoSchema, value: { reason: refusal.reason, domain: "twofold" } }] : []),
      ...(refusal.code === "UNAVAILABLE"
        ? [{ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(RETRY_SECONDS) } } }]
        : []),
    ],
  );
}
