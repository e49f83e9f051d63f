/** Protects Express apps, and whatever else takes middleware of the shape `(request, response, next)`. */

import type { IncomingMessage, ServerResponse } from "node:http";

import type { VerifiedSession } from "../verified.js";
import { challengeOf, Guard, RETRY_SECONDS } from "./guard.js";
import type { Checker, GuardOptions, Refusal } from "./guard.js";

export type { Checker, GuardOptions } from "./guard.js";

declare module "node:http" {
  interface IncomingMessage {
    /** Whose request it is, where `protect` has let it in with a token. */
    verifiedSession?: VerifiedSession;
  }
}

/** Middleware of Express, Connect (the older one) and the like. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Let a request through if its header `Authorization: Bearer` holds a good access token: `app.use(protect(verifier))`.
 *
 * What comes after finds the session as `request.verifiedSession`, or by `sessionOf(request)`. Others are answered 401
 * with WWW-Authenticate (RFC 6750, and RFC 9470 below `minAal`), or 503 while the verifier can't judge. `open` are
 * exact paths, from the root of the server, without their query.
 */
export function protect(checker: Checker, options: GuardOptions = {}): Middleware {
  const guard = new Guard(checker, options);
  return (request, response, next) => {
    if (guard.isOpen(pathOf(request))) {
      next();
      return;
    }
    void guard.admit(authorizationOf(request)).then((judged) => {
      if ("session" in judged) {
        request.verifiedSession = judged.session;
        next();
      } else if (!response.writableEnded) {
        const { headers, body } = answerTo(judged.refusal);
        response.writeHead(judged.refusal.httpStatus, headers).end(body);
      }
    });
  };
}

/** Whose request it is. Throws where `protect` has let none in with a token: what is open, or not behind it. */
export function sessionOf(request: IncomingMessage): VerifiedSession {
  if (request.verifiedSession === undefined) {
    throw new Error("There is no verified session: protect() does not guard this request.");
  }
  return request.verifiedSession;
}

/** The path of a request as it came, wherever a router is mounted. */
export function pathOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  const url = request.originalUrl ?? request.url ?? "";
  return url.split("?", 1)[0] ?? "";
}

/** All values of `authorization`: of several Node.js's own `headers` shows but the first. */
export function authorizationOf(request: IncomingMessage): string[] {
  return request.rawHeaders.filter((_, i, raw) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === "authorization");
}

/** The answer to a refused request. */
export function answerTo(refusal: Refusal): { headers: Record<string, string>; body: string } {
  const { error, reason, text: message } = refusal;
  const challenge = challengeOf(refusal);
  return {
    headers: {
      "content-type": "application/json",
      ...(challenge === undefined ? { "retry-after": String(RETRY_SECONDS) } : { "www-authenticate": challenge }),
    },
    body: JSON.stringify({ ...(error && { error }), ...(reason && { reason }), message }),
  };
}
