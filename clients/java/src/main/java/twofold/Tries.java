package twofold;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;

/** The tries to do one thing: how long to wait before the next, and the last failure. */
final class Tries {
  private static final Logger LOG = System.getLogger("twofold");
  private static final long FIRST_MILLIS = 100;
  // Well below the silence that a verifier bears.
  private static final long LONGEST_MILLIS = 2_000;

  private final String what;
  private int failed;
  private volatile Exception error;

  Tries(String what) {
    this.what = what;
  }

  /** Why the last one failed; null once one has succeeded. */
  Exception error() {
    return error;
  }

  /** Forgets what failed before. */
  void succeeded() {
    if (failed > 1) {
      LOG.log(Level.INFO, "{0}: well again", what);
    }
    failed = 0;
    error = null;
  }

  /**
   * Notes a failure; gives how long to wait: not at all where a server only asked to be left, else
   * with jitter.
   */
  Duration failed(Exception failure) {
    failed++;
    error = failure;
    Duration asked = Duration.ZERO;
    if (failure instanceof TwofoldException refused) {
      if (failed == 1 && refused.getReason().equals("SERVER_DRAINING")) {
        LOG.log(Level.DEBUG, "{0}: the server is stopping", what);
        return Duration.ZERO;
      }
      asked = refused.getRetryAfter().orElse(Duration.ZERO);
    }
    long longest = Math.min(FIRST_MILLIS << Math.min(failed - 1, 8), LONGEST_MILLIS);
    long askedMillis = asked.getSeconds() < 2 ? asked.toMillis() : LONGEST_MILLIS;
    // Where all verifiers lost the same server, they must not come back all at once.
    Duration pause =
        Duration.ofMillis((long) (Math.max(longest, askedMillis) * Attempts.random(0.5, 1.0)));
    // The first of a row is nothing unusual: connections end by age.
    LOG.log(
        failed == 2 ? Level.WARNING : Level.DEBUG,
        "{0}: {1}; again in {2}",
        what,
        failure.getMessage(),
        Durations.text(pause));
    return pause;
  }

  /** The last failure, if it is one that waiting does not mend; else null. */
  RuntimeException refusal() {
    Exception last = error;
    boolean lasting =
        last instanceof IllegalArgumentException
            || last instanceof TwofoldException
                && !(last instanceof UnavailableException
                    || last instanceof DeadlineExceededException
                    || last instanceof InternalErrorException
                    || last instanceof ResourceExhaustedException);
    return lasting ? (RuntimeException) last : null;
  }
}
