package twofold;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;

/**
 * Access tokens: ES256 JWTs of type {@code at+jwt} (RFC 9068), read without leniency.
 *
 * <p>One spelling is taken and no other: a header of exactly {@code alg}, {@code typ} and {@code
 * kid}, canonical base64url, JSON without duplicate names. So no header can name a key or a rule of
 * its own ({@code jku}, {@code jwk}, {@code x5u}, {@code x5c}, {@code crit}), and what is good here
 * is good everywhere. Nothing of the payload is read before the signature is good (RFC 8725).
 */
final class AccessToken {
  static final int MAX_CHARACTERS = 4096;
  private static final int MAX_HEADER_CHARACTERS = 256;

  private AccessToken() {}

  /**
   * What a token says that one of {@code keys} signed.
   *
   * @param token the same as {@code raw}, ASCII
   * @throws BadToken as UnknownKey, as Expired where expiry alone is against the token, or as it is
   */
  static TokenCache.Entry read(String token, byte[] raw, SigningKeys keys, long nowMillis)
      throws BadToken {
    if (raw.length > MAX_CHARACTERS) {
      throw new BadToken("too long");
    }
    int first = token.indexOf('.');
    int second = token.indexOf('.', first + 1);
    if (first < 0 || second < 0 || token.indexOf('.', second + 1) >= 0) {
      throw new BadToken("not three segments");
    }
    String header = token.substring(0, first);
    SigningKeys.Key key = keys.byHeader(header);
    if (key == null) {
      String kid = kid(header);
      key = keys.byId(kid);
      if (key == null) {
        throw new BadToken.UnknownKey(kid);
      }
    }
    byte[] signature = decode(token.substring(second + 1), "signature malformed");
    if (signature.length != P256.SIGNATURE_BYTES) {
      throw new BadToken("signature malformed");
    }
    byte[] payload = decode(token.substring(first + 1, second), "payload malformed");
    if (!key.publicKey().signed(raw, second, signature)) {
      throw new BadToken("signature wrong");
    }
    keys.remember(header, key);
    VerifiedSession session = keys.claims.read(payload, nowMillis);
    if (key.retiresMillis() <= nowMillis) {
      throw new BadToken("key retired");
    }
    long until =
        Math.min(
            session.expireTime().toEpochMilli() + keys.claims.leewayMillis(), key.retiresMillis());
    return new TokenCache.Entry(session, until, key.kid());
  }

  private static String kid(String segment) throws BadToken {
    if (segment.length() > MAX_HEADER_CHARACTERS) {
      throw new BadToken("header malformed");
    }
    Map<String, Object> header =
        Json.object(decode(segment, "header malformed"), "header malformed");
    if (!"ES256".equals(header.get("alg"))) {
      throw new BadToken("wrong algorithm");
    }
    if (!"at+jwt".equals(header.get("typ"))) {
      throw new BadToken("wrong type");
    }
    if (header.size() != 3 || !(header.get("kid") instanceof String kid)) {
      throw new BadToken("header not exactly alg, typ and kid");
    }
    return kid;
  }

  private static byte[] decode(String segment, String why) throws BadToken {
    // The bits of the last character that belong to no byte are zero, or there would be several
    // spellings;
    // the platform's decoder ignores them, and takes padding.
    if (segment.isEmpty() || segment.indexOf('=') >= 0 || hasStrayBits(segment)) {
      throw new BadToken(why);
    }
    try {
      return Base64.getUrlDecoder().decode(segment.getBytes(StandardCharsets.ISO_8859_1));
    } catch (IllegalArgumentException e) {
      throw new BadToken(why);
    }
  }

  private static boolean hasStrayBits(String segment) {
    String last =
        switch (segment.length() & 3) {
          case 0 -> null;
          case 2 -> "AQgw";
          case 3 -> "AEIMQUYcgkosw048";
          default -> "";
        };
    return last != null && last.indexOf(segment.charAt(segment.length() - 1)) < 0;
  }
}
