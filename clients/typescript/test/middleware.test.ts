/** The middleware: over HTTP by node:http, Express and Fastify, over gRPC by Connect and @grpc/grpc-js. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener } from "node:http";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { suite, test } from "node:test";

import type { ConnectRouter } from "@connectrpc/connect";
import express from "express";
import { fastify } from "fastify";

import {
  Client,
  PermissionDenied,
  SessionEnded,
  SessionExpired,
  Unauthenticated,
  Unavailable,
  VerifiedSession,
  VerifierNotReady,
} from "../dist/index.js";
import { protect as protectConnect, verifiedSession } from "../dist/middleware/connect.js";
import { protect as protectFastify, sessionOf as fastifySessionOf } from "../dist/middleware/fastify.js";
import { Guard } from "../dist/middleware/guard.js";
import type { Checker } from "../dist/middleware/guard.js";
import { protect, sessionOf } from "../dist/middleware/http.js";
import { ended, expired, invalid } from "../dist/verified.js";
import { AccountService, SessionService } from "../dist/v1.js";
import { Fake } from "./support/fake.js";
import { grpcJs } from "./support/grpc-js.js";

const session = (aal: number) =>
  new VerifiedSession({
    accountId: `account-${aal}`,
    sessionId: "session",
    realmId: "default",
    clientId: "web",
    audience: "billing",
    amr: ["pwd"],
    aal,
    authSeconds: 1,
    secondFactorSeconds: undefined,
    epoch: 1,
    expireSeconds: 2,
  });

/** Judges by the token's name. */
const checker: Checker = {
  check: (token) => {
    switch (token) {
      case "good":
        return Promise.resolve(session(1));
      case "strong":
        return Promise.resolve(session(2));
      case "old":
        return Promise.reject(expired());
      case "over":
        return Promise.reject(ended());
      case "silent":
        return Promise.reject(new VerifierNotReady({ code: "UNAVAILABLE" }));
      case "unknown-caller":
        return Promise.reject(new Unauthenticated({ code: "UNAUTHENTICATED", reason: "CALLER_UNKNOWN" }));
      case "broken":
        return Promise.reject(new Error("a fault"));
      default:
        return Promise.reject(invalid("signature wrong"));
    }
  },
};

interface Answer {
  readonly status: number;
  readonly challenge: string | undefined;
  readonly retryAfter: string | undefined;
  readonly body: Record<string, unknown>;
}

/** One GET with these values of `authorization`. */
async function get(port: number, path: string, ...authorization: string[]): Promise<Answer> {
  const headers = authorization.flatMap((value) => ["Authorization", value]);
  const sent = httpRequest({ host: "127.0.0.1", port, path, headers: ["Host", "localhost", ...headers], agent: false });
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
  return {
    status: response.statusCode ?? 0,
    challenge: response.headers["www-authenticate"],
    retryAfter: response.headers["retry-after"],
    body: JSON.parse(text) as Record<string, unknown>,
  };
}

async function listening(handle: RequestListener) {
  const server = createServer(handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, close: () => Promise.resolve(server.close()) };
}

/** The same app three times: /whoami is protected, /health open, /strong asks for a second factor. */
const apps = {
  "node:http": async () => {
    const guards = [protect(checker, { open: ["/health"] }), protect(checker, { minAal: 2 })] as const;
    return await listening((request, response) => {
      guards[request.url === "/strong" ? 1 : 0](request, response, () => {
        response.end(JSON.stringify({ account_id: request.verifiedSession?.accountId }));
      });
    });
  },
  express: async () => {
    const app = express();
    const router = express.Router();
    app.get("/strong", protect(checker, { minAal: 2 }), (request, response) => {
      response.json({ account_id: sessionOf(request).accountId });
    });
    router.use(protect(checker, { open: ["/health"] }));
    router.get("/health", (request, response) => {
      assert.throws(() => sessionOf(request), /no verified session/);
      response.json({});
    });
    router.get("/whoami", (request, response) => {
      response.json({ account_id: sessionOf(request).accountId });
    });
    app.use(router);
    return await listening(app);
  },
  fastify: async () => {
    const app = fastify();
    app.addHook("onRequest", async (request, reply) =>
      request.url === "/strong" ? protectFastify(checker, { minAal: 2 })(request, reply) : undefined,
    );
    app.addHook("onRequest", protectFastify(checker, { open: ["/health"] }));
    app.get("/health", () => ({}));
    app.get("/whoami", (request) => ({ account_id: fastifySessionOf(request.raw).accountId }));
    app.get("/strong", (request) => ({ account_id: request.raw.verifiedSession?.accountId }));
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { port: (app.server.address() as AddressInfo).port, close: () => app.close() };
  },
};

for (const [name, start] of Object.entries(apps)) {
  await suite(`${name} behind protect()`, async () => {
    const app = await start();
    const whoami = (...authorization: string[]) => get(app.port, "/whoami?a=b", ...authorization);

    await test("lets a good token in, and tells the handler whose it is", async () => {
      for (const spelled of ["Bearer good", "bearer  good "]) {
        const { status, body } = await whoami(spelled);
        assert.deepEqual([status, body], [200, { account_id: "account-1" }]);
      }
    });

    await test("asks for a token where there is none", async () => {
      for (const none of [[], ["Basic YTpi"], ["Bearer"], ["Bearer "]]) {
        const { status, challenge, body } = await whoami(...none);
        assert.deepEqual([status, challenge, body.reason], [401, "Bearer", "SESSION_REQUIRED"]);
      }
    });

    await test("says what is wrong with a token that is not good", async () => {
      for (const [token, reason] of [
        ["old", "SESSION_EXPIRED"],
        ["over", "SESSION_ENDED"],
        ["forged", "SESSION_INVALID"],
        ["good x", "SESSION_INVALID"],
      ]) {
        const { status, challenge, body } = await whoami(`Bearer ${token}`);
        assert.deepEqual([status, body.error, body.reason], [401, "invalid_token", reason]);
        assert.match(challenge ?? "", /^Bearer error="invalid_token", error_description="[ -!#-~]+"$/);
      }
    });

    await test("takes no request with two tokens", async () => {
      const { status, body } = await whoami("Bearer good", "Bearer forged");
      assert.deepEqual([status, body.reason], [401, "SESSION_INVALID"]);
    });

    await test("says nothing of a token while it can't be judged, whatever the fault", async () => {
      for (const token of ["silent", "unknown-caller", "broken"]) {
        const { status, challenge, retryAfter, body } = await whoami(`Bearer ${token}`);
        assert.deepEqual([status, challenge, retryAfter], [503, undefined, "1"]);
        assert.deepEqual(Object.keys(body), ["message"]);
      }
    });

    await test("leaves open what is open, by exactly that path", async () => {
      assert.equal((await get(app.port, "/health?x=1")).status, 200);
      for (const path of ["/health/", "/healthz", "//health", "/whoami?/health", "/x/../health"]) {
        assert.equal((await get(app.port, path)).status, 401, path);
      }
    });

    await test("asks for a second factor where it must", async () => {
      const { status, challenge } = await get(app.port, "/strong", "Bearer good");
      assert.equal(status, 401);
      assert.match(challenge ?? "", /error="insufficient_user_authentication"/);
      assert.deepEqual((await get(app.port, "/strong", "Bearer strong")).body, { account_id: "account-2" });
      await app.close();
    });
  });
}

const services = {
  Connect: async () => {
    const routes = (router: ConnectRouter) => {
      router.service(AccountService, {
        getAccount: (_, { values }) => ({ account: { email: values.get(verifiedSession)?.accountId ?? "nobody" } }),
      });
      router.service(SessionService, {
        async *watchRevocations(_, { values }) {
          yield await Promise.resolve({ resumeToken: values.get(verifiedSession)?.accountId ?? "nobody" });
        },
      });
    };
    const guard = protectConnect(checker, { open: ["/twofold.v1.AccountService/GetAccount"] });
    const strong = protectConnect(checker, { minAal: 2 });
    return {
      guarded: await Fake.start(routes, { interceptors: [guard] }),
      strong: await Fake.start(routes, { interceptors: [strong] }),
    };
  },
  "@grpc/grpc-js": async () => ({
    guarded: await grpcJs(checker, { open: ["/twofold.v1.AccountService/GetAccount"] }),
    strong: await grpcJs(checker, { minAal: 2 }),
  }),
};

for (const [name, start] of Object.entries(services)) {
  await suite(`${name} behind protect()`, async () => {
    const { guarded, strong } = await start();
    const streamed = async (target: string, credential?: string) => {
      using client = new Client(target, { credential, retries: 0 });
      for await (const { resumeToken } of client.sessions.watchRevocations({})) {
        return resumeToken;
      }
      return "";
    };
    const unary = async (target: string, credential?: string) => {
      using client = new Client(target, { credential, retries: 0 });
      return (await client.accounts.getAccount({})).account?.email;
    };

    await test("lets a good token in, and tells the handler whose it is", async () => {
      assert.equal(await streamed(guarded.target, "good"), "account-1");
      assert.equal(await unary(strong.target, "strong"), "account-2");
    });

    await test("refuses the rest, with reason and remedy", async () => {
      for (const [token, kind, reason] of [
        [undefined, Unauthenticated, "SESSION_REQUIRED"],
        ["old", SessionExpired, "SESSION_EXPIRED"],
        ["over", SessionEnded, "SESSION_ENDED"],
        ["forged", SessionEnded, "SESSION_INVALID"],
        ["good", PermissionDenied, ""],
        ["silent", Unavailable, ""],
        ["broken", Unavailable, ""],
      ] as const) {
        for (const call of [unary, streamed]) {
          await assert.rejects(
            call(strong.target, token),
            (error) =>
              error instanceof kind &&
              error.reason === reason &&
              error.retryAfterMs === (kind === Unavailable ? 1000 : undefined),
            token,
          );
        }
      }
    });

    await test("leaves open what is open", async () => {
      assert.equal(await unary(guarded.target), "nobody");
      await assert.rejects(streamed(guarded.target), Unauthenticated);
      await guarded[Symbol.asyncDispose]();
      await strong[Symbol.asyncDispose]();
    });
  });
}

await test("reads a long value in one pass: with each space looked at for each other, this test takes an hour", async () => {
  const guard = new Guard(checker, {});
  const spaces = " ".repeat(2 ** 20);
  for (const [value, reason] of [
    [`Bearer a${spaces}b`, "SESSION_INVALID"],
    [`Bearer a${spaces}\t`, "SESSION_INVALID"],
    [`Bearer${spaces}`, "SESSION_REQUIRED"],
  ] as const) {
    const judged = await guard.admit([value]);
    assert.equal("refusal" in judged && judged.refusal.reason, reason);
  }
});

await test("options that open nothing are refused", () => {
  assert.throws(() => protect(checker, { open: ["health"] }), TypeError);
  assert.throws(() => protect(checker, { minAal: 3 as never }), TypeError);
});
