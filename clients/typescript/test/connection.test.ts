/** Where a client connects, and how it is secured. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import type { TLSSocket } from "node:tls";

import type { ConnectRouter } from "@connectrpc/connect";

import { Client, tlsFromFiles, Unavailable } from "../dist/index.js";
import type { TlsOptions } from "../dist/index.js";
import { requireSafeTarget } from "../dist/target.js";
import { AccountService } from "../dist/v1.js";
import { Authority } from "./support/certificates.js";
import { Fake } from "./support/fake.js";

const routes = (router: ConnectRouter) => {
  router.service(AccountService, { signIn: () => ({}) });
};

await suite("a target", async () => {
  await test("may be plain text on this machine", () => {
    const table: [string, object][] = [
      ["127.0.0.1:50051", { host: "127.0.0.1", port: 50051 }],
      ["127.8.9.10:1", { host: "127.8.9.10", port: 1 }],
      ["localhost:50051", { host: "localhost", port: 50051 }],
      ["LOCALHOST", { host: "LOCALHOST", port: 443 }],
      ["[::1]:50051", { host: "::1", port: 50051 }],
      ["dns:///localhost:1", { host: "localhost", port: 1 }],
      ["ipv4:127.0.0.1:1", { host: "127.0.0.1", port: 1 }],
      ["ipv6:[::1]:1", { host: "::1", port: 1 }],
      ["unix:/run/twofold", { path: "/run/twofold" }],
      ["unix:///run/twofold", { path: "/run/twofold" }],
      ["unix-abstract:twofold", { path: "\0twofold" }],
    ];
    for (const [target, address] of table) {
      assert.deepEqual(requireSafeTarget(target, false), address, target);
    }
  });

  await test("must be secured beyond it", () => {
    for (const target of [
      "auth.example.com:443",
      "10.0.0.1:443",
      "0.0.0.0:1",
      "[::]:1",
      "[2001:db8::1]:1",
      "localhost.example.com:1",
      "127.0.0.1.example.com:1",
      "127.1:1",
      "dns:///auth.example.com",
    ]) {
      assert.throws(() => new Client(target), /not a loopback address/, target);
      new Client(target, { tls: {} }).close();
    }
  });

  await test("must be one", () => {
    for (const target of ["", "a b", "https://auth.example.com", "a:b", "localhost:99999", "[1]:1", "a,b", "@"]) {
      assert.throws(() => new Client(target, { tls: {} }), TypeError, target);
    }
  });
});

await suite("TLS", async () => {
  const authority = new Authority();
  const { certificate: cert, key } = authority.issue("localhost", "127.0.0.1");
  const signIn = async (target: string, tls: TlsOptions) => {
    using client = new Client(target, { tls, retries: 0 });
    await client.accounts.signIn({});
  };

  await test("reaches a server whose certificate is the authority's, by name and by address", async () => {
    await using fake = await Fake.start(routes, { tls: { cert, key } });
    await signIn(fake.target, { rootCertificates: authority.certificate });
    await signIn(`localhost:${fake.port}`, { rootCertificates: authority.certificate });
    await signIn(fake.target, { rootCertificates: authority.certificate, serverName: "localhost" });
    await signIn(`localhost:${fake.port}`, { rootCertificates: authority.certificate, serverName: "127.0.0.1" });
    assert.equal(fake.calls.length, 4);
  });

  await test("sends nothing to a server that has not proven its name, whatever the environment says", async (t) => {
    await using fake = await Fake.start(routes, { tls: { cert, key } });
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    t.after(() => {
      if (before === undefined) {
        delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      } else {
        process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
      }
    });
    await assert.rejects(signIn(fake.target, {}), Unavailable);
    await assert.rejects(signIn(fake.target, { rootCertificates: new Authority().certificate }), Unavailable);
    for (const serverName of ["auth.example.com", "127.0.0.2"]) {
      await assert.rejects(signIn(fake.target, { rootCertificates: authority.certificate, serverName }), Unavailable);
    }
    assert.deepEqual(fake.calls, []);
  });

  await test("shows the client's own certificate, read from files", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "twofold-"));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const shop = authority.issue("shop.example.com");
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    let subject: unknown;
    await using fake = await Fake.start(routes, {
      tls: { cert, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: true },
      before: (request) => {
        subject = (request.stream.session?.socket as TLSSocket).getPeerCertificate().subject;
        return false;
      },
    });
    const rootCertificates = write("roots.pem", authority.certificate);
    const clientCertificate = write("shop.pem", shop.certificate);
    const clientKey = write("shop.key", shop.key);
    await signIn(fake.target, tlsFromFiles({ rootCertificates, clientCertificate, clientKey }));
    assert.equal((subject as { CN: string }).CN, "shop.example.com");
    await assert.rejects(signIn(fake.target, tlsFromFiles({ rootCertificates })), Unavailable);
    assert.equal(fake.calls.length, 1);
    assert.throws(() => tlsFromFiles({ rootCertificates: join(folder, "none") }), /ENOENT/);
  });
});
