package twofold;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Duration;
import com.google.rpc.BadRequest;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import twofold.v1.GetAccountRequest;
import twofold.v1.SessionServiceGrpc;
import twofold.v1.SignInRequest;
import twofold.v1.WatchRevocationsRequest;

class ClientTest {
  private static final GetAccountRequest GET_ACCOUNT = GetAccountRequest.getDefaultInstance();
  private static final SignInRequest SIGN_IN = SignInRequest.getDefaultInstance();
  private static final RequestOptions LONG =
      RequestOptions.timeout(java.time.Duration.ofSeconds(60));

  private FakeTwofold server;
  private Client client;

  @BeforeEach
  void start() throws Exception {
    server = new FakeTwofold();
    client =
        Client.builder(server.target()).credential("shop-secret").userAgent("shop/2.1").build();
  }

  @AfterEach
  void stop() throws Exception {
    client.close();
    server.close();
  }

  @Test
  void aMethodThatTheContractMarksIsRepeatedWhenNoServerCouldAnswer() {
    server.failures.add(Status.UNAVAILABLE.asRuntimeException());
    server.failures.add(Status.UNAVAILABLE.asRuntimeException());
    client.accounts().getAccount(GET_ACCOUNT, LONG);
    assertEquals(3, server.calls.get());
  }

  @Test
  void aMethodIsRepeatedThreeTimesAtMost() {
    for (int i = 0; i < 10; i++) {
      server.failures.add(Status.UNAVAILABLE.asRuntimeException());
    }
    assertThrows(UnavailableException.class, () -> client.accounts().getAccount(GET_ACCOUNT, LONG));
    assertEquals(4, server.calls.get());
  }

  @Test
  void signInIsNeverRepeatedWhenItMayHaveBeenDone() {
    server.failures.add(Status.UNAVAILABLE.asRuntimeException());
    assertThrows(UnavailableException.class, () -> client.accounts().signIn(SIGN_IN, LONG));
    assertEquals(1, server.calls.get());
  }

  @Test
  void aStoppingServerHasNotBegunAnyCall() {
    server.failures.add(FakeTwofold.failure(Code.UNAVAILABLE, "SERVER_DRAINING"));
    client.accounts().signIn(SIGN_IN, LONG);
    assertEquals(2, server.calls.get());
  }

  @Test
  void aCallThatEndedBeforeTheServiceSawItIsRepeated() {
    server.failures.add(Status.CANCELLED.asRuntimeException());
    client.accounts().signIn(SIGN_IN, LONG);
    assertEquals(2, server.calls.get());
  }

  @Test
  void aCallThatTheServiceCancelledIsNotRepeated() {
    Metadata trailers = new Metadata();
    trailers.put(Metadata.Key.of("twofold-request-id", Metadata.ASCII_STRING_MARSHALLER), "r-1");
    server.failures.add(Status.CANCELLED.asRuntimeException(trailers));
    TwofoldException error =
        assertThrows(UnavailableException.class, () -> client.accounts().signIn(SIGN_IN, LONG));
    assertEquals("r-1", error.getRequestId());
    assertEquals(1, server.calls.get());
  }

  @Test
  void noRepeatIsMadeThatTheDeadlineHasNoRoomFor() {
    RetryInfo later =
        RetryInfo.newBuilder().setRetryDelay(Duration.newBuilder().setSeconds(3600)).build();
    server.failures.add(FakeTwofold.failure(Code.UNAVAILABLE, "DATABASE_UNAVAILABLE", later));
    TwofoldException error =
        assertThrows(
            UnavailableException.class, () -> client.accounts().getAccount(GET_ACCOUNT, LONG));
    assertEquals(Optional.of(java.time.Duration.ofHours(1)), error.getRetryAfter());
    assertEquals(1, server.calls.get());
  }

  @Test
  void aCallEndsAtItsTimeout() {
    server.silent = true;
    RequestOptions brief = RequestOptions.timeout(java.time.Duration.ofMillis(200));
    assertThrows(
        DeadlineExceededException.class, () -> client.accounts().getAccount(GET_ACCOUNT, brief));
  }

  @Test
  void anErrorSaysAllThatTheServerSaid() {
    server.failures.add(
        FakeTwofold.failure(
            Code.INVALID_ARGUMENT,
            "INVALID_FIELDS",
            BadRequest.newBuilder()
                .addFieldViolations(
                    BadRequest.FieldViolation.newBuilder().setField("email").setDescription("bad"))
                .build(),
            PreconditionFailure.newBuilder()
                .addViolations(
                    PreconditionFailure.Violation.newBuilder().setType("T").setSubject("s"))
                .build(),
            RequestInfo.newBuilder().setRequestId("r-2").build()));
    InvalidFieldsException error =
        assertThrows(InvalidFieldsException.class, () -> client.accounts().signIn(SIGN_IN, LONG));
    assertEquals(List.of(new FieldViolation("email", "bad")), error.getFieldViolations());
    assertEquals(
        List.of(new PreconditionViolation("T", "s", "")), error.getPreconditionViolations());
    assertEquals(
        "INVALID_ARGUMENT INVALID_FIELDS: said so [email] (request r-2)", error.getMessage());
    assertSame(
        Code.INVALID_ARGUMENT, ((StatusRuntimeException) error.getCause()).getStatus().getCode());
  }

  @ParameterizedTest
  @CsvSource({
    "UNAUTHENTICATED, INVALID_CREDENTIALS, InvalidCredentials",
    "UNAUTHENTICATED, INVALID_SECOND_FACTOR, InvalidSecondFactor",
    "UNAUTHENTICATED, SESSION_EXPIRED, SessionExpired",
    "UNAUTHENTICATED, SESSION_REUSED, SessionEnded",
    "UNAUTHENTICATED, CALLER_UNKNOWN, Unauthenticated",
    "PERMISSION_DENIED, RECENT_PASSWORD_REQUIRED, RecentProofRequired",
    "PERMISSION_DENIED, CALLER_NOT_PERMITTED, PermissionDenied",
    "NOT_FOUND, TICKET_NOT_FOUND, NotFound",
    "FAILED_PRECONDITION, TWO_FACTOR_NOT_ENROLLED, FailedPrecondition",
    "RESOURCE_EXHAUSTED, TOO_MANY_ATTEMPTS, ResourceExhausted",
    "ABORTED, CHANGED_MEANWHILE, Aborted",
    "INTERNAL, INTERNAL, InternalError",
    "OUT_OF_RANGE, NEW_ONE, Twofold",
  })
  void eachReasonIsOfItsClass(Code code, String reason, String kind) {
    server.failures.add(FakeTwofold.failure(code, reason));
    TwofoldException error =
        assertThrows(TwofoldException.class, () -> client.accounts().signIn(SIGN_IN, LONG));
    assertEquals(kind + "Exception", error.getClass().getSimpleName());
    assertEquals(reason, error.getReason());
  }

  @Test
  void whatSomethingElseWroteIsInNoLog() {
    server.failures.add(Status.UNKNOWN.withDescription("password=hunter2").asRuntimeException());
    TwofoldException error =
        assertThrows(InternalErrorException.class, () -> client.accounts().signIn(SIGN_IN, LONG));
    StringWriter printed = new StringWriter();
    error.printStackTrace(new PrintWriter(printed));
    assertFalse(printed.toString().contains("hunter2"));
    assertEquals("password=hunter2", error.getServerMessage());
  }

  @Test
  void credentialAndSessionTravelAsMetadata() throws Exception {
    client
        .accounts()
        .getAccount(GET_ACCOUNT, LONG.withSession("access-token").withApprover("proof"));
    Metadata headers = server.headers.poll(10, TimeUnit.SECONDS);
    assertEquals("Bearer shop-secret", header(headers, "authorization"));
    assertEquals("access-token", header(headers, "twofold-session"));
    assertEquals("proof", header(headers, "twofold-approver"));
    assertTrue(header(headers, "user-agent").startsWith("shop/2.1 twofold-java/0."));
  }

  @Test
  void whatCouldBeNoAccessTokenIsRefusedBeforeItIsSent() {
    RequestOptions options = RequestOptions.session("line\nbreak");
    TwofoldException error =
        assertThrows(
            SessionEndedException.class, () -> client.accounts().getAccount(GET_ACCOUNT, options));
    assertEquals("SESSION_INVALID", error.getReason());
    assertEquals(0, server.calls.get());
  }

  @Test
  void aStreamIsNotOneCall() {
    assertThrows(
        IllegalArgumentException.class,
        () ->
            client.call(
                SessionServiceGrpc.getWatchRevocationsMethod(),
                WatchRevocationsRequest.getDefaultInstance(),
                LONG));
  }

  @Test
  void closingEndsTheCallsOfOtherThreads() throws Exception {
    server.silent = true;
    CompletableFuture<?> call =
        CompletableFuture.supplyAsync(() -> client.accounts().getAccount(GET_ACCOUNT, LONG));
    server.headers.poll(10, TimeUnit.SECONDS);
    client.close();
    ExecutionException failed =
        assertThrows(ExecutionException.class, () -> call.get(20, TimeUnit.SECONDS));
    assertEquals(UnavailableException.class, failed.getCause().getClass());
    assertThrows(
        IllegalStateException.class, () -> client.accounts().getAccount(GET_ACCOUNT, LONG));
  }

  @Test
  void aCallWaitsForAConnectionOnlyWhereToldTo() throws Exception {
    client.awaitReady(java.time.Duration.ofSeconds(20));
    String target = server.target();
    server.close();
    try (Client failing = Client.builder(target).build();
        Client waiting = Client.builder(target).waitForReady(true).build()) {
      TwofoldException error =
          assertThrows(
              UnavailableException.class,
              () -> failing.accounts().signIn(SIGN_IN, RequestOptions.NONE));
      assertTrue(error.getMessage().contains("refused"), error.getMessage());
      assertThrows(
          TwofoldException.class, () -> client.accounts().signIn(SIGN_IN, RequestOptions.NONE));
      assertThrows(
          DeadlineExceededException.class,
          () ->
              waiting
                  .accounts()
                  .signIn(SIGN_IN, RequestOptions.timeout(java.time.Duration.ofMillis(300))));
    }
  }

  private static String header(Metadata headers, String name) {
    return headers.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
  }
}
