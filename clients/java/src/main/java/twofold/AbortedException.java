package twofold;

/** The account changed meanwhile and nothing was done: call again from the start. */
public final class AbortedException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  AbortedException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
