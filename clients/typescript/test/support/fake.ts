/** A server of the contract in the process, and what a test does to its calls. */

import { once } from "node:events";
import { constants, createSecureServer, createServer } from "node:http2";
import type {
  Http2SecureServer,
  Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  SecureServerOptions,
  ServerHttp2Session,
} from "node:http2";
import type { AddressInfo } from "node:net";

import { Code, ConnectError } from "@connectrpc/connect";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

import { ErrorInfoSchema, RetryInfoSchema } from "../../dist/gen/google/rpc/details_pb.js";

/** What stands before the services: true, and it has answered the call itself. */
export type Before = (request: Http2ServerRequest, response: Http2ServerResponse, count: number) => boolean;

export interface FakeOptions {
  readonly before?: Before;
  readonly interceptors?: Interceptor[];
  readonly tls?: SecureServerOptions;
  readonly port?: number;
}

export class Fake implements AsyncDisposable {
  /** The calls that came, by method, such as `SignIn`. */
  readonly calls: string[] = [];
  /** The headers of the last call. */
  headers: Http2ServerRequest["headers"] = {};
  readonly #server: Http2Server | Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();

  private constructor(routes: (router: ConnectRouter) => void, options: FakeOptions) {
    const serve = connectNodeAdapter({ routes, interceptors: options.interceptors ?? [] });
    const handle = (request: Http2ServerRequest, response: Http2ServerResponse) => {
      request.stream.on("error", () => undefined);
      this.calls.push(request.url.split("/").at(-1) ?? "");
      this.headers = request.headers;
      if (!options.before?.(request, response, this.calls.length)) {
        serve(request, response);
      }
    };
    this.#server = options.tls ? createSecureServer(options.tls, handle) : createServer(handle);
    this.#server.on("session", (session: ServerHttp2Session) => {
      session.on("error", () => undefined);
      session.once("close", () => this.#sessions.delete(session));
      this.#sessions.add(session);
    });
  }

  static async start(routes: (router: ConnectRouter) => void, options: FakeOptions = {}): Promise<Fake> {
    const fake = new Fake(routes, options);
    fake.#server.listen(options.port ?? 0, "127.0.0.1");
    await once(fake.#server, "listening");
    return fake;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get target(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Tell all clients to leave, and wait until it is sent. */
  async leave(): Promise<void> {
    for (const session of this.#sessions) {
      session.goaway();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Break all connections. */
  breakConnections(): void {
    for (const session of this.#sessions) {
      session.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.breakConnections();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A status and nothing else, as gRPC's trailers-only answer has it. */
export function status(code: number, trailers: Record<string, string> = {}, message = ""): Before {
  return (request) => {
    request.stream.respond(
      {
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": String(code),
        "grpc-message": encodeURIComponent(message),
        ...trailers,
      },
      { endStream: true },
    );
    return true;
  };
}

/** A reset of the stream. */
export function reset(code: "CANCEL" | "REFUSED_STREAM"): Before {
  return (request) => {
    request.stream.close(constants[`NGHTTP2_${code}`]);
    return true;
  };
}

/** A connection that breaks. */
export const broken: Before = (request) => {
  request.stream.session?.destroy();
  return true;
};

/** No answer, ever. */
export const silent: Before = () => true;

/** This for the first calls, and then the services. */
export function first(times: number, before: Before): Before {
  return (request, response, count) => count <= times && before(request, response, count);
}

/** An error as the service itself gives it. */
export function failure(code: Code, reason: string, retryMs?: number): ConnectError {
  return new ConnectError("What is wrong.", code, { "twofold-request-id": "req-1" }, [
    { desc: ErrorInfoSchema, value: { reason, domain: "twofold" } },
    ...(retryMs === undefined
      ? []
      : [
          {
            desc: RetryInfoSchema,
            value: { retryDelay: { seconds: BigInt(Math.floor(retryMs / 1000)), nanos: (retryMs % 1000) * 1e6 } },
          },
        ]),
  ]);
}
