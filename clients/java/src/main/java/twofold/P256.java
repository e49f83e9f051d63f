package twofold;

import java.math.BigInteger;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECFieldFp;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.Arrays;

/**
 * ES256 signatures: ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4), by the platform's provider.
 */
final class P256 {
  static final int COORDINATE_BYTES = 32;
  static final int SIGNATURE_BYTES = 2 * COORDINATE_BYTES;
  static final String ALGORITHM = "SHA256withECDSAinP1363Format";

  private static final ECParameterSpec CURVE = curve();
  private static final BigInteger PRIME = ((ECFieldFp) CURVE.getCurve().getField()).getP();

  private final PublicKey key;

  /**
   * A public key by its coordinates, 32 bytes each, big-endian.
   *
   * <p>Throws IllegalArgumentException for no point on P-256.
   */
  P256(byte[] x, byte[] y) {
    if (x.length != COORDINATE_BYTES || y.length != COORDINATE_BYTES) {
      throw new IllegalArgumentException("a coordinate on P-256 has 32 bytes");
    }
    ECPoint point = new ECPoint(new BigInteger(1, x), new BigInteger(1, y));
    requireOnCurve(point);
    try {
      this.key = KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(point, CURVE));
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("not a public key on P-256", e);
    }
  }

  /**
   * Whether {@code signature} (64 bytes, r then s) is this key's on the first bytes of {@code
   * message}.
   */
  boolean signed(byte[] message, int length, byte[] signature) {
    // Runtimes before 17.0.3 took zeros for a signature of anything (CVE-2022-21449).
    if (!isScalar(signature, 0) || !isScalar(signature, COORDINATE_BYTES)) {
      return false;
    }
    try {
      Signature verification = Signature.getInstance(ALGORITHM);
      verification.initVerify(key);
      verification.update(message, 0, length);
      return verification.verify(signature);
    } catch (GeneralSecurityException e) {
      return false;
    }
  }

  private static boolean isScalar(byte[] signature, int from) {
    BigInteger value =
        new BigInteger(1, Arrays.copyOfRange(signature, from, from + COORDINATE_BYTES));
    return value.signum() > 0 && value.compareTo(CURVE.getOrder()) < 0;
  }

  // The provider takes any pair of numbers; one that is no point of the curve would leak or forge.
  private static void requireOnCurve(ECPoint point) {
    BigInteger x = point.getAffineX();
    BigInteger y = point.getAffineY();
    BigInteger right =
        x.pow(2).add(CURVE.getCurve().getA()).multiply(x).add(CURVE.getCurve().getB()).mod(PRIME);
    if (x.compareTo(PRIME) >= 0 || y.compareTo(PRIME) >= 0 || !y.pow(2).mod(PRIME).equals(right)) {
      throw new IllegalArgumentException("not a point on P-256");
    }
  }

  private static ECParameterSpec curve() {
    try {
      AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
      parameters.init(new ECGenParameterSpec("secp256r1"));
      return parameters.getParameterSpec(ECParameterSpec.class);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("the Java runtime has no P-256", e);
    }
  }
}
