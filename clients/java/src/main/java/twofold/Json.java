package twofold;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON (RFC 8259) without leniency: one object, no name twice, nothing after it, in UTF-8
 * without a byte order mark.
 *
 * <p>Of two values for one name readers differ in which one counts, and the readers of the usual
 * libraries take the last one silently. Values are String, Long, Boolean, List, Map, null, and
 * {@link #OTHER_NUMBER}.
 */
final class Json {
  /** A number that is no whole one, or too large for a long. */
  static final Object OTHER_NUMBER = new Object();

  private static final int MAX_DEPTH = 32;

  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /** Reads an object. Throws BadToken with that text. */
  static Map<String, Object> object(byte[] raw, String why) throws BadToken {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(raw)).toString();
    } catch (CharacterCodingException e) {
      throw new BadToken(why);
    }
    Json json = new Json(text);
    try {
      json.space();
      json.require('{');
      Map<String, Object> found = json.members(1);
      json.space();
      if (json.at != text.length()) {
        throw new Malformed();
      }
      return found;
    } catch (Malformed e) {
      throw new BadToken(why);
    }
  }

  private Object value(int depth) throws Malformed {
    if (depth > MAX_DEPTH) {
      throw new Malformed();
    }
    char first = peek();
    switch (first) {
      case '{':
        at++;
        return members(depth);
      case '[':
        at++;
        return elements(depth);
      case '"':
        at++;
        return string();
      case 't':
        return word("true", Boolean.TRUE);
      case 'f':
        return word("false", Boolean.FALSE);
      case 'n':
        return word("null", null);
      default:
        return number();
    }
  }

  private Map<String, Object> members(int depth) throws Malformed {
    Map<String, Object> found = new HashMap<>();
    space();
    if (peek() == '}') {
      at++;
      return found;
    }
    do {
      space();
      require('"');
      String name = string();
      space();
      require(':');
      space();
      if (found.containsKey(name)) {
        throw new Malformed();
      }
      found.put(name, value(depth + 1));
      space();
    } while (goesOn('}'));
    return found;
  }

  private List<Object> elements(int depth) throws Malformed {
    List<Object> found = new ArrayList<>();
    space();
    if (peek() == ']') {
      at++;
      return found;
    }
    do {
      space();
      found.add(value(depth + 1));
      space();
    } while (goesOn(']'));
    return found;
  }

  private boolean goesOn(char end) throws Malformed {
    char next = peek();
    at++;
    if (next != ',' && next != end) {
      throw new Malformed();
    }
    return next == ',';
  }

  private String string() throws Malformed {
    int begin = at;
    while (true) {
      char next = peek();
      at++;
      if (next == '"') {
        return text.substring(begin, at - 1);
      }
      if (next == '\\') {
        at--;
        return escaped(begin);
      }
      if (next < ' ') {
        throw new Malformed();
      }
    }
  }

  private String escaped(int begin) throws Malformed {
    StringBuilder found = new StringBuilder(text.substring(begin, at));
    while (true) {
      char next = peek();
      at++;
      if (next == '"') {
        return found.toString();
      }
      if (next < ' ') {
        throw new Malformed();
      }
      found.append(next == '\\' ? escape() : next);
    }
  }

  private char escape() throws Malformed {
    char kind = peek();
    at++;
    return switch (kind) {
      case '"', '\\', '/' -> kind;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> hex();
      default -> throw new Malformed();
    };
  }

  private char hex() throws Malformed {
    int code = 0;
    for (int i = 0; i < 4; i++) {
      char next = peek();
      int digit = next < 0x80 ? Character.digit(next, 16) : -1;
      if (digit < 0) {
        throw new Malformed();
      }
      code = code * 16 + digit;
      at++;
    }
    return (char) code;
  }

  private Object number() throws Malformed {
    int begin = at;
    skip('-');
    if (!skip('0')) {
      digits();
    }
    boolean whole = true;
    if (skip('.')) {
      digits();
      whole = false;
    }
    if (skip('e') || skip('E')) {
      if (!skip('+')) {
        skip('-');
      }
      digits();
      whole = false;
    }
    // 18 digits fit a long, whatever they are.
    return whole && at - begin <= 18
        ? (Object) Long.valueOf(text.substring(begin, at))
        : OTHER_NUMBER;
  }

  private void digits() throws Malformed {
    int begin = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    if (at == begin) {
      throw new Malformed();
    }
  }

  private Object word(String word, Object value) throws Malformed {
    if (!text.startsWith(word, at)) {
      throw new Malformed();
    }
    at += word.length();
    return value;
  }

  private boolean skip(char wanted) {
    boolean found = at < text.length() && text.charAt(at) == wanted;
    if (found) {
      at++;
    }
    return found;
  }

  private void require(char wanted) throws Malformed {
    if (!skip(wanted)) {
      throw new Malformed();
    }
  }

  private void space() {
    while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private char peek() throws Malformed {
    if (at >= text.length()) {
      throw new Malformed();
    }
    return text.charAt(at);
  }

  private static final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;

    Malformed() {
      super("malformed", null, false, false);
    }
  }
}
