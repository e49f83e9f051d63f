/** What a runner is told; see clients/scenario/README.md. */

import { readFileSync } from "node:fs";

import { tlsFromFiles } from "../../dist/index.js";
import type { ClientOptions } from "../../dist/index.js";

export interface Config {
  readonly target: string;
  readonly credential: string | null;
  readonly root_certificates: string | null;
  readonly client_certificate: string | null;
  readonly client_key: string | null;
  readonly realm_id: string;
  readonly audience: string;
  readonly helper: string;
  readonly story: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

export function readConfig(path: string): Config {
  return JSON.parse(readFileSync(path, "utf8")) as Config;
}

/** How to connect as the config says. */
export function connectionOf(config: Config): Pick<ClientOptions, "credential" | "tls"> {
  return {
    credential: config.credential ?? undefined,
    tls: config.root_certificates
      ? tlsFromFiles({
          rootCertificates: config.root_certificates,
          clientCertificate: config.client_certificate ?? undefined,
          clientKey: config.client_key ?? undefined,
        })
      : undefined,
  };
}
