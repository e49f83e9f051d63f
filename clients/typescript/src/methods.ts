/** A service as the group of its methods. */

import type {
  DescMessage,
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";

import type { CallOptions } from "./calls.js";

/**
 * The methods of a service, under their names in the contract (`SignIn` is `signIn`).
 *
 * Each takes its request message, or the fields of one, and gives its response message; a stream is iterated over. They
 * throw TwofoldError.
 */
export type Methods<S extends DescService> = {
  readonly [Name in keyof S["method"]]: S["method"][Name] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : S["method"][Name] extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncGenerator<MessageShape<O>, void, undefined>
      : never;
};

type Call = (method: DescMethod, request: MessageInitShape<DescMessage>, options: CallOptions) => unknown;

/** Make the methods of a service out of what calls any method, and what opens any stream. */
export function methodsOf<S extends DescService>(service: S, unary: Call, stream: Call): Methods<S> {
  const methods: Record<string, (request: MessageInitShape<DescMessage>, options?: CallOptions) => unknown> = {};
  for (const method of service.methods) {
    const call = method.methodKind === "server_streaming" ? stream : unary;
    methods[method.localName] = (request, options = {}) => call(method, request, options);
  }
  return Object.freeze(methods) as Methods<S>;
}
