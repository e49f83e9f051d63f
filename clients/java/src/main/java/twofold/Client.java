package twofold;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Calls a Twofold service: {@code client.accounts().signIn(request)}.
 *
 * <p>Every method of the contract takes its request message, and where needed {@link
 * RequestOptions}, and returns its response message, or throws a {@link TwofoldException}. A client
 * connects on first use; any number of threads may share one.
 */
public final class Client implements AutoCloseable {
  private final String target;
  private final Policy policy;
  private final ManagedChannel channel;
  private final Reconnector reconnector;
  private final Calls calls;
  private final Accounts accounts;
  private final TwoFactor twoFactor;
  private final Sessions sessions;
  private final Recovery recovery;
  private final Support support;

  private Client(Builder builder) {
    Targets.requireSafe(builder.target, builder.tls);
    this.target = builder.target;
    this.policy =
        new Policy(builder.credential, builder.deadline, builder.retries, builder.waitForReady);
    this.channel = Channels.open(builder.target, builder.tls, builder.userAgent);
    this.reconnector = Reconnector.of(channel);
    this.calls = new Calls(channel, policy);
    this.accounts = new Accounts(calls);
    this.twoFactor = new TwoFactor(calls);
    this.sessions = new Sessions(calls);
    this.recovery = new Recovery(calls);
    this.support = new Support(calls);
  }

  /**
   * Prepares a client of a target: {@code auth.example.com:443}, {@code 127.0.0.1:50051} or {@code
   * unix:/run/twofold}.
   */
  public static Builder builder(String target) {
    return new Builder(target);
  }

  /** AccountService. */
  public Accounts accounts() {
    return accounts;
  }

  /** TwoFactorService. */
  public TwoFactor twoFactor() {
    return twoFactor;
  }

  /** SessionService. */
  public Sessions sessions() {
    return sessions;
  }

  /** RecoveryService. */
  public Recovery recovery() {
    return recovery;
  }

  /** SupportService. */
  public Support support() {
    return support;
  }

  /**
   * Makes a call by its descriptor, such as {@code AccountServiceGrpc.getSignInMethod()}, with the
   * deadline, the repeats and the errors of every other.
   *
   * @throws IllegalArgumentException for a method that streams
   */
  public <Q, R> R call(MethodDescriptor<Q, R> method, Q request, RequestOptions options) {
    if (method.getType() != MethodDescriptor.MethodType.UNARY) {
      throw new IllegalArgumentException(method.getFullMethodName() + " is a stream, not one call");
    }
    return calls.unary(method, request, options);
  }

  /** Connects, and returns once connected; at the client's deadline throws UnavailableException. */
  public void awaitReady() {
    awaitReady(policy.deadline);
  }

  /**
   * Connects, and returns once connected.
   *
   * @throws UnavailableException after {@code timeout}, or if the thread is interrupted
   */
  public void awaitReady(Duration timeout) {
    long ends = System.nanoTime() + Durations.requirePositive("timeout", timeout).toNanos();
    calls.requireOpen();
    ConnectivityState state = channel.getState(true);
    while (state != ConnectivityState.READY) {
      CountDownLatch changed = new CountDownLatch(1);
      channel.notifyWhenStateChanged(state, changed::countDown);
      try {
        if (!changed.await(ends - System.nanoTime(), TimeUnit.NANOSECONDS)) {
          throw Failures.notConnected(target, timeout);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw Failures.notConnected(target, timeout);
      }
      if (calls.isClosed()) {
        throw Failures.closed(null);
      }
      state = channel.getState(true);
    }
  }

  /** Closes the connection; calls under way in other threads end with UnavailableException. */
  @Override
  public void close() {
    calls.close();
    reconnector.close();
    channel.shutdownNow();
    try {
      channel.awaitTermination(1, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  boolean isClosed() {
    return calls.isClosed();
  }

  @Override
  public String toString() {
    return "Client of " + target;
  }

  /** The settings of a client. */
  public static final class Builder {
    private final String target;
    private String credential;
    private TlsOptions tls;
    private Duration deadline = Duration.ofSeconds(5);
    private int retries = 3;
    private boolean waitForReady;
    private String userAgent = "";

    private Builder(String target) {
      this.target = Objects.requireNonNull(target, "target");
    }

    /** The calling service's own credential; null: it is known by its certificate. Never shown. */
    public Builder credential(String credential) {
      this.credential = credential;
      return this;
    }

    /** TLS; without it only loopback addresses and unix sockets are accepted. */
    public Builder tls(TlsOptions tls) {
      this.tls = tls;
      return this;
    }

    /** How long a call may take that names no timeout, repeats included; 5 s. */
    public Builder deadline(Duration deadline) {
      this.deadline = deadline;
      return this;
    }

    /** How often a call is repeated at most, where the contract allows it; 3. */
    public Builder retries(int retries) {
      this.retries = retries;
      return this;
    }

    /**
     * A call made while there is no connection waits for one, within its deadline, instead of
     * failing; off.
     */
    public Builder waitForReady(boolean waitForReady) {
      this.waitForReady = waitForReady;
      return this;
    }

    /** Stands before the client's own user agent, such as {@code shop/2.1}. */
    public Builder userAgent(String userAgent) {
      this.userAgent = Objects.requireNonNull(userAgent, "userAgent");
      return this;
    }

    /**
     * Makes the client.
     *
     * @throws IllegalArgumentException where a value makes no sense, and for plain text beyond
     *     loopback
     */
    public Client build() {
      return new Client(this);
    }
  }
}
