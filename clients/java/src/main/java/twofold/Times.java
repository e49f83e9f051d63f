package twofold;

import com.google.protobuf.Timestamp;

/** Timestamps of the contract. */
final class Times {
  private Times() {}

  /** Gives a Timestamp as milliseconds since 1970. */
  static long millis(Timestamp time) {
    return time.getSeconds() * 1000 + time.getNanos() / 1_000_000;
  }
}
