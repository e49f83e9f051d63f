/** The verifier, against a server in the process. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { suite, test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";

import { SessionEnded, SessionExpired, Unauthenticated, Verifier, VerifierNotReady } from "../dist/index.js";
import type { VerifierOptions } from "../dist/index.js";
import { WatchRevocationsResponseSchema } from "../dist/v1.js";
import { begun, QUIET, throws, until } from "./support/begun.js";
import { failure, Fake } from "./support/fake.js";
import { AUDIENCE, REALM, revocation, Twofold } from "./support/twofold.js";
import { judgeOf, keysOf, vectors } from "./support/vectors.js";

const SID = "019cbf00-0000-7000-8000-0000000000a1";

await suite("a verifier", async () => {
  await test("vouches for nobody before its first snapshot is complete, and then for whom it does not name", async () => {
    await using all = await begun();
    const { twofold, verifier } = all;
    const [gone, here] = [twofold.key.token({ sid: SID }), twofold.key.token()];
    assert.throws(() => verifier.verify(here), VerifierNotReady);
    const stream = await twofold.stream();
    assert.equal(stream.resumeToken, "");
    stream.tell({ reset: true, revocations: [revocation(SID)] });
    await until(() => throws(() => verifier.verify(gone), SessionEnded));
    assert.throws(() => verifier.verify(here), VerifierNotReady);
    stream.tell({ current: true, resumeToken: "1" });
    await verifier.waitReady();
    assert.equal(verifier.verify(here).aal, 1);
    assert.throws(() => verifier.verify(gone), SessionEnded);
    assert.equal(await verifier.check(here), verifier.verify(here));
  });

  await test("refuses who has signed out once the stream tells it, seen before or not", async () => {
    await using all = await begun();
    const { twofold, verifier } = all;
    const stream = await twofold.stream();
    stream.snapshot();
    await verifier.waitReady();
    const token = twofold.key.token({ sid: SID });
    verifier.verify(token);
    stream.tell({ current: true, resumeToken: "2", revocations: [revocation(SID)] });
    await until(() => throws(() => verifier.verify(token), SessionEnded));
  });

  await test("refuses a token that expires while it is remembered", async () => {
    let now = Date.now();
    await using all = await begun({ clock: () => now });
    const { twofold, verifier } = all;
    (await twofold.stream()).snapshot();
    await verifier.waitReady();
    const token = twofold.key.token();
    verifier.verify(token);
    now += 601_000;
    assert.throws(() => verifier.verify(token), SessionExpired);
  });

  await test("vouches for nobody after silence, opens another stream and goes on where it was", async () => {
    let now = 0;
    await using all = await begun({ silenceMs: 400, monotonic: () => now });
    const { twofold, verifier } = all;
    const token = twofold.key.token();
    (await twofold.stream()).snapshot();
    await verifier.waitReady();
    verifier.verify(token);
    now = 401;
    assert.throws(() => verifier.verify(token), VerifierNotReady);
    await assert.rejects(verifier.check(token), VerifierNotReady);
    // It gives the silent connection up by its own timer.
    const stream = await twofold.stream();
    assert.equal(stream.resumeToken, "1");
    stream.tell({ current: true, resumeToken: "2" });
    await verifier.waitReady();
    verifier.verify(token);
  });

  await test("takes up a stream that has broken, and a new snapshot in place of what it held", async () => {
    await using all = await begun();
    const { twofold, verifier } = all;
    const token = twofold.key.token({ sid: SID });
    const stream = await twofold.stream();
    stream.snapshot(SID);
    await verifier.waitReady();
    assert.throws(() => verifier.verify(token), SessionEnded);
    stream.end(failure(Code.Unavailable, "SERVER_DRAINING"));
    const next = await twofold.stream();
    assert.equal(next.resumeToken, "1");
    next.tell({ reset: true });
    next.tell({ revocations: [] });
    assert.throws(() => verifier.verify(token), SessionEnded);
    next.tell({ current: true, resumeToken: "9" });
    await until(() => !throws(() => verifier.verify(token), SessionEnded));
    verifier.verify(token);
  });

  await test("does not go on with a stream whose time goes back, or that begins without a snapshot", async () => {
    await using all = await begun();
    const { twofold, verifier } = all;
    (await twofold.stream()).tell({ current: true, resumeToken: "1" });
    const stream = await twofold.stream();
    assert.equal(stream.resumeToken, "");
    assert.throws(() => verifier.verify(twofold.key.token()), VerifierNotReady);
    stream.snapshot();
    await verifier.waitReady();
    stream.tell({ current: true, resumeToken: "2", serverTime: { seconds: 1n, nanos: 0 } });
    await twofold.stream();
  });

  await test("asks CheckSession while nothing is heard, where it is told to", async () => {
    let now = 0;
    await using all = await begun({ silenceMs: 10_000, monotonic: () => now, onSilence: "ask" });
    const { twofold, verifier } = all;
    const token = twofold.key.token();
    (await twofold.stream()).snapshot();
    await verifier.waitReady();
    now = 10_001;
    let asked = 0;
    twofold.onCheck = ({ realmId, audience }) => {
      asked += 1;
      assert.deepEqual([realmId, audience], [REALM, AUDIENCE]);
      if (asked > 1) {
        throw failure(Code.Unauthenticated, "SESSION_ENDED");
      }
    };
    assert.equal((await verifier.check(token)).realmId, REALM);
    await assert.rejects(verifier.check(token), SessionEnded);
    await assert.rejects(verifier.check("a.b.c"), SessionEnded);
    assert.equal(asked, 2);
    assert.throws(() => verifier.verify(token), VerifierNotReady);
  });

  await test("says at once what waiting does not mend", async () => {
    const unknown = new Twofold();
    unknown.onKeys = () => {
      throw failure(Code.Unauthenticated, "CALLER_UNKNOWN");
    };
    const other = new Twofold();
    other.audiences = ["shipping"];
    for (const [twofold, kind] of [
      [unknown, Unauthenticated],
      [other, TypeError],
    ] as const) {
      const fake = await Fake.start(twofold.routes);
      await assert.rejects(Verifier.open(fake.target, { realmId: REALM, audience: AUDIENCE, logger: QUIET }), kind);
      await fake[Symbol.asyncDispose]();
    }
  });

  await test("gives up waiting when its time is over, with the cause", async () => {
    await using all = await begun();
    await assert.rejects(all.verifier.waitReady(50), VerifierNotReady);
  });

  await test("vouches for nobody once it is closed, and leaves no stream open", async () => {
    const all = await begun();
    const { twofold, verifier } = all;
    const token = twofold.key.token();
    (await twofold.stream()).snapshot();
    await verifier.waitReady();
    verifier.verify(token);
    await verifier.close();
    await verifier.close();
    assert.throws(() => verifier.verify(token), VerifierNotReady);
    await assert.rejects(verifier.waitReady(), VerifierNotReady);
    assert.throws(() => {
      verifier.start();
    });
    await all.fake[Symbol.asyncDispose]();
  });

  await test("lets the process exit once it is closed", async () => {
    const twofold = new Twofold();
    await using fake = await Fake.start(twofold.routes);
    const script = `
      import { Verifier } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
      const verifier = await Verifier.open(${JSON.stringify(fake.target)}, { realmId: "default", audience: "billing" });
      verifier.verify(process.argv[1]);
      await verifier.close();
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, twofold.key.token()], {
      stdio: "inherit",
    });
    (await twofold.stream()).snapshot();
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });

  await test("has no default for realm and audience, and refuses what makes no sense", () => {
    for (const options of [
      { realmId: "" },
      { audience: "" },
      { leewayMs: 30_001 },
      { leewayMs: -1 },
      { silenceMs: 0 },
      { cacheSize: 1 },
      { onSilence: "trust" },
    ]) {
      const all = { realmId: REALM, audience: AUDIENCE, ...options } as VerifierOptions;
      assert.throws(() => new Verifier("127.0.0.1:1", all), TypeError, JSON.stringify(options));
    }
  });

  await test("is not fooled by what is no string", async () => {
    await using all = await begun();
    (await all.twofold.stream()).snapshot();
    await all.verifier.waitReady();
    assert.throws(() => all.verifier.verify(undefined as never), TypeError);
    assert.throws(() => all.verifier.verify(""), SessionEnded);
  });
});

await test("what comes in after the end is not taken", () => {
  const given = vectors("access_tokens");
  const judge = judgeOf(given, { fresh: true });
  const token = given.cases[0]?.token ?? "";
  judge.verify(token);
  judge.stop();
  judge.takeKeys(keysOf(given));
  judge.openStream().take(create(WatchRevocationsResponseSchema, { reset: true, current: true, resumeToken: "1" }));
  assert.throws(() => judge.verify(token), VerifierNotReady);
});
