package twofold;

/**
 * Somebody has not proven who they are: the calling service ({@code CALLER_UNKNOWN}) or, mostly a
 * subclass, the user.
 */
public class UnauthenticatedException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  UnauthenticatedException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
