package twofold;

/**
 * There is no such thing, or not for this caller; a link or step that is used or expired has to
 * begin anew.
 */
public final class NotFoundException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  NotFoundException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
