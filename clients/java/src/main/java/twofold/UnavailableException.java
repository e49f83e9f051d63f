package twofold;

/**
 * Call again later: no server could answer.
 *
 * <p>A call that writes may have been done all the same, unless the code is CANCELLED and there is
 * no request id.
 */
public class UnavailableException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  UnavailableException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
