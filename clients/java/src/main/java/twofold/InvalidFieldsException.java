package twofold;

/** Correct the request: {@link #getFieldViolations()} names every bad field. */
public final class InvalidFieldsException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  InvalidFieldsException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
