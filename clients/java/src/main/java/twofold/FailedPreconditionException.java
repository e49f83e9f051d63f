package twofold;

/** The state of the account forbids it: {@link #getPreconditionViolations()} says which. */
public final class FailedPreconditionException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  FailedPreconditionException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
