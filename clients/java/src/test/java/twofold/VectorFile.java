package twofold;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.function.LongSupplier;
import twofold.v1.GetSigningKeysResponse;
import twofold.v1.SigningKey;

/** A file of clients/vectors, and the judge that it tells of. */
record VectorFile(JsonObject values) {
  static VectorFile read(String name) {
    try {
      Path file = Path.of("..", "vectors", name);
      return new VectorFile(JsonParser.parseString(Files.readString(file)).getAsJsonObject());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  GetSigningKeysResponse keys() {
    GetSigningKeysResponse.Builder keys =
        GetSigningKeysResponse.newBuilder()
            .setIssuer(text("issuer"))
            .addAudiences("other")
            .addAudiences(text("audience"));
    for (JsonElement key : values.getAsJsonArray("keys")) {
      keys.addKeys(
          SigningKey.newBuilder()
              .setKeyId(key.getAsJsonObject().get("kid").getAsString())
              .setX(coordinate(key, "x"))
              .setY(coordinate(key, "y")));
    }
    return keys.build();
  }

  /** A judge that holds the keys. */
  Judge judge(Duration leeway, LongSupplier ticker) {
    Judge judge =
        new Judge(
            text("realm_id"),
            text("audience"),
            leeway,
            Duration.ofSeconds(5),
            100,
            () -> Instant.ofEpochSecond(values.get("now").getAsLong()),
            ticker,
            () -> {});
    judge.takeKeys(keys());
    return judge;
  }

  String text(String name) {
    return values.get(name).getAsString();
  }

  private static ByteString coordinate(JsonElement key, String name) {
    return ByteString.copyFrom(
        Base64.getUrlDecoder().decode(key.getAsJsonObject().get(name).getAsString()));
  }
}
