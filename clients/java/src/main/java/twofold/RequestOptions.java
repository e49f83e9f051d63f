package twofold;

import java.time.Duration;

/**
 * What one call carries besides its request: {@code RequestOptions.session(accessToken)}.
 * Immutable.
 *
 * <p>Its text shows no token.
 */
public final class RequestOptions {
  /** Nothing besides the request. */
  public static final RequestOptions NONE = new RequestOptions(null, null, null);

  private final String session;
  private final Duration timeout;
  private final String approver;

  private RequestOptions(String session, Duration timeout, String approver) {
    this.session = session;
    this.timeout = timeout;
    this.approver = approver;
  }

  /** With the end user's access token. */
  public static RequestOptions session(String accessToken) {
    return NONE.withSession(accessToken);
  }

  /** With a time for the whole call, repeats included, instead of the client's deadline. */
  public static RequestOptions timeout(Duration timeout) {
    return NONE.withTimeout(timeout);
  }

  /** With the proof of a phone that approves sign-ins. */
  public static RequestOptions approver(String proof) {
    return NONE.withApprover(proof);
  }

  /** The same and the end user's access token. */
  public RequestOptions withSession(String accessToken) {
    return new RequestOptions(accessToken, timeout, approver);
  }

  /**
   * The same and a time for the whole call, repeats included.
   *
   * @throws IllegalArgumentException if it is not positive
   */
  public RequestOptions withTimeout(Duration timeout) {
    return new RequestOptions(session, Durations.requirePositive("timeout", timeout), approver);
  }

  /** The same and the proof of a phone that approves sign-ins. */
  public RequestOptions withApprover(String proof) {
    return new RequestOptions(session, timeout, proof);
  }

  String session() {
    return session;
  }

  Duration timeout() {
    return timeout;
  }

  String approver() {
    return approver;
  }

  @Override
  public String toString() {
    return "RequestOptions(timeout=" + timeout + ")";
  }
}
