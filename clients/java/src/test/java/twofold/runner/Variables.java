package twofold.runner;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The variables of a story, and the paths that values are found by. */
final class Variables {
  private static final Pattern NAME = Pattern.compile("\\$\\{([a-z0-9_]+)}");

  private final JsonObject values;

  Variables(JsonObject first) {
    this.values = first.deepCopy();
  }

  void set(String name, JsonElement value) {
    values.add(name, value);
  }

  /** The same with every variable filled in. */
  JsonElement fill(JsonElement element) {
    if (element.isJsonObject()) {
      JsonObject filled = new JsonObject();
      element.getAsJsonObject().asMap().forEach((name, value) -> filled.add(name, fill(value)));
      return filled;
    }
    if (element.isJsonArray()) {
      JsonArray filled = new JsonArray();
      element.getAsJsonArray().forEach(value -> filled.add(fill(value)));
      return filled;
    }
    if (!element.isJsonPrimitive() || !element.getAsJsonPrimitive().isString()) {
      return element;
    }
    Matcher matcher = NAME.matcher(element.getAsString());
    return matcher.matches()
        ? value(matcher.group(1))
        : new JsonPrimitive(
            matcher.replaceAll(
                found -> Matcher.quoteReplacement(value(found.group(1)).getAsString())));
  }

  /** What stands at a path, such as {@code codes.0}; JSON's null where nothing does. */
  static JsonElement at(JsonElement root, String path) {
    JsonElement found = root;
    for (String name : path.split("\\.")) {
      if (found.isJsonArray() && name.matches("\\d+")) {
        int place = Integer.parseInt(name);
        found =
            place < found.getAsJsonArray().size()
                ? found.getAsJsonArray().get(place)
                : JsonNull.INSTANCE;
      } else if (found.isJsonObject() && found.getAsJsonObject().has(name)) {
        found = found.getAsJsonObject().get(name);
      } else {
        return JsonNull.INSTANCE;
      }
    }
    return found;
  }

  private JsonElement value(String name) {
    if (!values.has(name)) {
      throw new StepFailed("there is no variable " + name);
    }
    return values.get(name);
  }
}
