/** Protects Fastify apps. */

import type { IncomingMessage } from "node:http";

import { Guard } from "./guard.js";
import type { Checker, GuardOptions } from "./guard.js";
import { answerTo, authorizationOf, pathOf } from "./http.js";

export type { Checker, GuardOptions } from "./guard.js";
export { sessionOf } from "./http.js";

/** What is needed of Fastify's request. */
interface Request {
  readonly raw: IncomingMessage;
}

/** What is needed of Fastify's reply. */
interface Reply {
  code(status: number): Reply;
  headers(headers: Record<string, string>): Reply;
  send(body: string): unknown;
}

/**
 * Let a request through if its header `Authorization: Bearer` holds a good access token:
 * `app.addHook("onRequest", protect(verifier))`.
 *
 * Handlers find the session as `request.raw.verifiedSession`, or by `sessionOf(request.raw)`. Others are answered as by
 * the middleware of `@twofold/client/http`; `open` are exact paths without their query.
 */
export function protect(
  checker: Checker,
  options: GuardOptions = {},
): (request: Request, reply: Reply) => Promise<unknown> {
  const guard = new Guard(checker, options);
  return async (request, reply) => {
    if (guard.isOpen(pathOf(request.raw))) {
      return undefined;
    }
    const judged = await guard.admit(authorizationOf(request.raw));
    if ("session" in judged) {
      request.raw.verifiedSession = judged.session;
      return undefined;
    }
    const { headers, body } = answerTo(judged.refusal);
    return reply.code(judged.refusal.httpStatus).headers(headers).send(body);
  };
}
