package twofold;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Set;
import java.util.function.LongSupplier;
import twofold.v1.GetSigningKeysResponse;
import twofold.v1.WatchRevocationsResponse;

/**
 * How a verifier judges a token: what it holds, and the way through it. No I/O, and any thread may
 * ask.
 */
final class Judge {
  /** At most one fetch of the keys in this time for the sake of tokens that name an unknown one. */
  static final long UNKNOWN_KEY_NANOS = Duration.ofSeconds(30).toNanos();

  final String realmId;
  final String audience;
  final Duration silence;
  final Received received;
  private final long leewayMillis;
  private final int cacheSize;
  private final InstantSource clock;
  private final LongSupplier ticker;
  private final Runnable fetchKeys;
  private volatile SigningKeys trust;

  /** When a sign of life was last heard with which all was known; null: never. */
  private volatile Long heard;

  private volatile boolean fetching;
  private volatile boolean stopped;
  private Long unknownKeyAsked;

  /**
   * Takes the settings of a Verifier; {@code fetchKeys} is called, from any thread, when the keys
   * are to be fetched. Throws IllegalArgumentException where a value makes no sense.
   */
  Judge(
      String realmId,
      String audience,
      Duration leeway,
      Duration silence,
      int cacheSize,
      InstantSource clock,
      LongSupplier ticker,
      Runnable fetchKeys) {
    if (realmId.isEmpty() || audience.isEmpty()) {
      throw new IllegalArgumentException(
          "a verifier needs the realm and the audience that its tokens must have been issued for");
    }
    if (leeway.isNegative() || leeway.compareTo(Duration.ofMillis(Claims.MAX_LEEWAY_MILLIS)) > 0) {
      throw new IllegalArgumentException("the leeway is 0 to 30 seconds, not " + leeway);
    }
    if (cacheSize < 2) {
      throw new IllegalArgumentException("cacheSize must be at least 2");
    }
    this.realmId = realmId;
    this.audience = audience;
    this.silence = Durations.requirePositive("silence", silence);
    this.received = new Received(realmId);
    this.leewayMillis = leeway.toMillis();
    this.cacheSize = cacheSize;
    this.clock = clock;
    this.ticker = ticker;
    this.fetchKeys = fetchKeys;
  }

  /** Whether all that was revoked is known, and a sign of life was heard lately. */
  boolean isFresh() {
    Long last = heard;
    return !stopped
        && last != null
        && ticker.getAsLong() - last <= silence.toNanos()
        && trust != null;
  }

  /** Judges a token by what is held; never waits. Throws as Verifier.verify. */
  VerifiedSession verify(String token) {
    // Before and after: what is held may have become whole or old while the token was judged.
    boolean fresh = isFresh();
    VerifiedSession session;
    try {
      session = judge(token);
    } catch (BadToken.UnknownKey e) {
      if (wantKeys()) {
        throw Verdicts.notReady("The token names a key that is being fetched.", null);
      }
      throw Verdicts.invalid("unknown key");
    }
    if (!fresh || !isFresh()) {
      throw Verdicts.notReady(whyNotFresh(), null);
    }
    return session;
  }

  /**
   * Judges a token by what is held, fresh or not. Throws UnknownKey, SessionEnded, SessionExpired.
   */
  VerifiedSession judge(String token) throws BadToken.UnknownKey {
    SigningKeys keys = trust;
    if (keys == null) {
      throw Verdicts.notReady("The signing keys have not been fetched yet.", null);
    }
    // Far longer ones are not even hashed. What is beyond Latin 1 becomes a question mark, which no
    // good
    // token holds.
    if (token.length() > AccessToken.MAX_CHARACTERS) {
      throw Verdicts.invalid("too long");
    }
    byte[] raw = token.getBytes(StandardCharsets.ISO_8859_1);
    long now = clock.millis();
    TokenDigest digest = TokenDigest.of(raw);
    TokenCache.Entry entry = keys.cache.get(digest);
    if (entry == null || now >= entry.untilMillis()) {
      entry = read(keys, token, raw, digest, now);
    }
    if (received.held().isDead(entry.session(), entry.kid())) {
      throw Verdicts.ended();
    }
    return entry.session();
  }

  private TokenCache.Entry read(
      SigningKeys keys, String token, byte[] raw, TokenDigest digest, long now)
      throws BadToken.UnknownKey {
    try {
      TokenCache.Entry entry = AccessToken.read(token, raw, keys, now);
      keys.cache.put(digest, entry);
      return entry;
    } catch (BadToken.UnknownKey unknown) {
      // Taken out of the set because it is revoked: there is nothing to fetch.
      if (received.held().isKeyDead(unknown.kid)) {
        throw Verdicts.ended();
      }
      throw unknown;
    } catch (BadToken.Expired e) {
      throw Verdicts.expired();
    } catch (BadToken bad) {
      throw Verdicts.invalid(bad.getMessage());
    }
  }

  /** Says why nobody is vouched for. */
  String whyNotFresh() {
    return heard == null
        ? "It is not known yet what is revoked."
        : "Nothing was heard of what is revoked for " + Durations.text(silence) + ".";
  }

  /**
   * Verifies with these keys from now on. Throws IllegalArgumentException where they or the issuer
   * make no sense.
   */
  synchronized void takeKeys(GetSigningKeysResponse response) {
    if (response.getIssuer().isEmpty()) {
      throw new IllegalArgumentException("the server names no issuer");
    }
    if (!response.getAudiencesList().contains(audience)) {
      throw new IllegalArgumentException(
          "the realm \"%s\" issues no tokens for the audience \"%s\"".formatted(realmId, audience));
    }
    SigningKeys before = trust;
    if (!stopped && (before == null || !before.published.equals(response))) {
      Claims claims = new Claims(realmId, response.getIssuer(), audience, leewayMillis);
      trust = new SigningKeys(response, claims, new TokenCache(cacheSize));
    }
    fetching = false;
  }

  /**
   * Has the keys fetched because of an unknown one, unless that was done lately. True: they are on
   * their way.
   */
  boolean wantKeys() {
    synchronized (this) {
      if (fetching) {
        return true;
      }
      long now = ticker.getAsLong();
      if (unknownKeyAsked != null && now - unknownKeyAsked < UNKNOWN_KEY_NANOS) {
        return false;
      }
      unknownKeyAsked = now;
      fetching = true;
    }
    fetchKeys.run();
    return true;
  }

  /** Whether the keys are being fetched. */
  boolean areKeysComing() {
    return fetching;
  }

  /** A fetch of the keys begins; it ends with takeKeys, however often it must be tried. */
  synchronized void beginFetch() {
    fetching = true;
  }

  /** Takes a message of a stream in; true if all is known with it. */
  boolean take(Received.Stream stream, WatchRevocationsResponse message)
      throws Received.StreamBroken {
    Set<String> before = received.held().deadKeys();
    long now = ticker.getAsLong();
    boolean current = stream.take(message, now / 1_000_000, clock.millis());
    if (current) {
      heard = now;
    }
    if (!before.containsAll(received.held().deadKeys())) {
      // Withdrawn in an emergency: what signs now may be known to nobody yet.
      fetchKeys.run();
    }
    return current;
  }

  /** Vouches for nobody any more. */
  synchronized void stop() {
    stopped = true;
    trust = null;
  }
}
