package twofold.runner;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import twofold.TwofoldException;

/** Whether an error is the one that a step of the story wants. */
final class Errors {
  private Errors() {}

  /** Throws StepFailed if it is another. */
  static void require(JsonObject wanted, TwofoldException error) {
    require("code", text(wanted, "code"), error.getCode().name(), error);
    require("reason", text(wanted, "reason"), error.getReason(), error);
    require("kind", text(wanted, "kind"), kind(error), error);
    if (wanted.has("retry_after")
        && wanted.get("retry_after").getAsBoolean() != error.getRetryAfter().isPresent()) {
      throw new StepFailed("whether it says when to retry: " + error);
    }
    if (wanted.has("fields")) {
      JsonArray fields = new JsonArray();
      error.getFieldViolations().forEach(violation -> fields.add(violation.field()));
      if (!fields.equals(wanted.getAsJsonArray("fields"))) {
        throw new StepFailed("its fields are " + fields + ": " + error);
      }
    }
  }

  /** The name that Python's client has for the class. */
  private static String kind(TwofoldException error) {
    String name = error.getClass().getSimpleName().replaceFirst("Exception$", "");
    return name.equals("Twofold") ? "TwofoldError" : name;
  }

  private static String text(JsonObject wanted, String name) {
    return wanted.has(name) ? wanted.get(name).getAsString() : null;
  }

  private static void require(String what, String wanted, String found, TwofoldException error) {
    if (wanted != null && !wanted.equals(found)) {
      throw new StepFailed("%s %s, not %s: %s".formatted(what, found, wanted, error));
    }
  }
}
