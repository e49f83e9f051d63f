/** When a verifier tries again, and what is said of its failures. */

import { DeadlineExceeded, InternalError, ResourceExhausted, TwofoldError, Unavailable } from "./errors.js";
import type { Logger } from "./logging.js";

const FIRST_MS = 100;
// Well below the silence that a verifier bears.
const LONGEST_MS = 2_000;
const PASSING = [Unavailable, DeadlineExceeded, InternalError, ResourceExhausted];

/** The tries to do one thing: how long to wait before the next, and the last failure. */
export class Tries {
  readonly #what: string;
  readonly #log: Logger;
  #failed = 0;
  /** Why the last one failed; undefined once one has succeeded. */
  error: unknown;

  constructor(what: string, log: Logger) {
    this.#what = what;
    this.#log = log;
  }

  /** Forget what failed before. */
  succeeded(): void {
    if (this.#failed > 1) {
      this.#log.info(`twofold: ${this.#what}: well again`);
    }
    this.#failed = 0;
    this.error = undefined;
  }

  /** Note a failure; give the milliseconds to wait: none where a server only asked to be left, else with jitter. */
  failed(error: unknown): number {
    this.#failed += 1;
    this.error = error;
    if (this.#failed === 1 && error instanceof TwofoldError && error.reason === "SERVER_DRAINING") {
      this.#log.debug(`twofold: ${this.#what}: the server is stopping`);
      return 0;
    }
    const longest = Math.min(FIRST_MS * 2 ** Math.min(this.#failed - 1, 8), LONGEST_MS);
    const asked = (error instanceof TwofoldError ? error.retryAfterMs : undefined) ?? 0;
    // Where all verifiers lost the same server, they must not come back all at once.
    const pauseMs = Math.max(longest, Math.min(asked, LONGEST_MS)) * (0.5 + Math.random() / 2);
    const why = error instanceof Error ? error.message : "failed";
    const line = `twofold: ${this.#what}: ${why}; again in ${Math.round(pauseMs)} ms`;
    // The first of a row is nothing unusual: connections end by age.
    if (this.#failed === 2) {
      this.#log.warn(line);
    } else {
      this.#log.debug(line);
    }
    return pauseMs;
  }

  /** The last failure, if it is one that waiting does not mend. */
  get refusal(): Error | undefined {
    const { error } = this;
    const lasting =
      error instanceof TypeError || (error instanceof TwofoldError && !PASSING.some((kind) => error instanceof kind));
    return lasting ? error : undefined;
  }
}
