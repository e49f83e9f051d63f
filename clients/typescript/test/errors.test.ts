/** The errors of failed calls. */

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { inspect } from "node:util";

import { create, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { Any } from "@bufbuild/protobuf/wkt";

import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RequestInfoSchema,
  RetryInfoSchema,
  StatusSchema,
} from "../dist/gen/google/rpc/details_pb.js";
import * as twofold from "../dist/index.js";
import { codeName, decodeMessage, fromStatus } from "../dist/status.js";

function packed<S extends DescMessage>(schema: S, init: MessageInitShape<S>): Any {
  return anyPack(schema, create(schema, init));
}

function trailers(...details: Any[]): Record<string, string> {
  const status = toBinary(StatusSchema, create(StatusSchema, { details }));
  return { "grpc-status-details-bin": Buffer.from(status).toString("base64") };
}

function reason(name: string, domain = "twofold"): Any {
  return packed(ErrorInfoSchema, { reason: name, domain, metadata: { field: "email" } });
}

await suite("the error of a status", async () => {
  await test("is of a class that says what to do", () => {
    const table: [twofold.StatusCode, string, new (...args: never[]) => Error][] = [
      ["INVALID_ARGUMENT", "INVALID_FIELDS", twofold.InvalidFields],
      ["UNAUTHENTICATED", "INVALID_CREDENTIALS", twofold.InvalidCredentials],
      ["UNAUTHENTICATED", "INVALID_SECOND_FACTOR", twofold.InvalidSecondFactor],
      ["UNAUTHENTICATED", "SESSION_INVALID", twofold.SessionEnded],
      ["UNAUTHENTICATED", "SESSION_EXPIRED", twofold.SessionExpired],
      ["UNAUTHENTICATED", "SESSION_ENDED", twofold.SessionEnded],
      ["UNAUTHENTICATED", "SESSION_REUSED", twofold.SessionEnded],
      ["UNAUTHENTICATED", "SESSION_USER_AGENT_CHANGED", twofold.SessionEnded],
      ["UNAUTHENTICATED", "SESSION_REQUIRED", twofold.Unauthenticated],
      ["UNAUTHENTICATED", "CALLER_UNKNOWN", twofold.Unauthenticated],
      ["PERMISSION_DENIED", "RECENT_PASSWORD_REQUIRED", twofold.RecentProofRequired],
      ["PERMISSION_DENIED", "RECENT_TWO_FACTOR_REQUIRED", twofold.RecentProofRequired],
      ["PERMISSION_DENIED", "CALLER_NOT_GRANTED", twofold.PermissionDenied],
      ["NOT_FOUND", "NOT_FOUND", twofold.NotFound],
      ["FAILED_PRECONDITION", "", twofold.FailedPrecondition],
      ["RESOURCE_EXHAUSTED", "", twofold.ResourceExhausted],
      ["ABORTED", "", twofold.Aborted],
      ["UNAVAILABLE", "", twofold.Unavailable],
      ["CANCELLED", "", twofold.Unavailable],
      ["DEADLINE_EXCEEDED", "", twofold.DeadlineExceeded],
      ["INTERNAL", "", twofold.InternalError],
      ["UNKNOWN", "", twofold.InternalError],
      ["DATA_LOSS", "", twofold.InternalError],
      ["UNIMPLEMENTED", "", twofold.TwofoldError],
    ];
    for (const [code, name, kind] of table) {
      const error = fromStatus(code, "What is wrong.", name ? trailers(reason(name)) : {});
      assert.equal(error.constructor, kind, `${code} ${name}`);
      assert.equal(error.name, kind.name);
      assert.deepEqual([error.code, error.reason, error.rawMessage], [code, name, "What is wrong."]);
    }
    assert(fromStatus("UNAUTHENTICATED", "", trailers(reason("SESSION_EXPIRED"))) instanceof twofold.Unauthenticated);
  });

  await test("has what came with it", () => {
    const cause = new Error("as Connect has it");
    const error = fromStatus(
      "INVALID_ARGUMENT",
      "Some fields are not valid.",
      {
        ...trailers(
          reason("INVALID_FIELDS"),
          packed(BadRequestSchema, { fieldViolations: [{ field: "email", description: "too long" }, { field: "" }] }),
          packed(PreconditionFailureSchema, {
            violations: [{ type: "SECOND_FACTOR", subject: "account", description: "none" }],
          }),
          packed(RetryInfoSchema, { retryDelay: { seconds: 1n, nanos: 500_000_000 } }),
          packed(RequestInfoSchema, { requestId: "of the details" }),
        ),
        "twofold-request-id": "req-1",
      },
      cause,
    );
    assert.equal(error.retryAfterMs, 1500);
    assert.deepEqual(error.metadata, { field: "email" });
    assert.deepEqual(error.fieldViolations, [
      { field: "email", description: "too long" },
      { field: "", description: "" },
    ]);
    assert.deepEqual(error.preconditionViolations, [
      { type: "SECOND_FACTOR", subject: "account", description: "none" },
    ]);
    assert.equal(error.requestId, "req-1");
    assert.equal(error.cause, cause);
    assert.equal(
      String(error),
      "InvalidFields: INVALID_ARGUMENT INVALID_FIELDS: Some fields are not valid. [email, (message)] (request req-1)",
    );
  });

  await test("does not show what something else on the way has written, nor its trailers", () => {
    const secret = "s3cret";
    const error = fromStatus("INTERNAL", secret, { "x-echo": secret }, new Error(secret));
    assert.equal(error.rawMessage, secret);
    for (const text of [String(error), inspect(error), JSON.stringify(error)]) {
      assert(!text.includes(secret), text);
    }
    assert.match(String(fromStatus("UNAVAILABLE", "connect ECONNREFUSED", {})), /ECONNREFUSED/);
  });

  await test("takes no reason of another domain, and survives details that don't parse", () => {
    assert.equal(fromStatus("UNAUTHENTICATED", "", trailers(reason("INVALID_CREDENTIALS", "other"))).reason, "");
    for (const bad of ["AAAA", "!", Buffer.from([10, 255]).toString("base64")]) {
      const error = fromStatus("NOT_FOUND", "", { "grpc-status-details-bin": bad });
      assert(error instanceof twofold.NotFound);
      assert.equal(error.reason, "");
    }
    const broken = packed(ErrorInfoSchema, {});
    broken.value = new Uint8Array([255]);
    assert.equal(fromStatus("NOT_FOUND", "", trailers(broken, reason("NOT_FOUND"))).reason, "NOT_FOUND");
  });

  await test("reads codes and texts as gRPC writes them", () => {
    assert.equal(codeName(16), "UNAUTHENTICATED");
    assert.equal(codeName(99), "UNKNOWN");
    assert.equal(decodeMessage("caf%C3%A9 100%25"), "café 100%");
    assert.equal(decodeMessage("100%"), "100%");
  });
});
