package twofold;

/**
 * A {@link Verifier} has no snapshot of what is revoked yet, or hears nothing more, so it vouches
 * for nobody.
 */
public final class VerifierNotReadyException extends UnavailableException {
  private static final long serialVersionUID = 1L;

  VerifierNotReadyException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
