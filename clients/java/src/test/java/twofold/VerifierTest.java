package twofold;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status.Code;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import twofold.v1.Revocation;
import twofold.v1.RevocationKind;
import twofold.v1.WatchRevocationsResponse;

class VerifierTest {
  private static final Duration LONG = Duration.ofSeconds(30);

  private final TokenMaker maker = new TokenMaker("key-1");
  private final AtomicLong passed = new AtomicLong();
  private FakeTwofold server;
  private Verifier verifier;

  @BeforeEach
  void start() throws Exception {
    server = new FakeTwofold();
    server.keys = TokenMaker.keys(maker);
    verifier = builder().build();
  }

  @AfterEach
  void stop() throws Exception {
    verifier.close();
    server.close();
  }

  private Verifier.Builder builder() {
    return Verifier.builder(server.target())
        .realmId(TokenMaker.REALM)
        .audience(TokenMaker.AUDIENCE)
        .silence(Duration.ofSeconds(60))
        .deadline(LONG)
        .ticker(() -> System.nanoTime() + passed.get());
  }

  private FakeTwofold.Watched ready() throws Exception {
    verifier.start();
    FakeTwofold.Watched stream = server.opened();
    stream.send(FakeTwofold.current("1.1").setReset(true));
    verifier.awaitReady();
    return stream;
  }

  private TokenMaker.Made token() {
    return maker.make(System.currentTimeMillis() / 1000, 1);
  }

  @Test
  void nobodyIsVouchedForBeforeTheSnapshotIsComplete() throws Exception {
    verifier.start();
    FakeTwofold.Watched stream = server.opened();
    String token = token().text();
    stream.send(WatchRevocationsResponse.newBuilder().setReset(true));
    assertThrows(
        VerifierNotReadyException.class, () -> verifier.awaitReady(Duration.ofMillis(200)));
    assertThrows(VerifierNotReadyException.class, () -> verifier.verify(token));
    stream.send(FakeTwofold.current("1.1"));
    verifier.awaitReady();
    assertEquals(TokenMaker.REALM, verifier.verify(token).realmId());
  }

  @Test
  void aSessionThatEndsIsRefusedThoughItsTokenWasSeen() throws Exception {
    FakeTwofold.Watched stream = ready();
    TokenMaker.Made made = token();
    verifier.verify(made.text());
    stream.send(
        FakeTwofold.current("1.2")
            .addRevocations(revocation(RevocationKind.REVOCATION_KIND_SESSION, made.sessionId())));
    eventually(() -> "SESSION_ENDED".equals(reason(made.text())));
  }

  @Test
  void aBrokenStreamGoesOnFromWhereItWasAndANewSnapshotReplacesWhatIsHeld() throws Exception {
    FakeTwofold.Watched first = ready();
    TokenMaker.Made made = token();
    first.send(
        FakeTwofold.current("1.2")
            .addRevocations(revocation(RevocationKind.REVOCATION_KIND_SESSION, made.sessionId())));
    eventually(() -> "SESSION_ENDED".equals(reason(made.text())));
    first.answers().onError(FakeTwofold.failure(Code.UNAVAILABLE, "SERVER_DRAINING"));
    FakeTwofold.Watched second = server.opened();
    assertEquals("1.2", second.request().getResumeToken());
    assertEquals("SESSION_ENDED", reason(made.text()));
    second.send(WatchRevocationsResponse.newBuilder().setReset(true));
    second.send(FakeTwofold.current("2.1"));
    eventually(() -> "ok".equals(reason(made.text())));
  }

  @Test
  void afterSilenceNobodyIsVouchedFor() throws Exception {
    ready();
    String token = token().text();
    assertEquals("ok", reason(token));
    passed.set(TimeUnit.SECONDS.toNanos(61));
    assertThrows(VerifierNotReadyException.class, () -> verifier.verify(token));
    assertThrows(VerifierNotReadyException.class, () -> verifier.check(token));
    assertEquals("SESSION_INVALID", reason("no-token"));
  }

  @Test
  void aSilentStreamIsGivenUpForAnother() throws Exception {
    verifier.close();
    verifier = builder().silence(Duration.ofMillis(300)).build();
    verifier.start();
    server.opened();
    server.opened();
  }

  @Test
  void whileNothingIsHeardTheServiceMayBeAsked() throws Exception {
    verifier.close();
    verifier = builder().onSilence(OnSilence.ASK).build();
    ready();
    String token = token().text();
    verifier.check(token);
    assertEquals(0, server.checks.get());
    passed.set(TimeUnit.SECONDS.toNanos(61));
    verifier.check(token);
    assertEquals(1, server.checks.get());
    server.failures.add(FakeTwofold.failure(Code.UNAUTHENTICATED, "SESSION_ENDED"));
    assertThrows(SessionEndedException.class, () -> verifier.check(token));
  }

  @Test
  void anUnknownKeyCausesOneFetchIn30Seconds() throws Exception {
    ready();
    TokenMaker second = new TokenMaker("key-2");
    String token = second.make(System.currentTimeMillis() / 1000, 1).text();
    server.keys = TokenMaker.keys(maker, second);
    int before = server.keyFetches.get();
    assertEquals("default", verifier.check(token).realmId());
    String stranger = new TokenMaker("key-3").make(System.currentTimeMillis() / 1000, 1).text();
    for (int i = 0; i < 20; i++) {
      assertThrows(SessionEndedException.class, () -> verifier.check(stranger));
    }
    assertEquals(before + 1, server.keyFetches.get());
    passed.set(TimeUnit.SECONDS.toNanos(31));
    assertThrows(SessionEndedException.class, () -> verifier.check(stranger));
    assertEquals(before + 2, server.keyFetches.get());
  }

  @Test
  void aWithdrawnKeySignsNothingAnyMoreAndTheKeysAreFetched() throws Exception {
    FakeTwofold.Watched stream = ready();
    String token = token().text();
    TokenMaker second = new TokenMaker("key-2");
    server.keys = TokenMaker.keys(second);
    stream.send(
        FakeTwofold.current("1.2")
            .addRevocations(revocation(RevocationKind.REVOCATION_KIND_SIGNING_KEY, "key-1")));
    eventually(() -> "SESSION_ENDED".equals(reason(token)));
    String other = second.make(System.currentTimeMillis() / 1000, 1).text();
    eventually(() -> "ok".equals(reason(other)));
    assertEquals("SESSION_ENDED", reason(token));
  }

  @Test
  void whatWaitingDoesNotMendIsSaidAtOnce() {
    server.failures.add(FakeTwofold.failure(Code.UNAUTHENTICATED, "CALLER_UNKNOWN"));
    verifier.start();
    TwofoldException error = assertThrows(UnauthenticatedException.class, verifier::awaitReady);
    assertEquals("CALLER_UNKNOWN", error.getReason());
  }

  @Test
  void anAudienceThatTheRealmDoesNotHaveIsSaidAtOnce() {
    Verifier.Builder wrong = builder().audience("nobody");
    assertThrows(IllegalArgumentException.class, wrong::open);
  }

  @Test
  void afterCloseNobodyIsVouchedFor() throws Exception {
    ready();
    String token = token().text();
    assertEquals("ok", reason(token));
    verifier.close();
    assertThrows(VerifierNotReadyException.class, () -> verifier.verify(token));
    assertTrue(
        Thread.getAllStackTraces().keySet().stream()
            .noneMatch(thread -> thread.getName().equals("twofold-revocations")));
  }

  @Test
  void realmAndAudienceHaveNoDefault() {
    Verifier.Builder none = Verifier.builder(server.target());
    assertThrows(IllegalArgumentException.class, none::build);
    Verifier.Builder lenient = builder().leeway(Duration.ofSeconds(31));
    assertThrows(IllegalArgumentException.class, lenient::build);
  }

  @Test
  void onceRefusedIsNeverVouchedForAgainByAnyThread() throws Exception {
    FakeTwofold.Watched stream = ready();
    TokenMaker.Made made = token();
    AtomicBoolean over = new AtomicBoolean();
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      List<Future<Boolean>> watching = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        watching.add(
            pool.submit(
                () -> {
                  boolean ended = false;
                  while (!over.get()) {
                    boolean refused = reason(made.text()).equals("SESSION_ENDED");
                    if (ended && !refused) {
                      return false;
                    }
                    ended = refused;
                  }
                  return reason(made.text()).equals("SESSION_ENDED");
                }));
      }
      stream.send(
          FakeTwofold.current("1.2")
              .addRevocations(
                  revocation(RevocationKind.REVOCATION_KIND_SESSION, made.sessionId())));
      eventually(() -> "SESSION_ENDED".equals(reason(made.text())));
      // A snapshot that holds it as well takes the place of what is held.
      stream.send(
          WatchRevocationsResponse.newBuilder()
              .setReset(true)
              .addRevocations(
                  revocation(RevocationKind.REVOCATION_KIND_SESSION, made.sessionId())));
      stream.send(FakeTwofold.current("1.3"));
      String later = token().sessionId();
      stream.send(
          FakeTwofold.current("1.4")
              .addRevocations(revocation(RevocationKind.REVOCATION_KIND_SESSION, later)));
      assertEquals("SESSION_ENDED", reason(made.text()));
      over.set(true);
      for (Future<Boolean> watched : watching) {
        assertTrue(watched.get(30, TimeUnit.SECONDS));
      }
    } finally {
      over.set(true);
      pool.shutdownNow();
    }
  }

  private static Revocation revocation(RevocationKind kind, String subject) {
    return Revocation.newBuilder().setKind(kind).setSubject(subject).build();
  }

  private String reason(String token) {
    try {
      verifier.verify(token);
      return "ok";
    } catch (TwofoldException refused) {
      return refused.getReason();
    }
  }

  private static void eventually(Callable<Boolean> holds) throws Exception {
    long ends = System.nanoTime() + LONG.toNanos();
    while (!holds.call()) {
      assertTrue(System.nanoTime() < ends, "it never came about");
      Thread.sleep(5);
    }
  }
}
