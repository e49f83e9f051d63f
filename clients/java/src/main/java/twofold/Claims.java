package twofold;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The claims of an access token (RFC 9068 and OpenID Connect Core): read, and judged but for
 * revocation.
 *
 * @param realmId the realm that tokens must come from
 * @param issuer its {@code iss}
 * @param audience the {@code aud} that tokens must have
 * @param leewayMillis what an expired token is forgiven, 0 to 30,000
 */
record Claims(String realmId, String issuer, String audience, long leewayMillis) {
  static final long MAX_LEEWAY_MILLIS = 30_000;
  private static final int MAX_METHODS = 16;
  // 9999-12-31T23:59:59Z.
  private static final long MAX_SECONDS = 253_402_300_799L;
  // One spelling only: capitals, braces or `urn:uuid:` would give one account many names.
  private static final Pattern UUID =
      Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

  /** Returns what a payload says. Throws BadToken, as Expired where that alone is against it. */
  VerifiedSession read(byte[] payload, long nowMillis) throws BadToken {
    Map<String, Object> claims = Json.object(payload, "payload malformed");
    if (!issuer.equals(claims.get("iss"))) {
      throw new BadToken("wrong issuer");
    }
    if (!audience.equals(claims.get("aud"))) {
      throw new BadToken("wrong audience");
    }
    uuid(claims.get("jti"));
    if (!(claims.get("client_id") instanceof String clientId) || clientId.isEmpty()) {
      throw new BadToken("an identifier malformed");
    }
    long expires = whole(claims.get("exp"), 0, MAX_SECONDS);
    VerifiedSession session =
        new VerifiedSession(
            uuid(claims.get("sub")),
            uuid(claims.get("sid")),
            realmId,
            clientId,
            audience,
            methods(claims.get("amr")),
            (int) whole(claims.get("aal"), 1, 2),
            time(claims.get("auth_time")),
            claims.containsKey("second_factor_time")
                ? Optional.of(time(claims.get("second_factor_time")))
                : Optional.empty(),
            (int) whole(claims.get("epoch"), 0, Integer.MAX_VALUE),
            Instant.ofEpochSecond(expires));
    // No token gains by an early `iat`, and the clocks of machines differ: as much as may be is
    // forgiven.
    if (whole(claims.get("iat"), 0, MAX_SECONDS) * 1000 > nowMillis + MAX_LEEWAY_MILLIS) {
      throw new BadToken("issued in the future");
    }
    if (claims.containsKey("nbf")
        && whole(claims.get("nbf"), 0, MAX_SECONDS) * 1000 > nowMillis + leewayMillis) {
      throw new BadToken("not valid yet");
    }
    if (expires * 1000 + leewayMillis <= nowMillis) {
      throw new BadToken.Expired();
    }
    return session;
  }

  private static String uuid(Object value) throws BadToken {
    if (!(value instanceof String text) || !UUID.matcher(text).matches()) {
      throw new BadToken("an identifier malformed");
    }
    return text;
  }

  private static List<String> methods(Object value) throws BadToken {
    if (!(value instanceof List<?> list)
        || list.size() > MAX_METHODS
        || !list.stream().allMatch(String.class::isInstance)) {
      throw new BadToken("amr malformed");
    }
    return list.stream().map(String.class::cast).toList();
  }

  private static Instant time(Object value) throws BadToken {
    return Instant.ofEpochSecond(whole(value, 0, MAX_SECONDS));
  }

  private static long whole(Object value, long least, long most) throws BadToken {
    if (!(value instanceof Long number) || number < least || number > most) {
      throw new BadToken("a number malformed");
    }
    return number;
  }
}
