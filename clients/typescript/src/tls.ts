/** How a connection is secured. */

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { ConnectionOptions } from "node:tls";

/** Certificates and key are PEM. `{}` trusts the authorities that Node.js ships with. */
export interface TlsOptions {
  /** The authorities that the server's certificate may come from. Unset: those that Node.js ships with. */
  readonly rootCertificates?: string | Buffer | undefined;
  /** This service's own certificate chain, where the server knows its callers by certificate (mutual TLS). */
  readonly clientCertificate?: string | Buffer | undefined;
  /** The private key of that certificate. */
  readonly clientKey?: string | Buffer | undefined;
  /** The name that the server's certificate must carry. Unset: the host of the target. */
  readonly serverName?: string | undefined;
}

/** Paths of PEM files, and a name. */
export interface TlsFiles {
  readonly rootCertificates?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly serverName?: string | undefined;
}

/** Read TlsOptions from PEM files. Throws where one can't be read. */
export function tlsFromFiles(files: TlsFiles): TlsOptions {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  return {
    rootCertificates: read(files.rootCertificates),
    clientCertificate: read(files.clientCertificate),
    clientKey: read(files.clientKey),
    serverName: files.serverName,
  };
}

/** Give the same as node:tls takes it. Throws TypeError if only one of client certificate and key is given. */
export function connectionOptions(tls: TlsOptions, host: string): ConnectionOptions {
  if ((tls.clientCertificate === undefined) !== (tls.clientKey === undefined)) {
    throw new TypeError("a client certificate and its key are given together or not at all");
  }
  const name = tls.serverName ?? host;
  return {
    ALPNProtocols: ["h2"],
    // Whatever NODE_TLS_REJECT_UNAUTHORIZED says: a token goes to nobody who has not proven who they are.
    rejectUnauthorized: true,
    ...(tls.rootCertificates !== undefined && { ca: tls.rootCertificates }),
    ...(tls.clientCertificate !== undefined && { cert: tls.clientCertificate }),
    ...(tls.clientKey !== undefined && { key: tls.clientKey }),
    // An address is no name to ask for (RFC 6066); it is compared with the certificate's addresses.
    ...(isIP(name) === 0 && { servername: name }),
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
  };
}
