/** Protects services that are served by @grpc/grpc-js. */

import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder, status } from "@grpc/grpc-js";
import type { ServerInterceptor } from "@grpc/grpc-js";

import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from "../gen/google/rpc/details_pb.js";
import type { VerifiedSession } from "../verified.js";
import { Guard, RETRY_SECONDS } from "./guard.js";
import type { Checker, GuardOptions, Refusal } from "./guard.js";

export type { Checker, GuardOptions } from "./guard.js";

const sessions = new WeakMap<Metadata, VerifiedSession>();

/**
 * Let a call through if its metadata `authorization: Bearer` holds a good access token:
 * `new Server({ interceptors: [protect(verifier)] })`.
 *
 * Handlers find whose call it is by `sessionOf(call)`. Others end as UNAUTHENTICATED, as PERMISSION_DENIED below
 * `minAal`, or as UNAVAILABLE while the verifier can't judge. A stream is judged when it begins. `open` are methods, such
 * as `/grpc.health.v1.Health/Check`.
 */
export function protect(checker: Checker, options: GuardOptions = {}): ServerInterceptor {
  const guard = new Guard(checker, options);
  return (method, call) => {
    const intercepting = new ServerInterceptingCall(
      call,
      new ResponderBuilder()
        .withStart((next) => {
          next(
            new ServerListenerBuilder()
              .withOnReceiveMetadata((metadata, pass) => {
                if (guard.isOpen(method.path)) {
                  pass(metadata);
                  return;
                }
                void guard.admit(metadata.get("authorization").map(String)).then((judged) => {
                  if ("session" in judged) {
                    sessions.set(metadata, judged.session);
                    pass(metadata);
                  } else {
                    intercepting.sendStatus(statusOf(judged.refusal));
                  }
                });
              })
              .build(),
          );
        })
        .build(),
    );
    return intercepting;
  };
}

/** Whose call it is. Throws where `protect` has let none in with a token: what is open, or not behind it. */
export function sessionOf(call: { readonly metadata: Metadata }): VerifiedSession {
  const session = sessions.get(call.metadata);
  if (session === undefined) {
    throw new Error("There is no verified session: protect() does not guard this call.");
  }
  return session;
}

function statusOf(refusal: Refusal) {
  const details = [
    ...(refusal.reason
      ? [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: refusal.reason, domain: "twofold" }))]
      : []),
    ...(refusal.code === "UNAVAILABLE"
      ? [anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: { seconds: BigInt(RETRY_SECONDS) } }))]
      : []),
  ];
  const code = status[refusal.code];
  const metadata = new Metadata();
  const message = create(StatusSchema, { code, message: refusal.text, details });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, message)));
  return { code, details: refusal.text, metadata };
}
