package twofold;

/** A fault of the server's own: report {@link #getRequestId()}. */
public final class InternalErrorException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  InternalErrorException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
