/** Certificates of an authority of the test's own (X.509, RFC 5280), in DER written by hand: Node.js reads but makes none. */

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8 = 0x0c;
const GENERALIZED_TIME = 0x18;
const BOOLEAN = 0x01;
const COMMON_NAME = Buffer.from("0603550403", "hex");
const BASIC_CONSTRAINTS = Buffer.from("0603551d13", "hex");
const ALTERNATIVE_NAME = Buffer.from("0603551d11", "hex");
const ECDSA_WITH_SHA256 = Buffer.from("300a06082a8648ce3d040302", "hex");
const DAY_MS = 86_400_000;

/** A certificate and its key, PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export class Authority {
  readonly #name: string;
  readonly #keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  /** Its own certificate, PEM. */
  readonly certificate: string;

  constructor(name = "Test authority") {
    this.#name = name;
    const isAuthority = der(SEQUENCE, BASIC_CONSTRAINTS, der(BOOLEAN, Buffer.from([255])), octets(der(SEQUENCE, TRUE)));
    this.certificate = this.#certificate(name, this.#keys.publicKey, isAuthority);
  }

  /** Issue a certificate for names, and addresses of IPv4. */
  issue(...names: string[]): Identity {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const listed = names.map((name) =>
      /^[\d.]+$/.test(name) ? der(0x87, Buffer.from(name.split(".").map(Number))) : der(0x82, Buffer.from(name)),
    );
    const alternatives = der(SEQUENCE, ALTERNATIVE_NAME, octets(der(SEQUENCE, ...listed)));
    return {
      certificate: this.#certificate(names[0] ?? "", publicKey, alternatives),
      key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    };
  }

  #certificate(subject: string, publicKey: KeyObject, extension: Buffer): string {
    const now = Date.now();
    const body = der(
      SEQUENCE,
      der(0xa0, der(INTEGER, Buffer.from([2]))),
      der(INTEGER, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      ECDSA_WITH_SHA256,
      nameOf(this.#name),
      der(SEQUENCE, timeOf(now - DAY_MS), timeOf(now + DAY_MS)),
      nameOf(subject),
      publicKey.export({ format: "der", type: "spki" }),
      der(0xa3, der(SEQUENCE, extension)),
    );
    const signature = sign("sha256", body, this.#keys.privateKey);
    const whole = der(SEQUENCE, body, ECDSA_WITH_SHA256, der(BIT_STRING, Buffer.from([0]), signature));
    const lines = whole.toString("base64").replaceAll(/.{64}/g, "$&\n");
    return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  }
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const length =
    value.length < 128
      ? [value.length]
      : value.length < 256
        ? [0x81, value.length]
        : [0x82, value.length >> 8, value.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}

const TRUE = der(BOOLEAN, Buffer.from([255]));

function octets(value: Buffer): Buffer {
  return der(OCTET_STRING, value);
}

function nameOf(name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8, Buffer.from(name)))));
}

function timeOf(ms: number): Buffer {
  return der(GENERALIZED_TIME, Buffer.from(new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, "")));
}
