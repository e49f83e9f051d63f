package twofold;

/** The caller or the account may not do this. */
public class PermissionDeniedException extends TwofoldException {
  private static final long serialVersionUID = 1L;

  PermissionDeniedException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
