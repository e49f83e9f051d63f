package twofold.runner;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import twofold.Client;
import twofold.TwofoldException;
import twofold.Verifier;

/** Plays the story of clients/scenario. */
final class Story {
  private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();
  private static final long PAUSE_MILLIS = 20;

  private final Actions actions;
  private final Variables variables;

  private Story(Actions actions, Variables variables) {
    this.actions = actions;
    this.variables = variables;
  }

  /** Prints a line for each step; false after the first that does not end as it must. */
  static boolean play(Config config) throws IOException, InterruptedException {
    JsonObject story =
        JsonParser.parseString(Files.readString(Path.of(config.text("story")))).getAsJsonObject();
    Variables variables = new Variables(config.values().getAsJsonObject("variables"));
    try (Client client = config.client();
        Verifier verifier = config.verifier()) {
      Story played = new Story(new Actions(client, verifier, config.text("helper")), variables);
      for (JsonElement step : story.getAsJsonArray("steps")) {
        if (!played.step(step.getAsJsonObject())) {
          return false;
        }
      }
      return true;
    }
  }

  private boolean step(JsonObject step) throws InterruptedException {
    long began = System.nanoTime();
    double within = step.has("within_seconds") ? step.get("within_seconds").getAsDouble() : 0;
    String error = attempt(step);
    while (error != null && System.nanoTime() - began < within * 1e9) {
      Thread.sleep(PAUSE_MILLIS);
      error = attempt(step);
    }
    JsonObject line = new JsonObject();
    line.add("step", step.get("name"));
    line.addProperty("ok", error == null);
    line.addProperty("seconds", Math.round((System.nanoTime() - began) / 1e6) / 1e3);
    if (error != null) {
      line.addProperty("error", error);
    }
    System.out.println(GSON.toJson(line));
    return error == null;
  }

  /** Does a step; null, or what was wrong. */
  private String attempt(JsonObject step) {
    try {
      JsonObject filled = variables.fill(step).getAsJsonObject();
      JsonElement answer;
      try {
        answer = actions.run(filled);
      } catch (TwofoldException error) {
        if (!filled.has("error")) {
          return error.toString();
        }
        Errors.require(filled.getAsJsonObject("error"), error);
        return null;
      }
      if (filled.has("error")) {
        return "it succeeded";
      }
      expect(filled, answer);
      save(filled, answer);
      return null;
    } catch (StepFailed failed) {
      return failed.getMessage();
    } catch (IOException | RuntimeException unforeseen) {
      return unforeseen.toString();
    }
  }

  private static void expect(JsonObject step, JsonElement answer) {
    if (!step.has("expect")) {
      return;
    }
    step.getAsJsonObject("expect")
        .asMap()
        .forEach(
            (path, wanted) -> {
              JsonElement found = Variables.at(answer, path);
              if (!same(wanted, found)) {
                throw new StepFailed(path + " is " + found + ", not " + wanted);
              }
            });
  }

  private void save(JsonObject step, JsonElement answer) {
    if (!step.has("save")) {
      return;
    }
    step.getAsJsonObject("save")
        .asMap()
        .forEach(
            (name, path) -> {
              JsonElement found = Variables.at(answer, path.getAsString());
              if (found.isJsonNull()) {
                throw new StepFailed("the answer has no " + path.getAsString());
              }
              variables.set(name, found);
            });
  }

  private static boolean same(JsonElement wanted, JsonElement found) {
    boolean numbers =
        wanted.isJsonPrimitive()
            && found.isJsonPrimitive()
            && wanted.getAsJsonPrimitive().isNumber()
            && found.getAsJsonPrimitive().isNumber();
    return numbers
        ? new BigDecimal(wanted.getAsString()).compareTo(new BigDecimal(found.getAsString())) == 0
        : wanted.equals(found);
  }
}
