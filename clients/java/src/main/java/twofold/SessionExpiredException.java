package twofold;

/**
 * The access token is too old: call RefreshSession, then again; only if that fails have the user
 * sign in.
 */
public final class SessionExpiredException extends SessionEndedException {
  private static final long serialVersionUID = 1L;

  SessionExpiredException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
