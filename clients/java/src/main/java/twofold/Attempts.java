package twofold;

import com.google.protobuf.DescriptorProtos.MethodOptions.IdempotencyLevel;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** The attempts that one call is made of, all within one deadline. */
final class Attempts {
  private static final Logger LOG = System.getLogger("twofold");
  private static final long FIRST_PAUSE_NANOS = Duration.ofMillis(100).toNanos();
  private static final long LONGEST_PAUSE_NANOS = Duration.ofSeconds(2).toNanos();
  private static final String NOT_BEGUN = "SERVER_DRAINING";

  private final MethodDescriptor<?, ?> method;
  private final int retries;
  private final long ends;
  private int made;

  Attempts(MethodDescriptor<?, ?> method, Policy policy, RequestOptions options) {
    Duration time = options.timeout() == null ? policy.deadline : options.timeout();
    this.method = method;
    this.retries = policy.retries;
    this.ends = System.nanoTime() + time.toNanos();
  }

  /**
   * What the next attempt has left of the deadline; more than zero, or grpc would not even begin.
   */
  long nanosLeft() {
    return Math.max(ends - System.nanoTime(), 1_000_000);
  }

  /** In how many nanoseconds to try again after a failed attempt; -1: not at all. */
  long pauseAfter(StatusRuntimeException cause, TwofoldException error) {
    made++;
    if (made > retries || !mayRepeat(cause, error)) {
      return -1;
    }
    long pause =
        error
            .getRetryAfter()
            .map(asked -> (long) (saturatedNanos(asked) * random(1.0, 1.2)))
            .orElseGet(() -> (long) (longestPause(made) * random(0.5, 1.0)));
    if (pause >= ends - System.nanoTime()) {
      return -1;
    }
    LOG.log(
        Level.DEBUG,
        () ->
            "%s: %s, attempt %d; again in %.3f s"
                .formatted(method.getBareMethodName(), error.getCode(), made, pause / 1e9));
    return pause;
  }

  static double random(double from, double to) {
    return ThreadLocalRandom.current().nextDouble(from, to);
  }

  /**
   * Whether the contract marks a method with an {@code idempotency_level}: twice is as good as
   * once.
   */
  static boolean isRepeatable(MethodDescriptor<?, ?> method) {
    return method.getSchemaDescriptor() instanceof ProtoMethodDescriptorSupplier schema
        && schema.getMethodDescriptor().getOptions().getIdempotencyLevel()
            != IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
  }

  private boolean mayRepeat(StatusRuntimeException cause, TwofoldException error) {
    if (error.getCode() == Status.Code.UNAVAILABLE) {
      // A stopping server that says so has done nothing. Otherwise even a call that the service did
      // not answer may have been done before the connection broke.
      return isRepeatable(method) || error.getReason().equals(NOT_BEGUN);
    }
    // A stopping server cancels what has not reached the service; nothing was done, whatever the
    // method. But the thread or the grpc context that waits may have been what cancelled it.
    return error.getCode() == Status.Code.CANCELLED
        && !Failures.reachedService(cause)
        && !Thread.currentThread().isInterrupted()
        && !Context.current().isCancelled();
  }

  private static long longestPause(int made) {
    return Math.min(FIRST_PAUSE_NANOS << Math.min(made - 1, 10), LONGEST_PAUSE_NANOS);
  }

  private static double saturatedNanos(Duration asked) {
    return asked.getSeconds() * 1e9 + asked.getNano();
  }
}
