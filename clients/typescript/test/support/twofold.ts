/** A Twofold in the process that signs tokens, publishes its keys and tells what is revoked, as the test says. */

import { generateKeyPairSync, randomUUID, sign } from "node:crypto";

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";

import { RevocationKind, SessionService, WatchRevocationsResponseSchema } from "../../dist/v1.js";
import type { CheckSessionRequest, WatchRevocationsRequest } from "../../dist/v1.js";

export const REALM = "default";
export const AUDIENCE = "billing";
const ISSUER = "https://auth.example.com/default";

type Message = MessageInitShape<typeof WatchRevocationsResponseSchema>;

/** A key that signs tokens. */
export class SigningKey {
  readonly #keys = generateKeyPairSync("ec", { namedCurve: "P-256" });

  constructor(readonly kid: string) {}

  get published() {
    const { x = "", y = "" } = this.#keys.publicKey.export({ format: "jwk" });
    const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64url"));
    return { keyId: this.kid, x: bytes(x), y: bytes(y) };
  }

  /** Sign a token with these claims changed. */
  token(claims: Record<string, unknown> = {}): string {
    const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1000);
    const all = {
      iss: ISSUER,
      sub: randomUUID(),
      aud: AUDIENCE,
      client_id: "web",
      jti: randomUUID(),
      sid: randomUUID(),
      epoch: 1,
      amr: ["pwd"],
      aal: 1,
      iat: now,
      exp: now + 600,
      auth_time: now,
      ...claims,
    };
    const signed = `${segment({ alg: "ES256", typ: "at+jwt", kid: this.kid })}.${segment(all)}`;
    const signature = sign("sha256", Buffer.from(signed), { key: this.#keys.privateKey, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  }
}

/** One stream of revocations that was opened. */
export class Stream {
  readonly #messages: Message[] = [];
  #wake: () => void = () => undefined;
  #ended: Error | "ended" | undefined;

  constructor(readonly resumeToken: string) {}

  tell(message: Message): void {
    this.#messages.push({ serverTime: timestampNow(), ...message });
    this.#wake();
  }

  /** The whole snapshot in one message. */
  snapshot(...sessionIds: string[]): void {
    this.tell({ reset: true, current: true, resumeToken: "1", revocations: sessionIds.map(revocation) });
  }

  end(error?: Error): void {
    this.#ended = error ?? "ended";
    this.#wake();
  }

  async *messages(context: HandlerContext): AsyncGenerator<Message> {
    context.signal.addEventListener("abort", () => {
      this.end();
    });
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        yield message;
      } else if (this.#ended instanceof Error) {
        throw this.#ended;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }
}

/** A session's revocation. */
export function revocation(sessionId: string) {
  return { revocationId: randomUUID(), realmId: REALM, kind: RevocationKind.SESSION, subject: sessionId };
}

export class Twofold {
  readonly key = new SigningKey("key-1");
  /** The keys that are published; `key` alone unless changed. */
  keys = [this.key];
  audiences = [AUDIENCE];
  keyFetches = 0;
  /** What CheckSession and GetSigningKeys do first. */
  onCheck: (request: CheckSessionRequest) => void = () => undefined;
  onKeys: () => void | Promise<void> = () => undefined;
  readonly #streams: Stream[] = [];
  #awaited: (() => void) | undefined;

  readonly routes = (router: ConnectRouter): void => {
    router.service(SessionService, {
      getSigningKeys: async () => {
        this.keyFetches += 1;
        await this.onKeys();
        return { issuer: ISSUER, audiences: this.audiences, keys: this.keys.map((key) => key.published) };
      },
      watchRevocations: (request: WatchRevocationsRequest, context: HandlerContext) => {
        const stream = new Stream(request.resumeToken);
        this.#streams.push(stream);
        this.#awaited?.();
        return stream.messages(context);
      },
      checkSession: (request) => {
        this.onCheck(request);
        return {};
      },
    });
  };

  /** The next stream that is opened, or was and not been asked for yet. */
  async stream(): Promise<Stream> {
    for (;;) {
      const stream = this.#streams.shift();
      if (stream !== undefined) {
        return stream;
      }
      await new Promise<void>((resolve) => (this.#awaited = resolve));
    }
  }
}
