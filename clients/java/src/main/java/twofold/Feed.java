package twofold;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import twofold.v1.GetSigningKeysRequest;
import twofold.v1.WatchRevocationsRequest;
import twofold.v1.WatchRevocationsResponse;

/**
 * What feeds a Judge: two threads that fetch the keys and follow the revocations, until it is
 * closed.
 */
final class Feed implements AutoCloseable {
  /**
   * How often the signing keys are fetched anyway: a new one is published 10 min before it signs.
   */
  static final Duration KEYS = Duration.ofSeconds(300);

  private final VerifierSettings settings;
  private final Judge judge;
  private final Client client;
  private final Tries keys = new Tries("signing keys");
  private final Tries stream = new Tries("revocations");
  private final Semaphore keysWanted = new Semaphore(0);
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Object news = new Object();
  private volatile Client streamClient;
  private List<Thread> threads = List.of();

  Feed(VerifierSettings settings) {
    this.settings = settings;
    this.judge = settings.judge(keysWanted::release);
    this.client = settings.connect();
  }

  Judge judge() {
    return judge;
  }

  Sessions sessions() {
    return client.sessions();
  }

  synchronized void start() {
    if (!threads.isEmpty() || isClosed()) {
      throw new IllegalStateException("The verifier was started before.");
    }
    threads =
        List.of(
            new Thread(this::keepKeys, "twofold-keys"),
            new Thread(this::keepWatching, "twofold-revocations"));
    for (Thread thread : threads) {
      thread.setDaemon(true);
      thread.start();
    }
  }

  @Override
  public synchronized void close() {
    closed.countDown();
    judge.stop();
    client.close();
    Client streaming = streamClient;
    if (streaming != null) {
      streaming.close();
    }
    for (Thread thread : threads) {
      thread.interrupt();
    }
    try {
      for (Thread thread : threads) {
        thread.join(settings.deadline.toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    tell();
  }

  /** Why there are no keys or revocations, if waiting does not mend it; else null. */
  RuntimeException refusal() {
    RuntimeException ofKeys = keys.refusal();
    return ofKeys != null ? ofKeys : stream.refusal();
  }

  /** What went wrong last; null once all went well. */
  Exception error() {
    Exception ofKeys = keys.error();
    return ofKeys != null ? ofKeys : stream.error();
  }

  /**
   * Waits until {@code done}, looked at whenever something was heard; false if that was not in
   * time.
   */
  boolean await(Duration timeout, BooleanSupplier done) {
    long ends = System.nanoTime() + Durations.requirePositive("timeout", timeout).toNanos();
    synchronized (news) {
      while (!done.getAsBoolean()) {
        long left = ends - System.nanoTime();
        if (left <= 0 || isClosed()) {
          return false;
        }
        try {
          TimeUnit.NANOSECONDS.timedWait(news, Math.max(left, 1_000_000));
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return false;
        }
      }
      return true;
    }
  }

  private void keepKeys() {
    GetSigningKeysRequest request =
        GetSigningKeysRequest.newBuilder().setRealmId(judge.realmId).build();
    while (!isClosed()) {
      keysWanted.drainPermits();
      judge.beginFetch();
      try {
        judge.takeKeys(client.sessions().getSigningKeys(request));
        keys.succeeded();
        tell();
        keysWanted.tryAcquire(KEYS.toNanos(), TimeUnit.NANOSECONDS);
      } catch (RuntimeException e) {
        failed(keys, e);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private void keepWatching() {
    while (!isClosed()) {
      // A connection for each stream, given up with it: a silent one may be dead, and would be
      // found out
      // much later.
      try (Client connection = settings.connect()) {
        streamClient = connection;
        if (isClosed()) {
          return;
        }
        watch(connection);
      } catch (ServerStream.SilentException e) {
        failed(stream, new Received.StreamBroken("nothing was heard"));
      } catch (RuntimeException | Received.StreamBroken e) {
        failed(stream, e);
      }
    }
  }

  private void watch(Client connection) throws Received.StreamBroken, ServerStream.SilentException {
    Received.Stream taken = judge.received.stream(judge.silence);
    WatchRevocationsRequest request =
        WatchRevocationsRequest.newBuilder()
            .setRealmId(judge.realmId)
            .setResumeToken(judge.received.resumeToken())
            .build();
    boolean told = false;
    try (ServerStream<WatchRevocationsResponse> messages =
        connection.sessions().watchRevocations(request)) {
      while (messages.hasNextWithin(judge.silence)) {
        told |= judge.take(taken, messages.next());
        if (told && stream.error() != null) {
          stream.succeeded();
        }
        tell();
      }
    }
    throw new Received.StreamBroken("it ended");
  }

  private void failed(Tries tries, Exception failure) {
    if (isClosed()) {
      return;
    }
    Duration pause = tries.failed(failure);
    tell();
    try {
      closed.await(pause.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      // Only close interrupts, and the loop sees that.
      return;
    }
  }

  private boolean isClosed() {
    return closed.getCount() == 0;
  }

  private void tell() {
    synchronized (news) {
      news.notifyAll();
    }
  }
}
