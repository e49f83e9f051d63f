package twofold;

import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A call failed; catch the subclasses, or this for all of them.
 *
 * <p>Its text holds no part of the request and no token, and neither does its cause, the grpc error
 * that it came from: loggers print causes, so a text in it that something between the client and
 * the service has written is left out there. {@link #getServerMessage()} still has it.
 */
public class TwofoldException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Failure failure;

  TwofoldException(Failure failure, Throwable cause) {
    super(failure.text(), cause);
    this.failure = failure;
  }

  /** The status code. */
  public Status.Code getCode() {
    return failure.code();
  }

  /**
   * The name of the {@code ErrorReason} without its prefix, such as {@code INVALID_CREDENTIALS};
   * empty if there is none.
   */
  public String getReason() {
    return failure.reason();
  }

  /**
   * The text that came with it, in English. For people; it may change. Without a reason it is not
   * the service's, and may quote a request: do not log it then.
   */
  public String getServerMessage() {
    return failure.message();
  }

  /** Further facts, by reason. */
  public Map<String, String> getMetadata() {
    return failure.metadata();
  }

  /** How long to wait before the next call, where the server said so. */
  public Optional<Duration> getRetryAfter() {
    return Optional.ofNullable(failure.retryAfter());
  }

  /** Every field that was refused. */
  public List<FieldViolation> getFieldViolations() {
    return failure.fieldViolations();
  }

  /** Every state that forbids the call. */
  public List<PreconditionViolation> getPreconditionViolations() {
    return failure.preconditionViolations();
  }

  /** Under which the server's log has the call; empty if the call never reached the service. */
  public String getRequestId() {
    return failure.requestId();
  }
}
