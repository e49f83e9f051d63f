package twofold;

import java.math.BigDecimal;
import java.time.Duration;

/** Durations of the settings. */
final class Durations {
  // 292 years; System.nanoTime can measure no more.
  private static final Duration LONGEST = Duration.ofNanos(Long.MAX_VALUE / 2);

  private Durations() {}

  /**
   * Gives a duration back. Throws IllegalArgumentException if it is not positive, or beyond
   * measuring.
   */
  static Duration requirePositive(String name, Duration value) {
    if (value.isNegative() || value.isZero() || value.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException(name + " must be a positive duration, not " + value);
    }
    return value;
  }

  /** As people write it: {@code 0.25 s}. */
  static String text(Duration value) {
    return BigDecimal.valueOf(value.toMillis(), 3).stripTrailingZeros().toPlainString() + " s";
  }
}
