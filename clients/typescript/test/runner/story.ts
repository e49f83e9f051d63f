/** Plays the story that every language's client plays, by the client's public API. */

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";

import { fromJson, toJson } from "@bufbuild/protobuf";
import type { DescService, JsonValue, Message } from "@bufbuild/protobuf";

import { Client, TwofoldError, Verifier } from "../../dist/index.js";
import type { CallOptions } from "../../dist/index.js";
import { AccountService, RecoveryService, SessionService, SupportService, TwoFactorService } from "../../dist/v1.js";
import { connectionOf } from "./config.js";
import type { Config } from "./config.js";

interface Step {
  readonly name: string;
  readonly call?: string;
  readonly request?: JsonValue;
  readonly session?: string;
  readonly ask?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly verify?: string;
  readonly save?: Readonly<Record<string, string>>;
  readonly expect?: Readonly<Record<string, unknown>>;
  readonly error?: {
    readonly code?: string;
    readonly reason?: string;
    readonly kind?: string;
    readonly retry_after?: boolean;
    readonly fields?: readonly string[];
  };
  readonly within_seconds?: number;
}

type Caller = Readonly<Record<string, (request: Message, options: CallOptions) => Promise<Message>>>;

const PAUSE_MS = 20;
const WHOLE = /^\$\{(\w+)\}$/;

/** Play it, a line for each step; false after the first that does not end as it must. */
export async function playStory(config: Config): Promise<boolean> {
  const { steps } = JSON.parse(readFileSync(config.story, "utf8")) as { steps: readonly Step[] };
  const connection = connectionOf(config);
  using client = new Client(config.target, connection);
  const { realm_id: realmId, audience } = config;
  await using verifier = await Verifier.open(config.target, { realmId, audience, ...connection });
  const stage = new Stage(config, client, verifier);
  for (const step of steps) {
    const began = performance.now();
    const error = await stage.play(step);
    const seconds = (performance.now() - began) / 1000;
    console.log(JSON.stringify({ step: step.name, ok: error === undefined, seconds, ...(error && { error }) }));
    if (error !== undefined) {
      return false;
    }
  }
  return true;
}

class Stage {
  readonly #config: Config;
  readonly #verifier: Verifier;
  readonly #services: Readonly<Record<string, readonly [DescService, Caller]>>;
  readonly #variables: Map<string, unknown>;

  constructor(config: Config, client: Client, verifier: Verifier) {
    this.#config = config;
    this.#verifier = verifier;
    this.#variables = new Map(Object.entries(config.variables));
    const caller = (methods: unknown) => methods as Caller;
    this.#services = {
      AccountService: [AccountService, caller(client.accounts)],
      TwoFactorService: [TwoFactorService, caller(client.twoFactor)],
      RecoveryService: [RecoveryService, caller(client.recovery)],
      SessionService: [SessionService, caller(client.sessions)],
      SupportService: [SupportService, caller(client.support)],
    };
  }

  /** Why a step has not ended as it must; undefined if it has. */
  async play(step: Step): Promise<string | undefined> {
    const endsAt = performance.now() + (step.within_seconds ?? 0) * 1000;
    for (;;) {
      const wrong = await this.#once(step);
      if (wrong === undefined || performance.now() >= endsAt) {
        return wrong;
      }
      await sleep(PAUSE_MS);
    }
  }

  async #once(step: Step): Promise<string | undefined> {
    let answer: unknown;
    try {
      answer = await this.#answer(step);
    } catch (error) {
      if (!(error instanceof TwofoldError) || step.error === undefined) {
        return String(error);
      }
      return difference(step.error, error);
    }
    if (step.error !== undefined) {
      return `it succeeded, and not as ${JSON.stringify(step.error)}`;
    }
    for (const [path, wanted] of Object.entries(step.expect ?? {})) {
      const found = at(answer, path);
      if (!isDeepStrictEqual(found, this.#filled(wanted))) {
        return `${path} is ${JSON.stringify(found)}`;
      }
    }
    for (const [name, path] of Object.entries(step.save ?? {})) {
      const found = at(answer, path);
      if (found === undefined) {
        return `the answer has no ${path}`;
      }
      this.#variables.set(name, found);
    }
    return undefined;
  }

  async #answer(step: Step): Promise<unknown> {
    if (step.call !== undefined) {
      return await this.#call(step.call, this.#filled(step.request ?? {}) as JsonValue, this.#text(step.session));
    }
    if (step.ask !== undefined) {
      const query = new URLSearchParams(this.#filled(step.with ?? {}) as Record<string, string>);
      const response = await fetch(`${this.#config.helper}/${step.ask}?${query.toString()}`);
      if (!response.ok) {
        throw new Error(`the helper answered ${response.status}: ${await response.text()}`);
      }
      return await response.json();
    }
    const session = this.#verifier.verify(this.#text(step.verify) ?? "");
    return {
      account_id: session.accountId,
      session_id: session.sessionId,
      realm_id: session.realmId,
      client_id: session.clientId,
      aal: session.aal,
      amr: session.amr,
    };
  }

  async #call(path: string, request: JsonValue, session: string | undefined): Promise<JsonValue> {
    const [serviceName = "", methodName = ""] = path.split("/");
    const [service, caller] = this.#services[serviceName] ?? [];
    const method = service?.methods.find(({ name }) => name === methodName);
    const call = method && caller?.[method.localName];
    if (method === undefined || call === undefined) {
      throw new Error(`the contract has no ${path}`);
    }
    return toJson(method.output, await call(fromJson(method.input, request), { session }));
  }

  #text(value: string | undefined): string | undefined {
    return value === undefined ? undefined : String(this.#filled(value));
  }

  /** A value with its variables filled in. */
  #filled(value: unknown): unknown {
    if (typeof value === "string") {
      const whole = WHOLE.exec(value)?.[1];
      return whole === undefined
        ? value.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => String(this.#variable(name)))
        : this.#variable(whole);
    }
    if (Array.isArray(value)) {
      return value.map((item) => this.#filled(item));
    }
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.#filled(item)]));
    }
    return value;
  }

  #variable(name: string): unknown {
    if (!this.#variables.has(name)) {
      throw new Error(`nothing is saved as ${name}`);
    }
    return this.#variables.get(name);
  }
}

function difference(wanted: NonNullable<Step["error"]>, error: TwofoldError): string | undefined {
  const found = {
    code: error.code,
    reason: error.reason,
    kind: error.name,
    retry_after: error.retryAfterMs !== undefined,
    fields: error.fieldViolations.map(({ field }) => field),
  };
  const differs = Object.entries(wanted).find(
    ([name, value]) => !isDeepStrictEqual(found[name as keyof typeof found], value),
  );
  return differs && `${differs[0]} is ${JSON.stringify(found[differs[0] as keyof typeof found])}: ${String(error)}`;
}

function at(answer: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (value, name) =>
        typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined,
      answer,
    );
}
