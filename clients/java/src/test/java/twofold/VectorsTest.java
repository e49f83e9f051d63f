package twofold;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.util.JsonFormat;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import twofold.v1.WatchRevocationsResponse;

/** Every verifier of every language decides the shared vectors alike. */
class VectorsTest {
  private static final VectorFile TOKENS = VectorFile.read("access_tokens.json");
  private static final VectorFile REVOCATIONS = VectorFile.read("revocations.json");

  @TestFactory
  Stream<DynamicTest> everyToken() {
    return TOKENS.values().getAsJsonArray("cases").asList().stream()
        .map(JsonElement::getAsJsonObject)
        .map(vector -> DynamicTest.dynamicTest(text(vector, "name"), () -> decide(vector)));
  }

  private static void decide(JsonObject vector) throws Exception {
    long leeway = vector.has("leeway_seconds") ? vector.get("leeway_seconds").getAsLong() : 0;
    Judge judge = TOKENS.judge(Duration.ofSeconds(leeway), () -> 0);
    String token = text(vector, "token");
    String reason = text(vector, "expect");
    // Twice: what was seen before is decided alike.
    for (int i = 0; i < 2; i++) {
      if (reason.equals("ok")) {
        assertClaims(vector.getAsJsonObject("claims"), judge.judge(token));
      } else {
        assertEquals(reason, reasonOf(judge, token));
      }
    }
  }

  private static String reasonOf(Judge judge, String token) {
    try {
      judge.judge(token);
      return "ok";
    } catch (TwofoldException refused) {
      assertFalse(token.length() > 20 && refused.toString().contains(token));
      return refused.getReason();
    } catch (BadToken.UnknownKey unknown) {
      return "SESSION_INVALID";
    }
  }

  private static void assertClaims(JsonObject claims, VerifiedSession session) {
    List<String> amr = new ArrayList<>();
    claims.getAsJsonArray("amr").forEach(method -> amr.add(method.getAsString()));
    assertEquals(
        new VerifiedSession(
            text(claims, "sub"),
            text(claims, "sid"),
            TOKENS.text("realm_id"),
            text(claims, "client_id"),
            text(claims, "aud"),
            amr,
            claims.get("aal").getAsInt(),
            time(claims, "auth_time"),
            claims.has("second_factor_time")
                ? Optional.of(time(claims, "second_factor_time"))
                : Optional.empty(),
            claims.get("epoch").getAsInt(),
            time(claims, "exp")),
        session);
  }

  @Test
  void revocationsCountAfterEachMessageOfTheStream() throws Exception {
    Judge judge = REVOCATIONS.judge(Duration.ZERO, () -> 0);
    Map<String, JsonElement> tokens = REVOCATIONS.values().getAsJsonObject("tokens").asMap();
    Received.Stream stream = null;
    Iterator<JsonElement> steps = REVOCATIONS.values().getAsJsonArray("steps").iterator();
    while (steps.hasNext()) {
      JsonObject step = steps.next().getAsJsonObject();
      if (step.has("resumed")) {
        boolean resumed = !judge.received.resumeToken().isEmpty();
        assertEquals(step.get("resumed").getAsBoolean(), resumed, text(step, "name"));
        stream = judge.received.stream(Duration.ofDays(1));
      }
      WatchRevocationsResponse.Builder message = WatchRevocationsResponse.newBuilder();
      JsonFormat.parser().merge(step.get("message").toString(), message);
      judge.take(stream, message.build());
      TreeSet<String> dead = new TreeSet<>();
      step.getAsJsonArray("dead").forEach(name -> dead.add(name.getAsString()));
      TreeSet<String> found = new TreeSet<>();
      tokens.forEach(
          (name, token) -> {
            String reason = reasonOfVerify(judge, token.getAsString());
            if (reason.equals("SESSION_ENDED")) {
              found.add(name);
            } else {
              assertEquals(
                  step.get("ready").getAsBoolean() ? "ok" : "not ready",
                  reason,
                  text(step, "name") + ": " + name);
            }
          });
      assertEquals(dead, found, text(step, "name"));
    }
    assertFalse(judge.received.resumeToken().isEmpty());
  }

  @Test
  void aStreamThatBeginsWithoutASnapshotIsBroken() {
    Received.Stream stream =
        REVOCATIONS.judge(Duration.ZERO, () -> 0).received.stream(Duration.ofSeconds(5));
    WatchRevocationsResponse heartbeat =
        WatchRevocationsResponse.newBuilder().setCurrent(true).build();
    assertThrows(Received.StreamBroken.class, () -> stream.take(heartbeat, 0, 0));
  }

  private static String reasonOfVerify(Judge judge, String token) {
    try {
      judge.verify(token);
      return "ok";
    } catch (VerifierNotReadyException e) {
      return "not ready";
    } catch (TwofoldException refused) {
      return refused.getReason();
    }
  }

  private static Instant time(JsonObject claims, String name) {
    return Instant.ofEpochSecond(claims.get(name).getAsLong());
  }

  private static String text(JsonObject values, String name) {
    return values.get(name).getAsString();
  }
}
