/** What the middleware of every transport shares: whose request it is, and how one is refused. */

import { SessionEnded } from "../errors.js";
import type { VerifiedSession } from "../verified.js";

/** What a client is asked to wait while the verifier can't judge: it reconnects with pauses of at most 2 s. */
export const RETRY_SECONDS = 1;

// What is neither scheme nor token is cut off first: matched by the same expression, a header of spaces would take a time
// that grows with the square of its length.
const BEARER = /^bearer +(.+)$/i;

/** What judges tokens: a Verifier, or a double of one in tests. */
export interface Checker {
  check(token: string): Promise<VerifiedSession>;
}

/** What a middleware asks for. */
export interface GuardOptions {
  /** The authenticator assurance level that a session must have: 2 asks for a second factor; 1. */
  readonly minAal?: 1 | 2 | undefined;
  /** What needs no token: exact paths such as `/healthz`, or gRPC methods such as `/grpc.health.v1.Health/Check`. */
  readonly open?: readonly string[] | undefined;
}

/** Why a request is not let through. Its texts are fixed: nothing of the request, and nothing from elsewhere. */
export interface Refusal {
  readonly code: "UNAUTHENTICATED" | "PERMISSION_DENIED" | "UNAVAILABLE";
  readonly httpStatus: 401 | 503;
  /** Why, in English; printable ASCII without quotes. */
  readonly text: string;
  /** The name of the `ErrorReason` without its prefix; empty if there is none. */
  readonly reason: string;
  /** The error code of RFC 6750 or RFC 9470; empty where no token was presented, or nothing is said of it. */
  readonly error: string;
}

/** The rules of one middleware. Throws TypeError where an option makes no sense. */
export class Guard {
  readonly #checker: Checker;
  readonly #minAal: number;
  readonly #open: ReadonlySet<string>;

  constructor(checker: Checker, options: GuardOptions) {
    const { minAal = 1, open = [] } = options;
    if (![1, 2].includes(minAal)) {
      throw new TypeError("minAal is 1, or 2 for sessions with a second factor");
    }
    const misnamed = open.find((name) => !/^\/[!-~]*$/.test(name));
    if (misnamed !== undefined) {
      throw new TypeError(`${JSON.stringify(misnamed)} opens nothing: a path or method begins with a slash`);
    }
    this.#checker = checker;
    this.#minAal = minAal;
    this.#open = new Set(open);
  }

  /** Say whether a path or method needs no token. */
  isOpen(name: string): boolean {
    return this.#open.has(name);
  }

  /** Judge a request by the values of its `authorization`: its session, or why it is refused. Never throws. */
  async admit(authorization: readonly string[]): Promise<{ session: VerifiedSession } | { refusal: Refusal }> {
    // Which one counts must not depend on who reads them: another part of the service may read the other.
    if (authorization.length > 1) {
      return { refusal: invalid("There is more than one authorization.") };
    }
    const token = BEARER.exec((authorization[0] ?? "").trim())?.[1]?.trim();
    if (token === undefined) {
      const text = "An access token is required.";
      return {
        refusal: { code: "UNAUTHENTICATED", httpStatus: 401, text, reason: "SESSION_REQUIRED", error: "" },
      };
    }
    let session: VerifiedSession;
    try {
      session = await this.#checker.check(token);
    } catch (error) {
      return { refusal: refusalOf(error) };
    }
    if (session.aal < this.#minAal) {
      const text = "A second factor is needed in this session.";
      const error = "insufficient_user_authentication";
      return { refusal: { code: "PERMISSION_DENIED", httpStatus: 401, text, reason: "", error } };
    }
    return { session };
  }
}

/** The value of `WWW-Authenticate`; undefined where there is nothing to challenge for. */
export function challengeOf(refusal: Refusal): string | undefined {
  if (refusal.code === "UNAVAILABLE") {
    return undefined;
  }
  return refusal.error === "" ? "Bearer" : `Bearer error="${refusal.error}", error_description="${refusal.text}"`;
}

/** What is not about the token, this service's own credential among it, is no word on the token. */
function refusalOf(error: unknown): Refusal {
  if (!(error instanceof SessionEnded)) {
    const text = "Access tokens can't be checked now.";
    return { code: "UNAVAILABLE", httpStatus: 503, text, reason: "", error: "" };
  }
  switch (error.reason) {
    case "SESSION_EXPIRED":
      return invalid("The access token has expired.", "SESSION_EXPIRED");
    case "SESSION_ENDED":
      return invalid("The session is over.", "SESSION_ENDED");
    default:
      return invalid("The access token is not valid.");
  }
}

function invalid(text: string, reason = "SESSION_INVALID"): Refusal {
  return { code: "UNAUTHENTICATED", httpStatus: 401, text, reason, error: "invalid_token" };
}
