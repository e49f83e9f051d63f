package twofold;

import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.Principal;
import java.util.Collections;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Lets signed-in users alone reach a servlet application: map {@code VerifierFilter.of(verifier)}
 * to {@code /*}.
 *
 * <p>The access token is taken from {@code Authorization: Bearer ...}. What it says is {@link
 * #session(ServletRequest)}, the request's attribute {@link #ATTRIBUTE}, and the request's user
 * principal is named by the account's id. Without a good one a request is answered by 401, and by
 * 503 while the verifier can't judge. Start the verifier before the server, and close it after.
 * Immutable.
 */
public final class VerifierFilter implements Filter {
  /** The name of the request's attribute that holds the {@link VerifiedSession}. */
  public static final String ATTRIBUTE = "twofold.session";

  private static final Pattern PATH = Pattern.compile("/[^*?#;]*");

  private final Guard guard;

  private VerifierFilter(Guard guard) {
    this.guard = guard;
  }

  /** Guards every path that it is mapped to. */
  public static VerifierFilter of(Verifier verifier) {
    return new VerifierFilter(Guard.of(verifier));
  }

  /**
   * The same, but a session of a lower assurance level is refused with 401.
   *
   * @throws IllegalArgumentException for what is neither 1 nor 2
   */
  public VerifierFilter withMinAal(int aal) {
    return new VerifierFilter(guard.withMinAal(aal));
  }

  /**
   * The same, but these exact paths below the context's are open to anybody, such as {@code
   * /healthz}.
   *
   * @throws IllegalArgumentException for what is no such path
   */
  public VerifierFilter withOpenPaths(String... paths) {
    return new VerifierFilter(guard.withOpen(PATH, "an exact path such as /healthz", paths));
  }

  /** The session of a request that was let in; empty where the path was left open. */
  public static Optional<VerifiedSession> session(ServletRequest request) {
    return Optional.ofNullable((VerifiedSession) request.getAttribute(ATTRIBUTE));
  }

  @Override
  public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    if (!(request instanceof HttpServletRequest http)
        || !(response instanceof HttpServletResponse answer)) {
      throw new ServletException("only HTTP can be guarded");
    }
    if (guard.isOpen(path(http))) {
      chain.doFilter(request, response);
      return;
    }
    VerifiedSession session;
    try {
      session = guard.admit(Collections.list(http.getHeaders("Authorization")));
    } catch (Refusal refused) {
      refuse(refused, answer);
      return;
    }
    http.setAttribute(ATTRIBUTE, session);
    chain.doFilter(new SignedIn(http, session.accountId()), response);
  }

  /** As the container routes by it: decoded, without parameters. */
  private static String path(HttpServletRequest request) {
    String rest = request.getPathInfo();
    return rest == null ? request.getServletPath() : request.getServletPath() + rest;
  }

  private static void refuse(Refusal refused, HttpServletResponse answer) throws IOException {
    switch (refused.code) {
      // RFC 9470 section 3: proving more mends it, as a token does what has none.
      case UNAUTHENTICATED, PERMISSION_DENIED ->
          answer.setStatus(HttpServletResponse.SC_UNAUTHORIZED);
      default -> answer.setStatus(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
    }
    if (answer.getStatus() == HttpServletResponse.SC_SERVICE_UNAVAILABLE) {
      answer.setHeader("Retry-After", String.valueOf(Refusal.RETRY_SECONDS));
    } else if (refused.error.isEmpty()) {
      answer.setHeader("WWW-Authenticate", "Bearer");
    } else {
      answer.setHeader(
          "WWW-Authenticate",
          "Bearer error=\"%s\", error_description=\"%s\""
              .formatted(refused.error, refused.getMessage()));
    }
    answer.setContentType("application/json");
    answer.getOutputStream().write(body(refused).getBytes(StandardCharsets.US_ASCII));
  }

  private static String body(Refusal refused) {
    StringBuilder body = new StringBuilder("{");
    if (!refused.error.isEmpty()) {
      body.append("\"error\": \"").append(refused.error).append("\", ");
    }
    if (!refused.reason.isEmpty()) {
      body.append("\"reason\": \"").append(refused.reason).append("\", ");
    }
    return body.append("\"message\": \"").append(refused.getMessage()).append("\"}").toString();
  }

  private static final class SignedIn extends HttpServletRequestWrapper {
    private final Principal user;

    SignedIn(HttpServletRequest request, String accountId) {
      super(request);
      this.user = () -> accountId;
    }

    @Override
    public Principal getUserPrincipal() {
      return user;
    }

    @Override
    public String getRemoteUser() {
      return user.getName();
    }
  }
}
