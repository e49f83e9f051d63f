package twofold;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * The SHA-256 of a token, as the key of a map: a forged copy with another signature is another
 * entry.
 */
record TokenDigest(long a, long b, long c, long d) {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final ThreadLocal<Hasher> HASHER = ThreadLocal.withInitial(Hasher::new);

  static TokenDigest of(byte[] raw) {
    return HASHER.get().digest(raw);
  }

  /** Any part of a digest is as good a hash as another. */
  @Override
  public int hashCode() {
    return (int) a;
  }

  private static final class Hasher {
    private final MessageDigest sha256;
    private final byte[] out = new byte[32];

    Hasher() {
      try {
        sha256 = MessageDigest.getInstance("SHA-256");
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("the Java runtime has no SHA-256", e);
      }
    }

    TokenDigest digest(byte[] raw) {
      sha256.update(raw, 0, raw.length);
      try {
        sha256.digest(out, 0, out.length);
      } catch (DigestException e) {
        throw new IllegalStateException(e);
      }
      return new TokenDigest(
          (long) LONGS.get(out, 0),
          (long) LONGS.get(out, 8),
          (long) LONGS.get(out, 16),
          (long) LONGS.get(out, 24));
    }
  }
}
