package twofold;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.EnumSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.ServerConnector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import twofold.v1.Account;
import twofold.v1.AccountServiceGrpc;
import twofold.v1.GetAccountRequest;
import twofold.v1.GetAccountResponse;
import twofold.v1.SessionServiceGrpc;
import twofold.v1.WatchRevocationsRequest;
import twofold.v1.WatchRevocationsResponse;

/**
 * A guarded service in process, over gRPC and over HTTP, and what callers get without and with a
 * token.
 */
class MiddlewareTest {
  private static final GetAccountRequest GET_ACCOUNT = GetAccountRequest.getDefaultInstance();

  private final TokenMaker maker = new TokenMaker("key-1");
  private final AtomicLong passed = new AtomicLong();
  private final HttpClient http = HttpClient.newHttpClient();
  private FakeTwofold twofold;
  private Verifier verifier;
  private Server grpc;
  private org.eclipse.jetty.server.Server web;
  private int port;

  @BeforeEach
  void start() throws Exception {
    twofold = new FakeTwofold();
    twofold.keys = TokenMaker.keys(maker);
    verifier =
        Verifier.builder(twofold.target())
            .realmId(TokenMaker.REALM)
            .audience(TokenMaker.AUDIENCE)
            .silence(Duration.ofSeconds(60))
            .deadline(Duration.ofSeconds(30))
            .ticker(() -> System.nanoTime() + passed.get())
            .build();
    verifier.start();
    twofold.opened().send(FakeTwofold.current("1.1").setReset(true));
    verifier.awaitReady();
  }

  @AfterEach
  void stop() throws Exception {
    if (grpc != null) {
      grpc.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    }
    if (web != null) {
      web.stop();
    }
    verifier.close();
    twofold.close();
  }

  @Test
  void aGrpcMethodKnowsWhoIsSignedIn() throws Exception {
    serveGrpc(VerifierInterceptor.of(verifier));
    try (Client client = client(token(1))) {
      assertTrue(
          client.accounts().getAccount(GET_ACCOUNT).getAccount().getAccountId().length() == 36);
    }
  }

  @Test
  void aGrpcCallWithoutAGoodTokenIsRefused() throws Exception {
    serveGrpc(VerifierInterceptor.of(verifier));
    assertRefused(Code.UNAUTHENTICATED, "SESSION_REQUIRED", null);
    assertRefused(Code.UNAUTHENTICATED, "SESSION_INVALID", "no-token");
    String old = maker.make(System.currentTimeMillis() / 1000 - 400, 1).text();
    assertRefused(Code.UNAUTHENTICATED, "SESSION_EXPIRED", old);
  }

  @Test
  void aGrpcStreamWithoutAGoodTokenIsRefused() throws Exception {
    serveGrpc(VerifierInterceptor.of(verifier));
    WatchRevocationsRequest request = WatchRevocationsRequest.getDefaultInstance();
    try (Client stranger = client("no-token");
        Client known = client(token(1));
        ServerStream<?> refused = stranger.sessions().watchRevocations(request);
        ServerStream<?> served = known.sessions().watchRevocations(request)) {
      assertThrows(SessionEndedException.class, refused::hasNext);
      assertTrue(served.hasNext());
    }
  }

  @Test
  void aGrpcCallIsRefusedForWantOfASecondFactorAndOpenMethodsAreNot() throws Exception {
    serveGrpc(VerifierInterceptor.of(verifier).withMinAal(2));
    assertRefused(Code.PERMISSION_DENIED, "", token(1));
    try (Client client = client(token(2))) {
      client.accounts().getAccount(GET_ACCOUNT);
    }
  }

  @Test
  void openMethodsAreOpenToAnybody() throws Exception {
    serveGrpc(
        VerifierInterceptor.of(verifier).withOpenMethods("twofold.v1.AccountService/GetAccount"));
    try (Client client = client(null)) {
      assertEquals("", client.accounts().getAccount(GET_ACCOUNT).getAccount().getAccountId());
    }
    VerifierInterceptor guard = VerifierInterceptor.of(verifier);
    assertThrows(IllegalArgumentException.class, () -> guard.withOpenMethods("/a.B/C"));
  }

  @Test
  void whileTheVerifierCannotJudgeNothingIsSaidOfTheToken() throws Exception {
    serveGrpc(VerifierInterceptor.of(verifier));
    serveHttp(VerifierFilter.of(verifier));
    String token = token(1);
    passed.set(TimeUnit.SECONDS.toNanos(61));
    assertRefused(Code.UNAVAILABLE, "", token);
    HttpResponse<String> answer = get("/whoami", "Bearer " + token);
    assertEquals(503, answer.statusCode());
    assertEquals("1", answer.headers().firstValue("Retry-After").orElse(""));
  }

  @Test
  void aServletKnowsWhoIsSignedIn() throws Exception {
    serveHttp(VerifierFilter.of(verifier));
    HttpResponse<String> answer = get("/whoami", "bearer " + token(1));
    assertEquals(200, answer.statusCode());
    assertEquals(36, answer.body().length());
  }

  @Test
  void anHttpRequestWithoutAGoodTokenIsRefused() throws Exception {
    serveHttp(VerifierFilter.of(verifier).withMinAal(2).withOpenPaths("/healthz"));
    assertChallenged(401, "Bearer", get("/whoami"));
    assertChallenged(401, "Bearer", get("/whoami", "Basic YTpi"));
    assertChallenged(
        401,
        "Bearer error=\"invalid_token\", error_description=\"The access token is not valid.\"",
        get("/whoami", "Bearer no-token"));
    assertChallenged(
        401,
        "Bearer error=\"invalid_token\", error_description=\"There is more than one"
            + " authorization.\"",
        get("/whoami", "Bearer " + token(2), "Bearer " + token(2)));
    assertChallenged(
        401,
        "Bearer error=\"insufficient_user_authentication\", error_description=\"A second factor is"
            + " needed in this session.\"",
        get("/whoami", "Bearer " + token(1)));
    assertEquals(200, get("/whoami", "Bearer " + token(2)).statusCode());
  }

  @Test
  void openPathsAreOpenToAnybodyExactly() throws Exception {
    serveHttp(VerifierFilter.of(verifier).withOpenPaths("/healthz"));
    assertEquals(200, get("/healthz").statusCode());
    for (String path : new String[] {"/healthz/", "/healthz/../whoami", "/HEALTHZ", "/"}) {
      assertTrue(get(path).statusCode() >= 400, path);
    }
    assertEquals(401, get("/healthz/more").statusCode());
  }

  private String token(int aal) {
    return maker.make(System.currentTimeMillis() / 1000, aal).text();
  }

  private Client client(String token) {
    return Client.builder("localhost:" + grpc.getPort())
        .credential(token)
        .deadline(Duration.ofSeconds(30))
        .retries(0)
        .build();
  }

  private void assertRefused(Code code, String reason, String token) {
    try (Client client = client(token)) {
      TwofoldException error =
          assertThrows(TwofoldException.class, () -> client.accounts().getAccount(GET_ACCOUNT));
      assertEquals(code, error.getCode());
      assertEquals(reason, error.getReason());
      assertEquals(code == Code.UNAVAILABLE, error.getRetryAfter().isPresent());
    }
  }

  private static void assertChallenged(int status, String challenge, HttpResponse<String> answer) {
    assertEquals(status, answer.statusCode());
    assertEquals(challenge, answer.headers().firstValue("WWW-Authenticate").orElse(""));
  }

  private HttpResponse<String> get(String path, String... authorizations) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path));
    for (String authorization : authorizations) {
      request.header("Authorization", authorization);
    }
    return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private void serveGrpc(VerifierInterceptor interceptor) throws IOException {
    grpc =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(new Accounts())
            .addService(new Sessions())
            .intercept(interceptor)
            .build()
            .start();
  }

  private void serveHttp(VerifierFilter filter) throws Exception {
    ServletContextHandler context = new ServletContextHandler();
    context.addFilter(new FilterHolder(filter), "/*", EnumSet.of(DispatcherType.REQUEST));
    context.addServlet(new ServletHolder(new WhoAmI()), "/*");
    web = new org.eclipse.jetty.server.Server();
    ServerConnector connector = new ServerConnector(web);
    connector.setHost("127.0.0.1");
    web.addConnector(connector);
    web.setHandler(context);
    web.start();
    port = connector.getLocalPort();
  }

  private static final class Accounts extends AccountServiceGrpc.AccountServiceImplBase {
    @Override
    public void getAccount(GetAccountRequest request, StreamObserver<GetAccountResponse> answers) {
      VerifiedSession session = VerifierInterceptor.SESSION.get();
      String accountId = session == null ? "" : session.accountId();
      answers.onNext(
          GetAccountResponse.newBuilder()
              .setAccount(Account.newBuilder().setAccountId(accountId))
              .build());
      answers.onCompleted();
    }
  }

  private static final class Sessions extends SessionServiceGrpc.SessionServiceImplBase {
    @Override
    public void watchRevocations(
        WatchRevocationsRequest request, StreamObserver<WatchRevocationsResponse> answers) {
      answers.onNext(WatchRevocationsResponse.getDefaultInstance());
      answers.onCompleted();
    }
  }

  private static final class WhoAmI extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      String user =
          VerifierFilter.session(request)
              .map(session -> request.getUserPrincipal().getName())
              .orElse("");
      response.getWriter().write(user);
    }
  }
}
