/** When a call is repeated, and when never. */

import assert from "node:assert/strict";
import { constants } from "node:http2";
import { suite, test } from "node:test";

import { Code } from "@connectrpc/connect";
import type { ConnectRouter } from "@connectrpc/connect";

import { Client, DeadlineExceeded, Unavailable } from "../dist/index.js";
import type { ClientOptions } from "../dist/index.js";
import { AccountService } from "../dist/v1.js";
import { broken, failure, Fake, first, reset, silent, status } from "./support/fake.js";
import type { Before } from "./support/fake.js";

const routes = (router: ConnectRouter) => {
  router.service(AccountService, { getAccount: () => ({ account: { email: "ada@example.com" } }), signIn: () => ({}) });
};

/** Make a call of one that may be done twice, and of one that may not, against a server that does this to the first. */
async function calls(before: Before, options: ClientOptions = {}) {
  const found: Record<string, { calls: number; error: unknown }> = {};
  for (const name of ["getAccount", "signIn"] as const) {
    await using fake = await Fake.start(routes, { before });
    using client = new Client(fake.target, options);
    const error: unknown = await client.accounts[name]({}).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    found[name] = { calls: fake.calls.length, error };
  }
  const { getAccount, signIn } = found;
  assert(getAccount && signIn);
  return { getAccount, signIn };
}

await suite("repeats", async () => {
  await test("UNAVAILABLE is repeated where the contract marks the method, and never else", async () => {
    const { getAccount, signIn } = await calls(first(1, status(14)));
    assert.deepEqual(getAccount, { calls: 2, error: undefined });
    assert.equal(signIn.calls, 1);
    assert(signIn.error instanceof Unavailable);
  });

  await test("a connection that breaks under a call is UNAVAILABLE: the call may have been done", async () => {
    const { getAccount, signIn } = await calls(first(1, broken));
    assert.deepEqual(getAccount, { calls: 2, error: undefined });
    assert.equal(signIn.calls, 1);
    assert(signIn.error instanceof Unavailable);
    assert.equal(signIn.error.code, "UNAVAILABLE");
  });

  await test("a stream that the server cancels was not begun: any method is repeated", async () => {
    const { getAccount, signIn } = await calls(first(1, reset("CANCEL")));
    assert.deepEqual(getAccount, { calls: 2, error: undefined });
    assert.deepEqual(signIn, { calls: 2, error: undefined });
  });

  await test("so was one that a server cancels on a connection that it has begun to close", async () => {
    const draining: Before = (request, ...rest) => {
      request.stream.session?.goaway();
      return reset("CANCEL")(request, ...rest);
    };
    const { signIn } = await calls(first(1, draining));
    assert.deepEqual(signIn, { calls: 2, error: undefined });
  });

  await test("CANCELLED without a request id was not begun: any method is repeated", async () => {
    const { getAccount, signIn } = await calls(first(1, status(1)));
    assert.deepEqual(getAccount, { calls: 2, error: undefined });
    assert.deepEqual(signIn, { calls: 2, error: undefined });
  });

  await test("CANCELLED with a request id is not repeated", async () => {
    const { getAccount, signIn } = await calls(first(1, status(1, { "twofold-request-id": "req-1" })));
    for (const { calls: made, error } of [getAccount, signIn]) {
      assert.equal(made, 1);
      assert(error instanceof Unavailable && error.code === "CANCELLED" && error.requestId === "req-1");
    }
  });

  await test("a refused stream was looked at by no server: any method is repeated", async () => {
    const { getAccount, signIn } = await calls(first(1, reset("REFUSED_STREAM")));
    assert.deepEqual(getAccount, { calls: 2, error: undefined });
    assert.deepEqual(signIn, { calls: 2, error: undefined });
  });

  await test("SERVER_DRAINING is repeated for any method", async () => {
    let made = 0;
    const draining = (router: ConnectRouter) => {
      router.service(AccountService, {
        signIn: () => {
          made += 1;
          if (made === 1) {
            throw failure(Code.Unavailable, "SERVER_DRAINING", 10);
          }
          return {};
        },
      });
    };
    await using fake = await Fake.start(draining);
    using client = new Client(fake.target);
    await client.accounts.signIn({});
    assert.equal(made, 2);
  });

  await test("at most `retries` times, and not at all with none", async () => {
    const { getAccount } = await calls(status(14), { retries: 1 });
    assert.equal(getAccount.calls, 2);
    assert.equal((await calls(status(14), { retries: 0 })).getAccount.calls, 1);
  });

  await test("no other code is repeated", async () => {
    for (const code of [2, 4, 8, 10, 13]) {
      assert.equal((await calls(status(code))).getAccount.calls, 1, `code ${code}`);
    }
  });

  await test("what the server asks to wait past the deadline is not waited for, and told", async () => {
    const busy = (router: ConnectRouter) => {
      router.service(AccountService, {
        getAccount: () => {
          throw failure(Code.Unavailable, "DATABASE_UNREACHABLE", 60_500);
        },
      });
    };
    await using fake = await Fake.start(busy);
    using client = new Client(fake.target);
    await assert.rejects(
      client.accounts.getAccount({}),
      (error) => error instanceof Unavailable && error.retryAfterMs === 60_500,
    );
    assert.equal(fake.calls.length, 1);
  });

  await test("a deadline covers the repeats, and travels with each", async () => {
    await using fake = await Fake.start(routes, { before: first(1, status(14)) });
    using client = new Client(fake.target);
    await client.accounts.getAccount({}, { timeoutMs: 60_000 });
    assert.equal(fake.calls.length, 2);
    const left = /^(\d+)m$/.exec(String(fake.headers["grpc-timeout"]))?.[1];
    assert(Number(left) < 60_000 && Number(left) > 0, `${left} ms`);
  });

  await test("a call that is not answered ends at its deadline, and is not repeated", async () => {
    await using fake = await Fake.start(routes, { before: silent });
    using client = new Client(fake.target, { deadlineMs: 150 });
    await assert.rejects(client.accounts.getAccount({}), DeadlineExceeded);
    assert.equal(fake.calls.length, 1);
  });

  await test("a server that ends a call since its deadline has passed has not left it undone", async () => {
    const late: Before = (request) => {
      setTimeout(() => {
        request.stream.close(constants.NGHTTP2_CANCEL);
      }, 140);
      return true;
    };
    await using fake = await Fake.start(routes, { before: late });
    using client = new Client(fake.target, { deadlineMs: 150 });
    await assert.rejects(client.accounts.signIn({}));
    assert.equal(fake.calls.length, 1);
  });
});
