/** The client. */

import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  Message,
  MessageInitShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

import { Attempts, closed, errorOf, notConnected, Policy, requestOf, wireTimeout } from "./calls.js";
import type { CallOptions } from "./calls.js";
import { Connection } from "./connection.js";
import { DeadlineExceeded, TwofoldError } from "./errors.js";
import { AccountService } from "./gen/twofold/v1/account_pb.js";
import { RecoveryService } from "./gen/twofold/v1/recovery_pb.js";
import { SessionService } from "./gen/twofold/v1/session_pb.js";
import { SupportService } from "./gen/twofold/v1/support_pb.js";
import { TwoFactorService } from "./gen/twofold/v1/two_factor_pb.js";
import { defaultLogger } from "./logging.js";
import type { Logger } from "./logging.js";
import { methodsOf } from "./methods.js";
import type { Methods } from "./methods.js";
import { pause, requireMs, within } from "./pauses.js";
import { requireSafeTarget } from "./target.js";
import type { TlsOptions } from "./tls.js";

/** How to connect, and what calls have in common. */
export interface ClientOptions {
  /** The calling service's own credential, as `twofold-server caller add` printed it. */
  readonly credential?: string | undefined;
  /** How the connection is secured; `{}` trusts the authorities of Node.js. Needed beyond loopback and unix sockets. */
  readonly tls?: TlsOptions | undefined;
  /** Milliseconds of a call that names no `timeoutMs`; 5,000. */
  readonly deadlineMs?: number | undefined;
  /** How often a call is repeated at most, where the contract allows it; 3. */
  readonly retries?: number | undefined;
  /** A call made while there is no connection waits for one, within its deadline, instead of failing; off. */
  readonly waitForReady?: boolean | undefined;
  /** Stands before the client's own, such as `shop/2.1`. */
  readonly userAgent?: string | undefined;
  /** Takes what is said of repeats and reconnecting. Unset: warnings go to standard error. */
  readonly logger?: Logger | undefined;
}

/**
 * Calls a Twofold service: `await client.accounts.signIn({ ... }, { session, timeoutMs })`.
 *
 * It connects on first use, and serves any number of calls at once. It keeps the process alive while calls are under
 * way, and not otherwise.
 */
export class Client {
  /** AccountService. */
  readonly accounts: Methods<typeof AccountService>;
  /** TwoFactorService. */
  readonly twoFactor: Methods<typeof TwoFactorService>;
  /** SessionService. */
  readonly sessions: Methods<typeof SessionService>;
  /** RecoveryService. */
  readonly recovery: Methods<typeof RecoveryService>;
  /** SupportService. */
  readonly support: Methods<typeof SupportService>;

  readonly #target: string;
  readonly #policy: Policy;
  readonly #connection: Connection;
  readonly #waitForReady: boolean;
  readonly #log: Logger;
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  /**
   * Prepare a client of `target`: `auth.example.com:443`, `127.0.0.1:50051` or `unix:/run/twofold`.
   *
   * Throws TypeError where a value makes no sense, and for plain text beyond loopback.
   */
  constructor(target: string, options: ClientOptions = {}) {
    const address = requireSafeTarget(target, options.tls !== undefined);
    this.#target = target;
    this.#policy = new Policy(
      options.credential,
      options.deadlineMs ?? 5_000,
      options.retries ?? 3,
      options.userAgent ?? "",
    );
    this.#connection = new Connection(address, options.tls);
    this.#waitForReady = options.waitForReady ?? false;
    this.#log = options.logger ?? defaultLogger;
    const service = <S extends Parameters<typeof methodsOf>[0]>(descriptor: S) =>
      methodsOf<S>(
        descriptor,
        (method, request, call) => this.#invoke(method as DescMethodUnary, request, call),
        (method, request, call) => this.#stream(method as DescMethodServerStreaming, request, call),
      );
    this.accounts = service(AccountService);
    this.twoFactor = service(TwoFactorService);
    this.sessions = service(SessionService);
    this.recovery = service(RecoveryService);
    this.support = service(SupportService);
  }

  /** Connect, and return once connected. Throws Unavailable after so long (unset: the client's deadline). */
  async waitReady(timeoutMs: number = this.#policy.deadlineMs): Promise<void> {
    requireMs("timeoutMs", timeoutMs);
    await this.#during(undefined, async (signal, controller) => {
      await within(this.#connection.ready(signal), timeoutMs, signal, () => {
        controller.abort(cancelled());
        return notConnected(this.#target, timeoutMs, this.#connection.error);
      });
    });
  }

  /** Close the connection; calls under way end with Unavailable. The process can then exit. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#underWay) {
      controller.abort(cancelled());
    }
    this.#connection.close();
  }

  /** The same as `close`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #invoke(method: DescMethodUnary, init: MessageInitShape<DescMessage>, options: CallOptions): Promise<Message> {
    const request = requestOf(method, init);
    const headers = this.#policy.headers(options);
    const attempts = new Attempts(method, this.#policy, this.#log, options.timeoutMs);
    return await this.#during(options.signal, async (signal, controller) => {
      for (;;) {
        if (this.#waitForReady) {
          await this.#ready(attempts.msLeft, signal, controller);
        }
        const attempt = this.#connection.attempt();
        try {
          const timeoutMs = wireTimeout(attempts.msLeft);
          return (await attempt.transport.unary(method, signal, timeoutMs, headers, request)).message;
        } catch (cause) {
          signal.throwIfAborted();
          const { error, pauseMs } = attempts.after(attempt, cause);
          if (pauseMs === undefined) {
            throw error;
          }
          await pause(pauseMs, signal);
        }
      }
    });
  }

  async *#stream(
    method: DescMethodServerStreaming,
    init: MessageInitShape<DescMessage>,
    options: CallOptions,
  ): AsyncGenerator<Message, void, undefined> {
    const request = requestOf(method, init);
    const headers = this.#policy.headers(options);
    const timeoutMs = options.timeoutMs === undefined ? undefined : requireMs("timeoutMs", options.timeoutMs);
    const { controller, end, reasonOf } = this.#begin(options.signal);
    const attempt = this.#connection.attempt();
    try {
      if (this.#waitForReady) {
        await this.#ready(timeoutMs ?? Number.MAX_SAFE_INTEGER, controller.signal, controller);
      }
      const { message } = await attempt.transport.stream(
        method,
        controller.signal,
        timeoutMs === undefined ? undefined : wireTimeout(timeoutMs),
        headers,
        only(request),
      );
      yield* received(message);
    } catch (cause) {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- a signal's reason is its owner's
      throw reasonOf() ?? (cause instanceof TwofoldError ? cause : errorOf(attempt, cause, false));
    } finally {
      end();
      controller.abort(cancelled());
    }
  }

  async #ready(ms: number, signal: AbortSignal, controller: AbortController): Promise<void> {
    await within(this.#connection.ready(signal), ms, signal, () => {
      controller.abort(cancelled());
      const cause = this.#connection.error;
      return new DeadlineExceeded({
        code: "DEADLINE_EXCEEDED",
        rawMessage: `No connection to ${this.#target}.`,
        cause,
      });
    });
  }

  async #during<T>(
    caller: AbortSignal | undefined,
    work: (signal: AbortSignal, controller: AbortController) => Promise<T>,
  ): Promise<T> {
    const { controller, end, reasonOf } = this.#begin(caller);
    try {
      return await work(controller.signal, controller);
    } catch (error) {
      throw error instanceof TwofoldError ? error : (reasonOf() ?? error);
    } finally {
      end();
    }
  }

  /** One signal for what may end a call from this side: its caller, and `close`. */
  #begin(caller: AbortSignal | undefined) {
    if (this.#closed) {
      throw closed();
    }
    caller?.throwIfAborted();
    const controller = new AbortController();
    const cancel = () => {
      controller.abort(cancelled());
    };
    caller?.addEventListener("abort", cancel, { once: true });
    this.#underWay.add(controller);
    return {
      controller,
      end: () => {
        caller?.removeEventListener("abort", cancel);
        this.#underWay.delete(controller);
      },
      reasonOf: (): unknown => {
        if (caller?.aborted) {
          return caller.reason;
        }
        return this.#closed ? closed() : undefined;
      },
    };
  }
}

function cancelled(): ConnectError {
  // Of this code, so that the stream is reset with CANCEL.
  return new ConnectError("cancelled", Code.Canceled);
}

// eslint-disable-next-line @typescript-eslint/require-await -- Connect takes nothing but asynchronous iterables
async function* only<T>(message: T): AsyncGenerator<T, void, undefined> {
  yield message;
}

/** Connect's own iterables have no `return`, so they are not delegated to. */
async function* received<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  for await (const message of messages) {
    yield message;
  }
}
