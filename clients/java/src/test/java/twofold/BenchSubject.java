package twofold;

import com.google.protobuf.Timestamp;
import java.time.Clock;
import java.time.Duration;
import java.util.function.Function;
import twofold.v1.WatchRevocationsResponse;

/** The way of {@link Verifier#verify}, told by hand what a server would tell it. */
public final class BenchSubject {
  private BenchSubject() {}

  /** Verifies tokens of that maker. */
  public static Function<String, VerifiedSession> verifier(TokenMaker maker, int cacheSize) {
    Judge judge =
        new Judge(
            TokenMaker.REALM,
            TokenMaker.AUDIENCE,
            Duration.ZERO,
            Duration.ofHours(1),
            cacheSize,
            Clock.systemUTC(),
            System::nanoTime,
            () -> {});
    judge.takeKeys(TokenMaker.keys(maker));
    WatchRevocationsResponse snapshot =
        WatchRevocationsResponse.newBuilder()
            .setReset(true)
            .setCurrent(true)
            .setResumeToken("1.1")
            .setServerTime(Timestamp.newBuilder().setSeconds(System.currentTimeMillis() / 1000))
            .build();
    try {
      judge.take(judge.received.stream(Duration.ofHours(1)), snapshot);
    } catch (Received.StreamBroken e) {
      throw new IllegalStateException(e);
    }
    return judge::verify;
  }
}
