package twofold;

/**
 * Time ran out. A call that writes may have been done, unless the reason is {@code
 * DEADLINE_TOO_SHORT}.
 */
public final class DeadlineExceededException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  DeadlineExceededException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
