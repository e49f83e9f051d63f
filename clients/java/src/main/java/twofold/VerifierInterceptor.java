package twofold;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.StatusException;
import io.grpc.protobuf.StatusProto;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Lets signed-in users alone call a gRPC service: {@code
 * ServerBuilder.forPort(port).intercept(VerifierInterceptor.of(verifier))}.
 *
 * <p>The access token is taken from the metadata {@code authorization: Bearer ...}, and what it
 * says is {@link #SESSION} in the method. Without a good one a call ends with UNAUTHENTICATED; with
 * UNAVAILABLE while the verifier can't judge. A stream is judged when it begins. It may block as
 * {@link Verifier#check} does, so the server needs an executor that bears that, as its default one.
 * Immutable.
 */
public final class VerifierInterceptor implements ServerInterceptor {
  /** The session of the call that is being served; null in a method that was left open. */
  public static final Context.Key<VerifiedSession> SESSION = Context.key("twofold-session");

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final Pattern METHOD = Pattern.compile("[\\w.]+/\\w+");

  private final Guard guard;

  private VerifierInterceptor(Guard guard) {
    this.guard = guard;
  }

  /** Guards every method. */
  public static VerifierInterceptor of(Verifier verifier) {
    return new VerifierInterceptor(Guard.of(verifier));
  }

  /**
   * The same, but a session of a lower assurance level is refused with PERMISSION_DENIED.
   *
   * @throws IllegalArgumentException for what is neither 1 nor 2
   */
  public VerifierInterceptor withMinAal(int aal) {
    return new VerifierInterceptor(guard.withMinAal(aal));
  }

  /**
   * The same, but these methods are open to anybody, such as {@code grpc.health.v1.Health/Check}.
   *
   * @throws IllegalArgumentException for what names no method
   */
  public VerifierInterceptor withOpenMethods(String... fullNames) {
    return new VerifierInterceptor(
        guard.withOpen(METHOD, "grpc.health.v1.Health/Check", fullNames));
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    if (guard.isOpen(call.getMethodDescriptor().getFullMethodName())) {
      return next.startCall(call, headers);
    }
    VerifiedSession session;
    try {
      Iterable<String> values = headers.getAll(AUTHORIZATION);
      session = guard.admit(values == null ? List.of() : list(values));
    } catch (Refusal refused) {
      StatusException error = error(refused);
      call.close(error.getStatus(), error.getTrailers());
      return new ServerCall.Listener<>() {};
    }
    return Contexts.interceptCall(
        Context.current().withValue(SESSION, session), call, headers, next);
  }

  private static List<String> list(Iterable<String> values) {
    List<String> list = new ArrayList<>();
    values.forEach(list::add);
    return list;
  }

  private static StatusException error(Refusal refused) {
    Status.Builder status =
        Status.newBuilder().setCode(refused.code.value()).setMessage(refused.getMessage());
    if (!refused.reason.isEmpty()) {
      status.addDetails(
          Any.pack(ErrorInfo.newBuilder().setDomain("twofold").setReason(refused.reason).build()));
    }
    if (refused.code == io.grpc.Status.Code.UNAVAILABLE) {
      Duration delay = Duration.newBuilder().setSeconds(Refusal.RETRY_SECONDS).build();
      status.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build()));
    }
    return StatusProto.toStatusException(status.build());
  }
}
