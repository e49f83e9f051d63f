package twofold;

import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.regex.Pattern;

/** What all calls of a client have in common. */
final class Policy {
  private static final Pattern TOKEN = Pattern.compile("[\\x21-\\x7e]{1,4096}");
  private static final Metadata.Key<String> AUTHORIZATION = key("authorization");
  private static final Metadata.Key<String> SESSION = key("twofold-session");
  private static final Metadata.Key<String> APPROVER = key("twofold-approver");

  final Duration deadline;
  final int retries;
  final boolean waitForReady;
  private final String credential;

  /** Throws IllegalArgumentException where a value makes no sense. */
  Policy(String credential, Duration deadline, int retries, boolean waitForReady) {
    // grpc's own complaint about bad metadata quotes it.
    if (credential != null && !TOKEN.matcher(credential).matches()) {
      throw new IllegalArgumentException(
          "the credential must be 1 to 4096 printable ASCII characters without spaces");
    }
    if (retries < 0) {
      throw new IllegalArgumentException("retries must not be negative");
    }
    this.credential = credential;
    this.deadline = Durations.requirePositive("deadline", deadline);
    this.retries = retries;
    this.waitForReady = waitForReady;
  }

  /**
   * The metadata of a call.
   *
   * <p>Throws SessionEndedException for an access token that could not be one: it is the end user's
   * input, so it has the same end here as at the server.
   */
  Metadata metadata(RequestOptions options) {
    Metadata metadata = new Metadata();
    if (credential != null) {
      metadata.put(AUTHORIZATION, "Bearer " + credential);
    }
    String session = options.session();
    if (session != null && !session.isEmpty()) {
      if (!TOKEN.matcher(session).matches()) {
        throw new SessionEndedException(
            Failure.of(
                Status.Code.UNAUTHENTICATED, "SESSION_INVALID", "The access token is malformed."),
            null);
      }
      metadata.put(SESSION, session);
    }
    if (options.approver() != null) {
      // Else grpc would send what is not ASCII as question marks.
      if (!TOKEN.matcher(options.approver()).matches()) {
        throw new IllegalArgumentException(
            "the approver's proof must be printable ASCII without spaces");
      }
      metadata.put(APPROVER, options.approver());
    }
    return metadata;
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }
}
