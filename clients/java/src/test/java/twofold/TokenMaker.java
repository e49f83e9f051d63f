package twofold;

import com.google.protobuf.ByteString;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.UUID;
import twofold.v1.GetSigningKeysResponse;
import twofold.v1.SigningKey;

/** Signs access tokens as the service does, with a key of its own. */
public final class TokenMaker {
  public static final String REALM = "default";
  public static final String AUDIENCE = "billing";
  private static final String ISSUER = "https://auth.example.com/default";

  private final String kid;
  private final KeyPair pair;

  public TokenMaker(String kid) {
    this.kid = kid;
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      this.pair = generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What is signed, and how: {@code text} is the token. */
  public record Made(String text, byte[] signed, byte[] signature, String sessionId) {}

  /** A token of a new session, good for 5 min from {@code now}, seconds since 1970. */
  public Made make(long now, int aal) {
    String header = "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}".formatted(kid);
    String session = UUID.randomUUID().toString();
    String claims =
        """
        {"iss":"%s","sub":"%s","aud":"%s","client_id":"web","jti":"%s","sid":"%s","epoch":1,"amr":["pwd"],\
        "aal":%d,"iat":%d,"exp":%d,"auth_time":%d}\
        """
            .formatted(
                ISSUER,
                UUID.randomUUID(),
                AUDIENCE,
                UUID.randomUUID(),
                session,
                aal,
                now,
                now + 300,
                now);
    byte[] signed =
        (encoded(bytes(header)) + "." + encoded(bytes(claims))).getBytes(StandardCharsets.US_ASCII);
    try {
      Signature signing = Signature.getInstance("SHA256withECDSAinP1363Format");
      signing.initSign(pair.getPrivate());
      signing.update(signed);
      byte[] signature = signing.sign();
      String text = new String(signed, StandardCharsets.US_ASCII) + "." + encoded(signature);
      return new Made(text, signed, signature, session);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  public PublicKey publicKey() {
    return pair.getPublic();
  }

  /** The key set with these keys. */
  public static GetSigningKeysResponse keys(TokenMaker... makers) {
    GetSigningKeysResponse.Builder keys =
        GetSigningKeysResponse.newBuilder().setIssuer(ISSUER).addAudiences(AUDIENCE);
    for (TokenMaker maker : makers) {
      ECPublicKey key = (ECPublicKey) maker.pair.getPublic();
      keys.addKeys(
          SigningKey.newBuilder()
              .setKeyId(maker.kid)
              .setX(coordinate(key.getW().getAffineX()))
              .setY(coordinate(key.getW().getAffineY())));
    }
    return keys.build();
  }

  private static ByteString coordinate(BigInteger value) {
    byte[] padded = new byte[32];
    byte[] raw = value.toByteArray();
    int length = Math.min(raw.length, 32);
    System.arraycopy(raw, raw.length - length, padded, 32 - length, length);
    return ByteString.copyFrom(padded);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String encoded(byte[] raw) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(raw);
  }
}
