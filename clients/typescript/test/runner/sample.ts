/** The protected sample: an app of node:http, protected by one line. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Verifier } from "../../dist/index.js";
import { protect, sessionOf } from "../../dist/middleware/http.js";
import { connectionOf } from "./config.js";
import type { Config } from "./config.js";

/** Serve it until SIGTERM. */
export async function sample(config: Config): Promise<void> {
  const { realm_id: realmId, audience } = config;
  await using verifier = await Verifier.open(config.target, { realmId, audience, ...connectionOf(config) });
  const protection = protect(verifier);
  const server = createServer((request, response) => {
    protection(request, response, () => {
      if (request.url !== "/whoami") {
        response.writeHead(404).end();
        return;
      }
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ account_id: sessionOf(request).accountId }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const ending = once(process, "SIGTERM");
  console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
  await ending;
  server.close();
  server.closeAllConnections();
}
