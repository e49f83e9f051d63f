/** Where a client connects: the target's spelling, and whether it may be plain text. */

import { BlockList, isIP, isIPv6 } from "node:net";

/** A host and port, or the path of a unix socket (abstract ones begin with a zero byte). */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

const HTTPS_PORT = 443;
const HOST_AND_PORT = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[0-9A-Za-z._-]+))(?::(?<port>\d{1,5}))?$/;
const SCHEMES = ["dns:///", "dns:", "ipv4:", "ipv6:"];

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Read a target: `auth.example.com:443`, `127.0.0.1:50051`, `unix:/run/twofold`. Throws TypeError for what is none. */
export function parseTarget(target: string): Address {
  if (target.startsWith("unix-abstract:")) {
    return { path: `\0${target.slice("unix-abstract:".length)}` };
  }
  if (target.startsWith("unix:")) {
    return { path: target.slice("unix:".length).replace(/^\/\/(?=\/)/, "") };
  }
  const scheme = SCHEMES.find((prefix) => target.startsWith(prefix)) ?? "";
  const { v6, host, port } = HOST_AND_PORT.exec(target.slice(scheme.length))?.groups ?? {};
  const name = v6 ?? host;
  if (name === undefined || (v6 !== undefined && !isIPv6(v6)) || Number(port ?? HTTPS_PORT) > 65_535) {
    throw new TypeError(`${JSON.stringify(target)} is not a target; give one such as auth.example.com:443`);
  }
  return { host: name, port: Number(port ?? HTTPS_PORT) };
}

/** Tell whether an address is on this machine: loopback, or a unix socket. */
export function isLocal(address: Address): boolean {
  if ("path" in address) {
    return true;
  }
  // RFC 6761: always this machine.
  if (address.host.toLowerCase() === "localhost") {
    return true;
  }
  const family = isIP(address.host);
  return family !== 0 && loopback.check(address.host, family === 6 ? "ipv6" : "ipv4");
}

/**
 * Read a target, and refuse one to which passwords and tokens would travel in the clear.
 *
 * Throws TypeError if there is neither TLS nor a loopback address or unix socket.
 */
export function requireSafeTarget(target: string, secured: boolean): Address {
  const address = parseTarget(target);
  if (!secured && !isLocal(address)) {
    throw new TypeError(
      `${JSON.stringify(target)} is not a loopback address or unix socket: passwords and tokens would cross the ` +
        "network in the clear, so the option tls is required (tls: {} trusts the authorities of Node.js)",
    );
  }
  return address;
}
