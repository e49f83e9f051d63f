package twofold;

/** Ask the user for a new code. */
public final class InvalidSecondFactorException extends UnauthenticatedException {
  private static final long serialVersionUID = 1L;

  InvalidSecondFactorException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
