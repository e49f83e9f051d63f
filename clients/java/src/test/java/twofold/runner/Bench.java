package twofold.runner;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.SignatureException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import twofold.BenchSubject;
import twofold.TokenMaker;
import twofold.VerifiedSession;

/** How fast the verifier is on one core, beside the limits that nothing of its kind can pass. */
final class Bench {
  private static final int TOKENS = 1_000;
  private static final int SEEN_ROUNDS = 500;
  private static final double SECONDS = 1.0;
  private static final double WARM_UP_SECONDS = 0.3;

  private final TokenMaker maker = new TokenMaker("key-1");
  private final MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
  private Object sink;

  private Bench() throws Exception {}

  /**
   * Prints the four rates, in calls a second, each over a second at least; limit and verifier take
   * turns.
   */
  static void run() throws Exception {
    Bench bench = new Bench();
    // The machine's code is compiled while the first turns run.
    bench.measure(WARM_UP_SECONDS);
    Map<String, Rate> rates = bench.measure(SECONDS);
    System.out.printf(
        "{\"raw_p256\": %d, \"hash_and_map\": %d, \"new\": %d, \"seen\": %d}%n",
        rates.get("raw_p256").perSecond(),
        rates.get("hash_and_map").perSecond(),
        rates.get("new").perSecond(),
        rates.get("seen").perSecond());
  }

  private Map<String, Rate> measure(double seconds) throws Exception {
    Map<String, Rate> rates = new HashMap<>();
    for (String name : List.of("raw_p256", "hash_and_map", "new", "seen")) {
      rates.put(name, new Rate());
    }
    Function<String, VerifiedSession> verify = BenchSubject.verifier(maker, 4 * TOKENS);
    while (rates.values().stream().anyMatch(rate -> rate.nanos < seconds * 1e9)) {
      List<TokenMaker.Made> made = new ArrayList<>();
      Map<ByteBuffer, String> known = new HashMap<>();
      for (int i = 0; i < TOKENS; i++) {
        TokenMaker.Made token = maker.make(System.currentTimeMillis() / 1000, 2);
        made.add(token);
        known.put(digest(token.text()), token.text());
      }
      Signature raw = Signature.getInstance("SHA256withECDSAinP1363Format");
      raw.initVerify(maker.publicKey());
      rates.get("raw_p256").time(() -> verifyRaw(raw, made), TOKENS);
      rates.get("new").time(() -> made.forEach(token -> sink = verify.apply(token.text())), TOKENS);
      for (int round = 0; round < SEEN_ROUNDS; round++) {
        // Other strings of the same text: those of a request are never the ones that were seen.
        List<String> bare = copies(made);
        List<String> again = copies(made);
        rates
            .get("hash_and_map")
            .time(() -> bare.forEach(text -> sink = known.get(digest(text))), TOKENS);
        rates.get("seen").time(() -> again.forEach(text -> sink = verify.apply(text)), TOKENS);
      }
    }
    return rates;
  }

  private static void verifyRaw(Signature raw, List<TokenMaker.Made> made) {
    try {
      for (TokenMaker.Made token : made) {
        raw.update(token.signed());
        if (!raw.verify(token.signature())) {
          throw new IllegalStateException("a good signature is refused");
        }
      }
    } catch (SignatureException e) {
      throw new IllegalStateException(e);
    }
  }

  private ByteBuffer digest(String text) {
    return ByteBuffer.wrap(sha256.digest(text.getBytes(StandardCharsets.ISO_8859_1)));
  }

  private static List<String> copies(List<TokenMaker.Made> made) {
    List<String> copies = new ArrayList<>(made.size());
    for (TokenMaker.Made token : made) {
      copies.add(new String(token.text().toCharArray()));
    }
    return copies;
  }

  private static final class Rate {
    private long calls;
    private long nanos;

    void time(Runnable work, int count) {
      long began = System.nanoTime();
      work.run();
      nanos += System.nanoTime() - began;
      calls += count;
    }

    long perSecond() {
      return Math.round(calls * 1e9 / nanos);
    }
  }
}
