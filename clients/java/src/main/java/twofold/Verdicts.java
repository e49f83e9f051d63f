package twofold;

import io.grpc.Status;

/** The errors of a token that is refused, and of a verifier that can't judge. */
final class Verdicts {
  private Verdicts() {}

  /** Of a token that is not to be trusted. */
  static SessionEndedException invalid(String why) {
    return new SessionEndedException(
        unauthenticated("SESSION_INVALID", "The access token is not valid: " + why + "."), null);
  }

  /** Of a good token that is too old. */
  static SessionExpiredException expired() {
    return new SessionExpiredException(
        unauthenticated("SESSION_EXPIRED", "The access token has expired."), null);
  }

  /** Of a good token that is revoked. */
  static SessionEndedException ended() {
    return new SessionEndedException(
        unauthenticated("SESSION_ENDED", "The session is over."), null);
  }

  /** Of a verifier that can't judge now. */
  static VerifierNotReadyException notReady(String why, Throwable cause) {
    return new VerifierNotReadyException(Failure.of(Status.Code.UNAVAILABLE, "", why), cause);
  }

  private static Failure unauthenticated(String reason, String message) {
    return Failure.of(Status.Code.UNAUTHENTICATED, reason, message);
  }
}
