package twofold;

import java.time.Duration;
import twofold.v1.Revocation;
import twofold.v1.WatchRevocationsResponse;

/** What was received so far of WatchRevocations, over every stream: the set and its place. */
final class Received {
  private final String realmId;
  private volatile RevocationSet held;
  private String resumeToken = "";

  Received(String realmId) {
    this.realmId = realmId;
    this.held = new RevocationSet(realmId);
  }

  /** What is revoked. Replaced as a whole once a new snapshot is complete. */
  RevocationSet held() {
    return held;
  }

  /** From where the next stream goes on; empty: it begins with a snapshot. */
  String resumeToken() {
    return resumeToken;
  }

  /** Begins to take the messages of a stream that was opened with {@link #resumeToken()}. */
  Stream stream(Duration silence) {
    return new Stream(silence.toMillis());
  }

  /** The stream is not to be trusted any more; the text says why. */
  static final class StreamBroken extends Exception {
    private static final long serialVersionUID = 1L;

    StreamBroken(String why) {
      super(why);
    }
  }

  /** One stream, from its opening to its end. */
  final class Stream {
    private final long silenceMillis;
    private long lag = Long.MAX_VALUE;
    private long serverTime = Long.MIN_VALUE;
    private boolean complete = !resumeToken.isEmpty();
    private RevocationSet snapshot;

    private Stream(long silenceMillis) {
      this.silenceMillis = silenceMillis;
    }

    /**
     * Takes a message in at {@code nowMillis} (monotonic) and {@code wallMillis} (since 1970).
     *
     * <p>True: with it everything is known. Throws StreamBroken for a stream whose clock goes back
     * or falls behind: what it says may be old.
     */
    boolean take(WatchRevocationsResponse message, long nowMillis, long wallMillis)
        throws StreamBroken {
      long time = Times.millis(message.getServerTime());
      if (time < serverTime) {
        throw new StreamBroken("its time went back");
      }
      serverTime = time;
      // Held up somewhere, each message a little more than the one before, a stream can be old and
      // never
      // silent.
      lag = Math.min(lag, nowMillis - time);
      if (nowMillis - time - lag > silenceMillis) {
        throw new StreamBroken("it fell behind");
      }
      if (message.getReset()) {
        snapshot = new RevocationSet(realmId);
        complete = true;
      }
      if (!complete) {
        throw new StreamBroken("it began without a snapshot");
      }
      for (Revocation revocation : message.getRevocationsList()) {
        // At once, even where its snapshot is not complete: it is as true before.
        held.add(revocation);
        if (snapshot != null) {
          snapshot.add(revocation);
        }
      }
      if (message.getCurrent() && snapshot != null) {
        held = snapshot;
        snapshot = null;
      }
      if (!message.getResumeToken().isEmpty() && snapshot == null) {
        resumeToken = message.getResumeToken();
      }
      if (message.getCurrent()) {
        // The earlier of two clocks: one that jumped ahead must not make anything forgotten.
        held.forget(Math.min(wallMillis, time));
      }
      return message.getCurrent();
    }
  }
}
