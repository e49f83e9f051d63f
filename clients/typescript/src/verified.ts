/** What a verified access token says, and the errors of one that is not. */

import { SessionEnded, SessionExpired, VerifierNotReady } from "./errors.js";

/** What a token says, times in seconds since 1970. */
export interface Facts {
  readonly accountId: string;
  readonly sessionId: string;
  readonly realmId: string;
  readonly clientId: string;
  readonly audience: string;
  readonly amr: readonly string[];
  readonly aal: number;
  readonly authSeconds: number;
  readonly secondFactorSeconds: number | undefined;
  readonly epoch: number;
  readonly expireSeconds: number;
}

/** Who is signed in, and how that was proven. It can't be changed, and holds no token. */
export class VerifiedSession {
  /** The account; UUID. */
  readonly accountId: string;
  /** The session, as listSessions names it; UUID. */
  readonly sessionId: string;
  /** The realm of the account. */
  readonly realmId: string;
  /** The calling service that the token was issued to. */
  readonly clientId: string;
  /** Who the token was issued for: the Verifier's own audience. */
  readonly audience: string;
  /** How the user proved who they are (RFC 8176): `pwd`, `otp`, `mfa`, and `backup` for a backup code. */
  readonly amr: readonly string[];
  /** Authenticator assurance level (NIST SP 800-63B): 1, or 2 with a second factor proven. */
  readonly aal: number;
  /** The account's epoch when the session was made or carried over. */
  readonly epoch: number;
  readonly #authMs: number;
  readonly #secondFactorMs: number | undefined;
  readonly #expireMs: number;

  constructor(facts: Facts) {
    this.accountId = facts.accountId;
    this.sessionId = facts.sessionId;
    this.realmId = facts.realmId;
    this.clientId = facts.clientId;
    this.audience = facts.audience;
    this.amr = Object.freeze(facts.amr);
    this.aal = facts.aal;
    this.epoch = facts.epoch;
    this.#authMs = facts.authSeconds * 1000;
    this.#secondFactorMs = facts.secondFactorSeconds === undefined ? undefined : facts.secondFactorSeconds * 1000;
    this.#expireMs = facts.expireSeconds * 1000;
    // Every request with the same token gets this same object.
    Object.freeze(this);
  }

  /** When the user last proved the first factor. */
  get authTime(): Date {
    return new Date(this.#authMs);
  }

  /** When the user last proved a second factor in this session; undefined if never. */
  get secondFactorTime(): Date | undefined {
    return this.#secondFactorMs === undefined ? undefined : new Date(this.#secondFactorMs);
  }

  /** When the access token expires; the session may live on. */
  get expireTime(): Date {
    return new Date(this.#expireMs);
  }
}

/** The token names a key that is not in the set that is held. */
export class UnknownKey extends Error {
  override readonly name = "UnknownKey";

  constructor(readonly kid: string) {
    super("unknown key");
  }
}

/** The token is not to be trusted; the text is fixed and quotes nothing of it. */
export class BadToken extends Error {
  override readonly name = "BadToken";
}

/** The token was good in everything and has expired. */
export class ExpiredToken extends Error {
  override readonly name = "ExpiredToken";
}

/** Give the error of a token that is not to be trusted. */
export function invalid(why: string): SessionEnded {
  const rawMessage = `The access token is not valid: ${why}.`;
  return new SessionEnded({ code: "UNAUTHENTICATED", reason: "SESSION_INVALID", rawMessage });
}

/** Give the error of a good token that is too old. */
export function expired(): SessionExpired {
  const rawMessage = "The access token has expired.";
  return new SessionExpired({ code: "UNAUTHENTICATED", reason: "SESSION_EXPIRED", rawMessage });
}

/** Give the error of a good token that is revoked. */
export function ended(): SessionEnded {
  return new SessionEnded({ code: "UNAUTHENTICATED", reason: "SESSION_ENDED", rawMessage: "The session is over." });
}

/** Give the error of a verifier that can't judge now. */
export function notReady(rawMessage: string, cause?: unknown): VerifierNotReady {
  return new VerifierNotReady({ code: "UNAVAILABLE", rawMessage, cause });
}
