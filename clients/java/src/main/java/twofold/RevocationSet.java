package twofold;

import java.util.HashMap;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import twofold.v1.Revocation;
import twofold.v1.RevocationKind;

/** The revocations that concern one realm. One thread writes, any number may ask meanwhile. */
final class RevocationSet {
  // No token outlives its revocation's expire_time by more than a verifier's leeway.
  private static final long KEPT_ON_MILLIS = 30_000;

  private record Subject(RevocationKind kind, String name) {}

  private record Expiry(long millis, Subject subject) {}

  private final String realmId;
  private final Set<String> sessions = ConcurrentHashMap.newKeySet();
  private final Map<String, Integer> epochs = new ConcurrentHashMap<>();
  private final Set<String> keys = ConcurrentHashMap.newKeySet();
  private final Set<String> realms = ConcurrentHashMap.newKeySet();
  private final Map<Subject, Long> expiries = new HashMap<>();
  private final PriorityQueue<Expiry> queue =
      new PriorityQueue<>((one, other) -> Long.compare(one.millis, other.millis));

  RevocationSet(String realmId) {
    this.realmId = realmId;
  }

  int size() {
    return expiries.size();
  }

  /** Whether a token of this session and key is revoked. */
  boolean isDead(VerifiedSession session, String kid) {
    return sessions.contains(session.sessionId())
        || epochs.getOrDefault(session.accountId(), 0) > session.epoch()
        || keys.contains(kid)
        || realms.contains(realmId);
  }

  /** The signing keys that are revoked. */
  Set<String> deadKeys() {
    return Set.copyOf(keys);
  }

  /** Whether a signing key is revoked. */
  boolean isKeyDead(String kid) {
    return keys.contains(kid);
  }

  /** Holds a revocation of this realm, or of every realm. The same may come again, in any order. */
  void add(Revocation revocation) {
    if (!revocation.getRealmId().isEmpty() && !revocation.getRealmId().equals(realmId)) {
      return;
    }
    String name = revocation.getSubject();
    switch (revocation.getKind()) {
      case REVOCATION_KIND_SESSION -> sessions.add(name);
      case REVOCATION_KIND_ACCOUNT -> epochs.merge(name, revocation.getEpoch(), Math::max);
      case REVOCATION_KIND_SIGNING_KEY -> keys.add(name);
      case REVOCATION_KIND_REALM -> realms.add(name);
      default -> {
        return;
      }
    }
    Subject subject = new Subject(revocation.getKind(), name);
    long expires =
        revocation.hasExpireTime() ? Times.millis(revocation.getExpireTime()) : Long.MAX_VALUE;
    Long before = expiries.get(subject);
    if (before == null || expires > before) {
      expiries.put(subject, expires);
      queue.add(new Expiry(expires, subject));
    }
  }

  /** Lets go of what concerns no token that is still good at {@code nowMillis} since 1970. */
  void forget(long nowMillis) {
    while (!queue.isEmpty() && queue.peek().millis <= nowMillis - KEPT_ON_MILLIS) {
      Expiry expiry = queue.remove();
      // Revoked again, for longer: its later entry is still to come.
      if (expiries.remove(expiry.subject, expiry.millis)) {
        drop(expiry.subject);
      }
    }
  }

  private void drop(Subject subject) {
    switch (subject.kind) {
      case REVOCATION_KIND_SESSION -> sessions.remove(subject.name);
      case REVOCATION_KIND_ACCOUNT -> epochs.remove(subject.name);
      case REVOCATION_KIND_SIGNING_KEY -> keys.remove(subject.name);
      default -> realms.remove(subject.name);
    }
  }
}
