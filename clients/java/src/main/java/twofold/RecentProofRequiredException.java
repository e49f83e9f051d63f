package twofold;

/**
 * Call StepUp first: this needs a proof of the last 10 min, by the reason of the password or the
 * second factor.
 */
public final class RecentProofRequiredException extends PermissionDeniedException {
  private static final long serialVersionUID = 1L;

  RecentProofRequiredException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
