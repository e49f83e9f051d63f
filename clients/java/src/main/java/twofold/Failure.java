package twofold;

import io.grpc.Status;
import java.io.Serializable;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * All that is known of a failed call; {@code retryAfter} is null where the server named no time.
 */
record Failure(
    Status.Code code,
    String reason,
    String message,
    Map<String, String> metadata,
    Duration retryAfter,
    List<FieldViolation> fieldViolations,
    List<PreconditionViolation> preconditionViolations,
    String requestId)
    implements Serializable {

  static Failure of(Status.Code code, String reason, String message) {
    return new Failure(code, reason, message, Map.of(), null, List.of(), List.of(), "");
  }

  /**
   * Whether the message quotes nothing of the request.
   *
   * <p>One without a reason is not the service's: grpc sends those of uncaught exceptions, which
   * may quote a request. What it says of the connection quotes none, and is needed to see what is
   * wrong.
   */
  boolean isMessageSafe() {
    return !reason.isEmpty()
        || switch (code) {
          case UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED -> true;
          default -> false;
        };
  }

  String text() {
    StringBuilder text = new StringBuilder(code.name());
    if (!reason.isEmpty()) {
      text.append(' ').append(reason);
    }
    if (!message.isEmpty() && isMessageSafe()) {
      text.append(": ").append(message);
    }
    if (!fieldViolations.isEmpty()) {
      text.append(
          fieldViolations.stream()
              .map(violation -> violation.field().isEmpty() ? "(message)" : violation.field())
              .collect(Collectors.joining(", ", " [", "]")));
    }
    if (!requestId.isEmpty()) {
      text.append(" (request ").append(requestId).append(')');
    }
    return text.toString();
  }
}
