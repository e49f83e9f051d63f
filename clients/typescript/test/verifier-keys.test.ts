/** How a verifier comes by its keys. */

import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { Code } from "@connectrpc/connect";

import { SessionEnded, VerifierNotReady } from "../dist/index.js";
import { RevocationKind } from "../dist/v1.js";
import { begun, throws, until } from "./support/begun.js";
import { failure } from "./support/fake.js";
import { REALM, SigningKey, Twofold } from "./support/twofold.js";

await suite("the keys of a verifier", async () => {
  await test("fetches the keys once for tokens that name an unknown one, and again after 30 s", async () => {
    let now = 0;
    await using all = await begun({ monotonic: () => now });
    const { twofold, verifier } = all;
    (await twofold.stream()).snapshot();
    await verifier.waitReady();
    const next = new SigningKey("key-2");
    twofold.keys = [twofold.key, next];
    assert.equal(twofold.keyFetches, 1);
    const token = next.token();
    assert.throws(() => verifier.verify(token), VerifierNotReady);
    assert.equal((await verifier.check(token)).realmId, REALM);
    assert.equal(twofold.keyFetches, 2);
    const forged = new SigningKey("key-3").token();
    for (let i = 0; i < 20; i++) {
      await assert.rejects(verifier.check(forged), (error) => error instanceof SessionEnded);
      assert.throws(() => verifier.verify(forged), SessionEnded);
    }
    assert.equal(twofold.keyFetches, 2);
    now = 30_001;
    await assert.rejects(verifier.check(forged), SessionEnded);
    assert.equal(twofold.keyFetches, 3);
  });

  await test("refuses what a withdrawn key has signed, and fetches what signs now", async () => {
    await using all = await begun();
    const { twofold, verifier } = all;
    const stream = await twofold.stream();
    stream.snapshot();
    await verifier.waitReady();
    const token = twofold.key.token();
    verifier.verify(token);
    const next = new SigningKey("key-2");
    twofold.keys = [next];
    stream.tell({
      current: true,
      resumeToken: "2",
      revocations: [{ kind: RevocationKind.SIGNING_KEY, subject: "key-1" }],
    });
    await until(() => throws(() => verifier.verify(token), SessionEnded));
    await until(() => !throws(() => verifier.verify(next.token()), VerifierNotReady));
    verifier.verify(next.token());
    assert.throws(
      () => verifier.verify(token),
      (error) => error instanceof SessionEnded && error.reason === "SESSION_ENDED",
    );
  });

  await test("tries on while the keys can't be fetched, and is not ready meanwhile", async () => {
    const twofold = new Twofold();
    twofold.onKeys = () => {
      if (twofold.keyFetches < 3) {
        throw failure(Code.Internal, "");
      }
    };
    await using all = await begun({}, twofold);
    (await twofold.stream()).snapshot();
    await all.verifier.waitReady();
    assert.equal(twofold.keyFetches, 3);
  });
});
