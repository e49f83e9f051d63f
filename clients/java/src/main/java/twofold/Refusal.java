package twofold;

import io.grpc.Status;

/**
 * A request that middleware does not let through. Its texts are fixed: nothing of the request is in
 * them.
 */
final class Refusal extends Exception {
  /**
   * What a client is asked to wait while the verifier can't judge: it reconnects with pauses of at
   * most 2 s.
   */
  static final int RETRY_SECONDS = 1;

  private static final long serialVersionUID = 1L;

  /** The gRPC status. */
  final Status.Code code;

  /** The name of the {@code ErrorReason} without its prefix; empty if there is none. */
  final String reason;

  /**
   * The error code of RFC 6750 or RFC 9470; empty where no token was presented, or nothing is said
   * of it.
   */
  final String error;

  private Refusal(Status.Code code, String text, String reason, String error) {
    super(text, null, false, false);
    this.code = code;
    this.reason = reason;
    this.error = error;
  }

  static Refusal missing() {
    return new Refusal(
        Status.Code.UNAUTHENTICATED, "An access token is required.", "SESSION_REQUIRED", "");
  }

  static Refusal several() {
    return invalid("There is more than one authorization.", "SESSION_INVALID");
  }

  static Refusal insufficient() {
    return new Refusal(
        Status.Code.PERMISSION_DENIED,
        "A second factor is needed in this session.",
        "",
        "insufficient_user_authentication");
  }

  /**
   * What a verifier's error means for the request that it judged.
   *
   * <p>Whatever is not about the token, this service's own credential among it, is no word on the
   * token: UNAVAILABLE.
   */
  static Refusal of(TwofoldException error) {
    if (!(error instanceof SessionEndedException)) {
      return new Refusal(Status.Code.UNAVAILABLE, "Access tokens can't be checked now.", "", "");
    }
    return switch (error.getReason()) {
      case "SESSION_EXPIRED" -> invalid("The access token has expired.", "SESSION_EXPIRED");
      case "SESSION_ENDED" -> invalid("The session is over.", "SESSION_ENDED");
      default -> invalid("The access token is not valid.", "SESSION_INVALID");
    };
  }

  private static Refusal invalid(String text, String reason) {
    return new Refusal(Status.Code.UNAUTHENTICATED, text, reason, "invalid_token");
  }
}
