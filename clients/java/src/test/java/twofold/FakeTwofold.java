package twofold;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Instant;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import twofold.v1.AccountServiceGrpc;
import twofold.v1.CheckSessionRequest;
import twofold.v1.CheckSessionResponse;
import twofold.v1.GetAccountRequest;
import twofold.v1.GetAccountResponse;
import twofold.v1.GetSigningKeysRequest;
import twofold.v1.GetSigningKeysResponse;
import twofold.v1.SessionServiceGrpc;
import twofold.v1.SignInRequest;
import twofold.v1.SignInResponse;
import twofold.v1.WatchRevocationsRequest;
import twofold.v1.WatchRevocationsResponse;

/** A server on loopback that answers as the test says. */
final class FakeTwofold implements AutoCloseable {
  /** A stream of revocations that was opened, with what it was asked for. */
  record Watched(
      WatchRevocationsRequest request, StreamObserver<WatchRevocationsResponse> answers) {
    void send(WatchRevocationsResponse.Builder message) {
      Instant now = Instant.now();
      answers.onNext(
          message
              .setServerTime(
                  Timestamp.newBuilder().setSeconds(now.getEpochSecond()).setNanos(now.getNano()))
              .build());
    }
  }

  final Queue<RuntimeException> failures = new ConcurrentLinkedQueue<>();
  final AtomicInteger calls = new AtomicInteger();
  final AtomicInteger keyFetches = new AtomicInteger();
  final AtomicInteger checks = new AtomicInteger();
  final BlockingQueue<Metadata> headers = new LinkedBlockingQueue<>();
  final BlockingQueue<Watched> watched = new LinkedBlockingQueue<>();
  volatile GetSigningKeysResponse keys = GetSigningKeysResponse.getDefaultInstance();
  volatile boolean silent;
  private final Server server;

  FakeTwofold() throws IOException {
    this(InsecureServerCredentials.create());
  }

  FakeTwofold(ServerCredentials credentials) throws IOException {
    server =
        Grpc.newServerBuilderForPort(0, credentials)
            .addService(new Accounts())
            .addService(new Sessions())
            .intercept(new Headers())
            .build()
            .start();
  }

  String target() {
    return "localhost:" + server.getPort();
  }

  Watched opened() throws InterruptedException {
    Watched stream = watched.poll(20, TimeUnit.SECONDS);
    if (stream == null) {
      throw new AssertionError("no stream was opened");
    }
    return stream;
  }

  static StatusRuntimeException failure(Code code, String reason, Message... details) {
    Status.Builder status = Status.newBuilder().setCode(code.value()).setMessage("said so");
    status.addDetails(
        Any.pack(ErrorInfo.newBuilder().setDomain("twofold").setReason(reason).build()));
    for (Message detail : details) {
      status.addDetails(Any.pack(detail));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }

  static WatchRevocationsResponse.Builder current(String resumeToken) {
    return WatchRevocationsResponse.newBuilder().setCurrent(true).setResumeToken(resumeToken);
  }

  @Override
  public void close() {
    server.shutdownNow();
    try {
      server.awaitTermination(10, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private <T> void answer(StreamObserver<T> answers, T answer) {
    calls.incrementAndGet();
    RuntimeException failure = failures.poll();
    if (silent) {
      return;
    }
    if (failure != null) {
      answers.onError(failure);
      return;
    }
    answers.onNext(answer);
    answers.onCompleted();
  }

  private final class Accounts extends AccountServiceGrpc.AccountServiceImplBase {
    @Override
    public void signIn(SignInRequest request, StreamObserver<SignInResponse> answers) {
      answer(answers, SignInResponse.getDefaultInstance());
    }

    @Override
    public void getAccount(GetAccountRequest request, StreamObserver<GetAccountResponse> answers) {
      answer(answers, GetAccountResponse.getDefaultInstance());
    }
  }

  private final class Sessions extends SessionServiceGrpc.SessionServiceImplBase {
    @Override
    public void getSigningKeys(
        GetSigningKeysRequest request, StreamObserver<GetSigningKeysResponse> answers) {
      keyFetches.incrementAndGet();
      answer(answers, keys);
    }

    @Override
    public void checkSession(
        CheckSessionRequest request, StreamObserver<CheckSessionResponse> answers) {
      checks.incrementAndGet();
      answer(answers, CheckSessionResponse.getDefaultInstance());
    }

    @Override
    public void watchRevocations(
        WatchRevocationsRequest request, StreamObserver<WatchRevocationsResponse> answers) {
      watched.add(new Watched(request, answers));
    }
  }

  private final class Headers implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata metadata, ServerCallHandler<Q, R> next) {
      headers.add(metadata);
      return next.startCall(call, metadata);
    }
  }
}
