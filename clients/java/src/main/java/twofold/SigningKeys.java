package twofold;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import twofold.v1.GetSigningKeysResponse;
import twofold.v1.SigningKey;

/** A key set and what was verified with it: another set begins with an empty cache. */
final class SigningKeys {
  private static final int MAX_HEADERS = 64;

  /**
   * A key that tokens may be signed with.
   *
   * @param kid its id
   * @param publicKey what its signatures are checked with
   * @param retiresMillis until when they are good, in milliseconds since 1970
   */
  record Key(String kid, P256 publicKey, long retiresMillis) {}

  final Claims claims;
  final TokenCache cache;
  final GetSigningKeysResponse published;
  private final Map<String, Key> byId = new HashMap<>();
  // The header segments of good tokens.
  private final ConcurrentHashMap<String, Key> byHeader = new ConcurrentHashMap<>();

  /** Throws IllegalArgumentException for what is no point on P-256. */
  SigningKeys(GetSigningKeysResponse published, Claims claims, TokenCache cache) {
    this.published = published;
    this.claims = claims;
    this.cache = cache;
    for (SigningKey key : published.getKeysList()) {
      byId.put(
          key.getKeyId(),
          new Key(
              key.getKeyId(),
              new P256(key.getX().toByteArray(), key.getY().toByteArray()),
              key.hasRetireTime() ? Times.millis(key.getRetireTime()) : Long.MAX_VALUE));
    }
  }

  /** The key of that id; null if it is not in the set. */
  Key byId(String kid) {
    return byId.get(kid);
  }

  /** The key that a header was good with before, or null. */
  Key byHeader(String header) {
    return byHeader.get(header);
  }

  /**
   * Remembers the header of a token that the key has signed: others can't fill it with spellings of
   * their own.
   */
  void remember(String header, Key key) {
    if (byHeader.size() < MAX_HEADERS) {
      byHeader.put(header, key);
    }
  }
}
