/** The vectors of clients/vectors. */

import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { fromJson } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";

import { SessionEnded, SessionExpired, VerifierNotReady } from "../dist/index.js";
import { WatchRevocationsResponseSchema } from "../dist/v1.js";
import { judgeOf, vectors } from "./support/vectors.js";

const UNSEEN = new Set(["jti", "iat", "nbf", "org"]);

await suite("access tokens", async () => {
  const given = vectors("access_tokens");
  for (const { name, token, leeway_seconds = 0, expect, claims } of given.cases) {
    await test(name, () => {
      const judge = judgeOf(given, { leewayMs: leeway_seconds * 1000, fresh: true });
      const verify = () => judge.verify(token);
      if (expect !== "ok") {
        const refused = (error: unknown) => error instanceof SessionEnded && error.reason === expect;
        assert.throws(verify, refused);
        assert.throws(verify, refused, "the second time as the first");
        assert.throws(verify, (error) => error instanceof SessionExpired === (expect === "SESSION_EXPIRED"));
        return;
      }
      for (const session of [verify(), verify()]) {
        assert.deepEqual(
          {
            iss: given.issuer,
            sub: session.accountId,
            aud: session.audience,
            client_id: session.clientId,
            sid: session.sessionId,
            epoch: session.epoch,
            amr: session.amr,
            aal: session.aal,
            exp: session.expireTime.getTime() / 1000,
            auth_time: session.authTime.getTime() / 1000,
            second_factor_time: session.secondFactorTime && session.secondFactorTime.getTime() / 1000,
          },
          {
            ...Object.fromEntries(Object.entries(claims ?? {}).filter(([claim]) => !UNSEEN.has(claim))),
            second_factor_time: claims?.second_factor_time,
          },
        );
        assert.equal(session.realmId, given.realm_id);
      }
    });
  }
});

await suite("revocations", async () => {
  const given = vectors("revocations");
  const judge = judgeOf(given);
  let stream = judge.openStream();
  for (const { name, resumed, message, ready, dead } of given.steps) {
    await test(name, () => {
      if (resumed !== undefined) {
        assert.equal(judge.received.resumeToken !== "", resumed);
        stream = judge.openStream();
      }
      stream.take(fromJson(WatchRevocationsResponseSchema, message as JsonValue));
      for (const [owner, token] of Object.entries(given.tokens)) {
        const verify = () => judge.verify(token);
        if (dead.includes(owner)) {
          assert.throws(verify, (error) => error instanceof SessionEnded && error.reason === "SESSION_ENDED", owner);
        } else if (!ready) {
          assert.throws(verify, VerifierNotReady, owner);
        } else {
          verify();
        }
      }
    });
  }
});
