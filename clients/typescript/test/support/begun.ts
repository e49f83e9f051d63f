/** Verifiers that a test has begun, and waiting for what they do. */

import { setImmediate as turn } from "node:timers/promises";

import { Verifier } from "../../dist/index.js";
import type { VerifierOptions } from "../../dist/index.js";
import { Fake } from "./fake.js";
import { AUDIENCE, REALM, Twofold } from "./twofold.js";

export const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** A Twofold and a verifier of it, started and not waited for. */
export async function begun(options: Partial<VerifierOptions> = {}, twofold = new Twofold()) {
  const fake = await Fake.start(twofold.routes);
  const verifier = new Verifier(fake.target, {
    realmId: REALM,
    audience: AUDIENCE,
    silenceMs: 60_000,
    deadlineMs: 30_000,
    logger: QUIET,
    ...options,
  });
  verifier.start();
  return {
    twofold,
    verifier,
    fake,
    async [Symbol.asyncDispose]() {
      await verifier.close();
      await fake[Symbol.asyncDispose]();
    },
  };
}

/** Wait until a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await turn();
  }
}

export function throws(what: () => unknown, kind: new (...args: never[]) => Error): boolean {
  try {
    what();
    return false;
  } catch (error) {
    return error instanceof kind;
  }
}
