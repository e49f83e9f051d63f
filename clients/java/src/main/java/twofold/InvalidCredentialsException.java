package twofold;

/** Ask the user again for address and password; which one is wrong is not told. */
public final class InvalidCredentialsException extends UnauthenticatedException {
  private static final long serialVersionUID = 1L;

  InvalidCredentialsException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
