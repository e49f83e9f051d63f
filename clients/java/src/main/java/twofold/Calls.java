package twofold;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** How every call of a client is made: its metadata, its deadline, its repeats and its errors. */
final class Calls {
  private final Channel channel;
  private final Policy policy;
  private final CountDownLatch closed = new CountDownLatch(1);

  Calls(Channel channel, Policy policy) {
    this.channel = channel;
    this.policy = policy;
  }

  /** Makes a call, and repeats it where the contract allows that. Throws TwofoldException. */
  <Q, R> R unary(MethodDescriptor<Q, R> method, Q request, RequestOptions options) {
    Attempts attempts = new Attempts(method, policy, options);
    Metadata metadata = policy.metadata(options);
    requireOpen();
    while (true) {
      try {
        return ClientCalls.blockingUnaryCall(
            with(metadata),
            method,
            callOptions().withDeadlineAfter(attempts.nanosLeft(), TimeUnit.NANOSECONDS),
            request);
      } catch (StatusRuntimeException cause) {
        if (isClosed()) {
          throw Failures.closed(cause);
        }
        TwofoldException error = Failures.of(cause);
        long pause = attempts.pauseAfter(cause, error);
        if (pause < 0 || isClosedWithin(pause)) {
          throw error;
        }
      }
    }
  }

  /** Opens a stream, which is never opened again by itself. */
  <Q, R> ServerStream<R> stream(MethodDescriptor<Q, R> method, Q request, RequestOptions options) {
    Metadata metadata = policy.metadata(options);
    requireOpen();
    CallOptions callOptions = callOptions();
    if (options.timeout() != null) {
      callOptions =
          callOptions.withDeadlineAfter(options.timeout().toNanos(), TimeUnit.NANOSECONDS);
    }
    return ServerStream.open(with(metadata).newCall(method, callOptions), request, this);
  }

  void close() {
    closed.countDown();
  }

  boolean isClosed() {
    return closed.getCount() == 0;
  }

  void requireOpen() {
    if (isClosed()) {
      throw new IllegalStateException("The client is closed.");
    }
  }

  private CallOptions callOptions() {
    return policy.waitForReady ? CallOptions.DEFAULT.withWaitForReady() : CallOptions.DEFAULT;
  }

  private Channel with(Metadata metadata) {
    return ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  private boolean isClosedWithin(long nanos) {
    try {
      return closed.await(nanos, TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return true;
    }
  }
}
