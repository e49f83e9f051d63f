package twofold;

import java.util.concurrent.ConcurrentHashMap;

/**
 * Verified tokens by the digest of the whole token, the last {@code size} or half as many: what was
 * not asked for meanwhile is let go.
 *
 * <p>Two halves instead of an order of use, which each look-up would have to write. Racing threads
 * lose an entry at worst.
 */
final class TokenCache {
  /**
   * A token that was good.
   *
   * @param session what it says
   * @param untilMillis until when it is good, in milliseconds since 1970
   * @param kid the id of the key that signed it
   */
  record Entry(VerifiedSession session, long untilMillis, String kid) {}

  private final int half;
  private volatile ConcurrentHashMap<TokenDigest, Entry> young = new ConcurrentHashMap<>();
  private volatile ConcurrentHashMap<TokenDigest, Entry> old = new ConcurrentHashMap<>();

  TokenCache(int size) {
    this.half = Math.max(1, size / 2);
  }

  Entry get(TokenDigest digest) {
    Entry entry = young.get(digest);
    if (entry == null) {
      entry = old.get(digest);
      if (entry != null) {
        put(digest, entry);
      }
    }
    return entry;
  }

  void put(TokenDigest digest, Entry entry) {
    if (young.size() >= half) {
      turn();
    }
    young.put(digest, entry);
  }

  int size() {
    return young.size() + old.size();
  }

  private synchronized void turn() {
    if (young.size() >= half) {
      old = young;
      young = new ConcurrentHashMap<>();
    }
  }
}
