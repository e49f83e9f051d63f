/** A client's connection, and what became of each attempt to make a call on it. */

import { EventEmitter, once } from "node:events";
import { connect as connectTcp, isIPv6 } from "node:net";
import type { Socket } from "node:net";
import { constants } from "node:http2";
import type { ClientHttp2Stream, Http2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { connect as connectTls } from "node:tls";

import { Code, ConnectError } from "@connectrpc/connect";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { pause } from "./pauses.js";
import type { Trailers } from "./status.js";
import type { Address } from "./target.js";
import { connectionOptions } from "./tls.js";
import type { TlsOptions } from "./tls.js";

// Finds a connection that has gone silent while calls wait on it; an idle one is not pinged, so no server minds.
const PING_INTERVAL_MS = 30_000;
const PING_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 3_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
const MAX_RECEIVED_BYTES = 4 * 1024 * 1024;

type SessionManager = NonNullable<Parameters<typeof createGrpcTransport>[0]["sessionManager"]>;

/** A connection to one address; it connects on use, and again when it was lost. */
export class Connection {
  readonly #sessions: Http2SessionManager;

  constructor(address: Address, tls: TlsOptions | undefined) {
    const host = "path" in address ? "localhost" : isIPv6(address.host) ? `[${address.host}]` : address.host;
    const url = `${tls ? "https" : "http"}://${host}${"path" in address ? "" : `:${address.port}`}`;
    const secure = tls && connectionOptions(tls, "path" in address ? "localhost" : address.host);
    this.#sessions = new Http2SessionManager(
      url,
      { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS },
      // A socket of its own making: no proxy of the environment, and no wait of minutes for one that does not answer.
      { createConnection: () => bounded(secure ? connectTls({ ...address, ...secure }) : connectTcp(address), secure) },
    );
  }

  /** Begin one attempt to make a call. */
  attempt(): Attempt {
    return new Attempt(this.#sessions);
  }

  /** Return once connected; tries on until the signal is aborted, and then throws its reason. */
  async ready(signal: AbortSignal): Promise<void> {
    for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(2 * longest, LONGEST_PAUSE_MS)) {
      const aborted = signal.aborted ? undefined : once(signal, "abort");
      const state = await Promise.race([this.#sessions.connect(), aborted]);
      signal.throwIfAborted();
      if (state !== "error") {
        // No public way leads to a connection that no call was made on.
        shield((this.#sessions as unknown as { readonly s?: { readonly conn?: unknown } }).s?.conn);
        return;
      }
      await pause(longest * (0.5 + Math.random() / 2), signal).catch(() => undefined);
    }
  }

  /** Why the last try to connect failed. */
  get error(): unknown {
    return this.#sessions.error();
  }

  /** End the connection and what is under way on it. */
  close(): void {
    this.#sessions.abort(new ConnectError("closed", Code.Canceled));
  }
}

const shielded = new WeakSet<EventEmitter>();

/**
 * Connect destroys a connection on GOAWAY, and listens to it no more once it makes another or is closed: the error that
 * comes afterwards would end the process.
 */
function shield(session: unknown): void {
  if (session instanceof EventEmitter && !shielded.has(session as EventEmitter)) {
    shielded.add(session as EventEmitter);
    session.on("error", () => undefined);
  }
}

function bounded(socket: Socket, secure: unknown): Socket {
  const timer = setTimeout(() => {
    socket.destroy(new ConnectError(`no connection within ${CONNECT_TIMEOUT_MS} ms`, Code.Unavailable));
  }, CONNECT_TIMEOUT_MS);
  socket.setNoDelay(true);
  socket.once(secure ? "secureConnect" : "connect", () => {
    clearTimeout(timer);
  });
  socket.once("close", () => {
    clearTimeout(timer);
  });
  return socket;
}

/** How an attempt ended that no status came back for. */
export type Fate =
  /** No server has looked at it. */
  | "refused"
  /** The server ended the stream. */
  | "cancelled"
  /** There was no connection, or it broke. */
  | "lost"
  /** In another way. */
  | "other";

/**
 * One attempt to make a call.
 *
 * Connect tells a stream that the server has cancelled and one whose connection broke by the same code, though of the
 * first nothing was done, and of the second maybe all. So it is looked at here.
 */
export class Attempt implements SessionManager {
  readonly authority: string;
  readonly transport: Transport;
  readonly #sessions: Http2SessionManager;
  #session: Http2Session | undefined;
  #stream: ClientHttp2Stream | undefined;
  #trailers: Trailers | undefined;
  #broken = false;

  constructor(sessions: Http2SessionManager) {
    this.#sessions = sessions;
    this.authority = sessions.authority;
    this.transport = createGrpcTransport({
      baseUrl: sessions.authority,
      sessionManager: this,
      acceptCompression: [],
      readMaxBytes: MAX_RECEIVED_BYTES,
    });
  }

  /** The status that came back, with all that came with it. */
  get trailers(): Trailers | undefined {
    return this.#trailers;
  }

  get fate(): Fate {
    if (this.#stream === undefined || this.#session === undefined) {
      return "lost";
    }
    if (this.#stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
      return "refused";
    }
    if (this.#stream.closed ? this.#broken : this.#session.destroyed) {
      return "lost";
    }
    return this.#stream.rstCode === constants.NGHTTP2_CANCEL ? "cancelled" : "other";
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: object,
  ): Promise<ClientHttp2Stream> {
    const stream = await this.#sessions.request(method, path, headers, options);
    this.#stream = stream;
    const session = stream.session;
    this.#session = session;
    shield(session);
    const take = (received: IncomingHttpHeaders) => {
      if ("grpc-status" in received) {
        this.#trailers = Object.fromEntries(Object.entries(received).map(([name, value]) => [name, String(value)]));
      }
    };
    stream.once("response", take);
    stream.once("trailers", take);
    // Now, not later: a connection that only drains goes with its last stream.
    stream.once("close", () => {
      this.#broken = session?.destroyed ?? true;
    });
    return stream;
  }

  notifyResponseByteRead(stream: ClientHttp2Stream): void {
    this.#sessions.notifyResponseByteRead(stream);
  }
}
