/** A server of @grpc/grpc-js, protected. */

import { fromBinary, toBinary, create } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Metadata, MethodDefinition, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";

import type { Checker, GuardOptions } from "../../dist/middleware/guard.js";
import { protect, sessionOf } from "../../dist/middleware/grpc-js.js";
import { AccountService, SessionService } from "../../dist/v1.js";

type Bytes<S extends DescMessage> = MessageShape<S>;

function definition<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
): MethodDefinition<Bytes<I>, MessageInitShape<O>> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: false,
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(method.output, create(method.output, message))),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

function whose(call: { readonly metadata: Metadata }): string {
  try {
    return sessionOf(call).accountId;
  } catch {
    return "nobody";
  }
}

/** Serve GetAccount and WatchRevocations, which name the account in what they answer. */
export async function grpcJs(checker: Checker, options: GuardOptions) {
  const server = new Server({ interceptors: [protect(checker, options)] });
  server.addService(
    { getAccount: definition(AccountService.method.getAccount) },
    {
      getAccount: (call: ServerUnaryCall<unknown, unknown>, answer: (error: null, value: object) => void) => {
        answer(null, { account: { email: whose(call) } });
      },
    },
  );
  server.addService(
    { watchRevocations: definition(SessionService.method.watchRevocations) },
    {
      watchRevocations: (call: ServerWritableStream<unknown, object>) => {
        call.write({ resumeToken: whose(call) });
        call.end();
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error) {
        reject(error);
      } else {
        resolve(bound);
      }
    });
  });
  return {
    target: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}
