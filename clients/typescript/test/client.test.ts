/** What a call carries, and what ends it from this side. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { suite, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { ConnectRouter } from "@connectrpc/connect";

import { Client, SessionEnded, Unavailable, VERSION } from "../dist/index.js";
import { AccountService, SessionService, SignInRequestSchema } from "../dist/v1.js";
import { failure, Fake, silent } from "./support/fake.js";

const routes = (router: ConnectRouter) => {
  router.service(AccountService, { getAccount: () => ({ account: { email: "ada@example.com" } }), signIn: () => ({}) });
};

/** A port of this machine that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

await suite("a client", async () => {
  await test("sends credential, session, proof and user agent as metadata", async () => {
    await using fake = await Fake.start(routes);
    using client = new Client(fake.target, { credential: "c".repeat(40), userAgent: "shop/2.1" });
    const answer = await client.accounts.getAccount({}, { session: "a.b.c", approver: "d.e.f" });
    assert.equal(answer.account?.email, "ada@example.com");
    assert.equal(fake.headers.authorization, `Bearer ${"c".repeat(40)}`);
    assert.equal(fake.headers["twofold-session"], "a.b.c");
    assert.equal(fake.headers["twofold-approver"], "d.e.f");
    assert.equal(fake.headers["user-agent"], `shop/2.1 twofold-typescript/${VERSION}`);
  });

  await test("refuses an access token that could not be one as the server does, without a call", async () => {
    await using fake = await Fake.start(routes);
    using client = new Client(fake.target);
    for (const session of ["a b", "a\nb", "é", "x".repeat(4097)]) {
      await assert.rejects(
        client.accounts.getAccount({}, { session }),
        (error) =>
          error instanceof SessionEnded && error.reason === "SESSION_INVALID" && !String(error).includes(session),
      );
    }
    assert.deepEqual(fake.calls, []);
  });

  await test("refuses a message of another type", async () => {
    using client = new Client("127.0.0.1:1");
    const request = create(SignInRequestSchema, {});
    await assert.rejects(client.accounts.getAccount(request as never), TypeError);
  });

  await test("refuses options that make no sense, without showing the credential", () => {
    for (const options of [
      { credential: "a secret with spaces" },
      { credential: "" },
      { deadlineMs: 0 },
      { deadlineMs: Number.NaN },
      { retries: -1 },
      { retries: 1.5 },
      { userAgent: "a\nb" },
      { tls: { clientKey: "key" } },
    ]) {
      assert.throws(
        () => new Client("127.0.0.1:1", options),
        (error) => error instanceof TypeError && !error.message.includes("secret"),
      );
    }
  });

  await test("fails at once where nobody listens, and not at its deadline", async () => {
    using client = new Client(`127.0.0.1:${await freePort()}`, { deadlineMs: 60_000, retries: 0 });
    await assert.rejects(client.accounts.signIn({}), Unavailable);
  });

  await test("waits for a connection with waitForReady, and is told of one by waitReady", async () => {
    const port = await freePort();
    using client = new Client(`127.0.0.1:${port}`, { waitForReady: true, deadlineMs: 30_000 });
    const answer = client.accounts.signIn({});
    const ready = client.waitReady();
    await assert.rejects(new Client(`127.0.0.1:${port}`).waitReady(50), Unavailable);
    await using fake = await Fake.start(routes, { port });
    await Promise.all([answer, ready]);
    assert.deepEqual(fake.calls, ["SignIn"]);
  });

  await test("connects again after its connection was lost", async () => {
    await using fake = await Fake.start(routes);
    using client = new Client(fake.target);
    await client.accounts.getAccount({});
    fake.breakConnections();
    await client.accounts.getAccount({});
    assert.equal(fake.calls.length, 2);
  });

  await test("outlives a server that leaves while it is closed, or calls again", async () => {
    for (const after of [
      (client: Client) => {
        client.close();
      },
      (client: Client) => {
        client.accounts.getAccount({}).catch(() => undefined);
      },
    ]) {
      await using fake = await Fake.start(routes);
      using client = new Client(fake.target);
      await client.waitReady();
      await fake.leave();
      after(client);
      await turn();
    }
  });

  await test("throws the reason of the signal that ends a call, and cancels it at the server", async () => {
    let cancelled: (() => void) | undefined;
    const seen = new Promise<void>((resolve) => (cancelled = resolve));
    const reason = new Error("the user went away");
    const controller = new AbortController();
    await using fake = await Fake.start(routes, {
      before: (request) => {
        request.stream.once("close", () => {
          assert.equal(request.stream.rstCode, 8);
          cancelled?.();
        });
        controller.abort(reason);
        return true;
      },
    });
    using client = new Client(fake.target);
    await assert.rejects(client.accounts.getAccount({}, { signal: controller.signal }), reason);
    await seen;
    await assert.rejects(client.accounts.getAccount({}, { signal: controller.signal }), reason);
    assert.equal(fake.calls.length, 1);
  });

  await test("ends the calls under way when it is closed, and makes none afterwards", async () => {
    await using fake = await Fake.start(routes, {
      before: (...call) => {
        client.close();
        return silent(...call);
      },
    });
    const client = new Client(fake.target);
    await assert.rejects(client.accounts.getAccount({}), (error) => error instanceof Unavailable);
    await assert.rejects(client.accounts.getAccount({}), Unavailable);
    await assert.rejects(client.waitReady(), Unavailable);
    assert.equal(fake.calls.length, 1);
  });
});

await suite("a stream", async () => {
  const watching = (router: ConnectRouter) => {
    router.service(SessionService, {
      async *watchRevocations(request, context) {
        yield { resumeToken: `after ${request.resumeToken}` };
        yield { resumeToken: "2" };
        if (request.resumeToken === "breaks") {
          throw failure(Code.Unavailable, "SERVER_DRAINING");
        }
        await once(context.signal, "abort");
        ended?.();
      },
    });
  };
  let ended: (() => void) | undefined;

  await test("gives what comes, and then its error; it is not opened again", async () => {
    await using fake = await Fake.start(watching);
    using client = new Client(fake.target);
    const tokens: string[] = [];
    await assert.rejects(
      async () => {
        for await (const message of client.sessions.watchRevocations({ resumeToken: "breaks" })) {
          tokens.push(message.resumeToken);
        }
      },
      (error) => error instanceof Unavailable && error.reason === "SERVER_DRAINING",
    );
    assert.deepEqual(tokens, ["after breaks", "2"]);
    assert.equal(fake.calls.length, 1);
    assert.equal(fake.headers["grpc-timeout"], undefined);
  });

  await test("ends at the server when the loop is left, and when the client is closed", async () => {
    await using fake = await Fake.start(watching);
    using client = new Client(fake.target);
    let seen = new Promise<void>((resolve) => (ended = resolve));
    for await (const message of client.sessions.watchRevocations({})) {
      if (message.resumeToken === "2") {
        break;
      }
    }
    await seen;
    seen = new Promise<void>((resolve) => (ended = resolve));
    await assert.rejects(async () => {
      for await (const message of client.sessions.watchRevocations({})) {
        if (message.resumeToken === "2") {
          client.close();
        }
      }
    }, Unavailable);
    await seen;
  });
});
