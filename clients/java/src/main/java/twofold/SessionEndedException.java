package twofold;

/** Have the user sign in again: the session is over, or the token was never good. */
public class SessionEndedException extends UnauthenticatedException {
  private static final long serialVersionUID = 1L;

  SessionEndedException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
