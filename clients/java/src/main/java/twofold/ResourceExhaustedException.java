package twofold;

/** Wait {@link #getRetryAfter()}: too many attempts, too soon, or too much load. */
public final class ResourceExhaustedException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  ResourceExhaustedException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
