package twofold;

import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The rules of one middleware: what is open, and how well a user must have proven who they are.
 * Immutable.
 */
final class Guard {
  private static final Pattern BEARER =
      Pattern.compile("bearer +(\\S+) *", Pattern.CASE_INSENSITIVE);

  private final Verifier verifier;
  private final int minAal;
  private final Set<String> open;

  private Guard(Verifier verifier, int minAal, Set<String> open) {
    this.verifier = verifier;
    this.minAal = minAal;
    this.open = open;
  }

  static Guard of(Verifier verifier) {
    return new Guard(Objects.requireNonNull(verifier, "verifier"), 1, Set.of());
  }

  /** Throws IllegalArgumentException for what is neither 1 nor 2. */
  Guard withMinAal(int aal) {
    if (aal != 1 && aal != 2) {
      throw new IllegalArgumentException(
          "minAal is 1, or 2 for sessions with a second factor, not " + aal);
    }
    return new Guard(verifier, aal, open);
  }

  /** Throws IllegalArgumentException for a name without that shape: it would open nothing. */
  Guard withOpen(Pattern shape, String like, String... names) {
    for (String name : names) {
      if (!shape.matcher(name).matches()) {
        throw new IllegalArgumentException("\"" + name + "\" opens nothing: name it as " + like);
      }
    }
    return new Guard(verifier, minAal, Set.of(names));
  }

  boolean isOpen(String name) {
    return open.contains(name);
  }

  /** Gives the session of the token in the values of {@code authorization}. */
  VerifiedSession admit(List<String> authorization) throws Refusal {
    // Which of several counts must not depend on who reads them: another part may read the other.
    if (authorization.size() > 1) {
      throw Refusal.several();
    }
    Matcher bearer = BEARER.matcher(authorization.isEmpty() ? "" : authorization.get(0));
    if (!bearer.matches()) {
      throw Refusal.missing();
    }
    VerifiedSession session;
    try {
      session = verifier.check(bearer.group(1));
    } catch (TwofoldException error) {
      throw Refusal.of(error);
    }
    if (session.aal() < minAal) {
      throw Refusal.insufficient();
    }
    return session;
  }
}
