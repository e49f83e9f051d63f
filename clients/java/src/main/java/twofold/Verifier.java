package twofold;

import java.time.Duration;
import java.time.InstantSource;
import java.util.Objects;
import java.util.function.LongSupplier;
import twofold.v1.CheckSessionRequest;

/**
 * Verifies access tokens of one realm and audience: {@code verifier.verify(token)}, no call per
 * token.
 *
 * <p>It holds the realm's signing keys and, by a stream, all that is revoked: a sign-out is known
 * here within 250 ms. Before the first snapshot of that, and after 5 s without a sign of life, it
 * vouches for nobody ({@link VerifierNotReadyException}). Any number of threads may share one. Its
 * caller needs the role {@code verifier} in the realm.
 */
public final class Verifier implements AutoCloseable {
  private final VerifierSettings settings;
  private final Judge judge;
  private final Feed feed;

  private Verifier(VerifierSettings settings) {
    this.settings = settings;
    this.feed = new Feed(settings);
    this.judge = feed.judge();
  }

  /** Prepares a verifier that asks this target; realm and audience have no default. */
  public static Builder builder(String target) {
    return new Builder(target);
  }

  /**
   * Begins to fetch keys and revocations, in threads of its own, and goes on until {@link
   * #close()}. Returns at once: {@link #awaitReady()} follows.
   *
   * @throws IllegalStateException if it was started or closed before
   */
  public void start() {
    feed.start();
  }

  /** Returns once tokens can be verified, as {@link #awaitReady(Duration)} with the deadline. */
  public void awaitReady() {
    awaitReady(settings.deadline);
  }

  /**
   * Returns once tokens can be verified. Throws at once what waiting does not mend.
   *
   * @throws VerifierNotReadyException after {@code timeout}, or if the thread is interrupted
   * @throws UnauthenticatedException if the service does not know the caller
   * @throws PermissionDeniedException if the caller is no verifier in the realm
   * @throws NotFoundException if there is no such realm
   * @throws IllegalArgumentException for an audience that the realm issues no tokens for
   */
  public void awaitReady(Duration timeout) {
    feed.await(timeout, () -> judge.isFresh() || feed.refusal() != null);
    if (judge.isFresh()) {
      return;
    }
    RuntimeException refusal = feed.refusal();
    if (refusal != null) {
      throw refusal;
    }
    throw Verdicts.notReady("Not ready in " + Durations.text(timeout) + ".", feed.error());
  }

  /**
   * Returns what a good token says; never waits, never calls.
   *
   * @throws SessionExpiredException if it has expired and that alone is against it
   * @throws SessionEndedException if it was revoked ({@code SESSION_ENDED}), or is none of this
   *     realm and audience ({@code SESSION_INVALID})
   * @throws VerifierNotReadyException if nothing can be said of tokens now: answer 503
   */
  public VerifiedSession verify(String token) {
    return judge.verify(token);
  }

  /**
   * Returns what a good token says, like {@link #verify}, but waits where that helps: for the keys,
   * where the token names one that is not known yet; and for the answer of CheckSession, where
   * nothing is heard and {@link OnSilence#ASK} is set.
   *
   * <p>Throws what {@code verify} throws, and what CheckSession does.
   */
  public VerifiedSession check(String token) {
    boolean fresh = judge.isFresh();
    VerifiedSession session;
    try {
      session = judge.judge(token);
    } catch (BadToken.UnknownKey e) {
      session = judgeWithNewKeys(token);
      fresh = judge.isFresh();
    }
    if (fresh && judge.isFresh()) {
      return session;
    }
    if (settings.onSilence != OnSilence.ASK) {
      throw Verdicts.notReady(judge.whyNotFresh(), feed.error());
    }
    CheckSessionRequest request =
        CheckSessionRequest.newBuilder()
            .setRealmId(judge.realmId)
            .setAudience(judge.audience)
            .build();
    feed.sessions().checkSession(request, RequestOptions.session(token));
    return session;
  }

  /** Ends the stream, the connections and the threads. From then on nobody is vouched for. */
  @Override
  public void close() {
    feed.close();
  }

  @Override
  public String toString() {
    return "Verifier of %s for %s at %s".formatted(judge.realmId, judge.audience, settings.target);
  }

  private VerifiedSession judgeWithNewKeys(String token) {
    if (judge.wantKeys() && !feed.await(settings.deadline, () -> !judge.areKeysComing())) {
      throw Verdicts.notReady("The signing keys could not be fetched.", feed.error());
    }
    try {
      return judge.judge(token);
    } catch (BadToken.UnknownKey e) {
      throw Verdicts.invalid("unknown key");
    }
  }

  /** The settings of a verifier. */
  public static final class Builder {
    private final VerifierSettings settings;

    private Builder(String target) {
      this.settings = new VerifierSettings(target);
    }

    /** The realm whose tokens are verified. Required. */
    public Builder realmId(String realmId) {
      settings.realmId = Objects.requireNonNull(realmId, "realmId");
      return this;
    }

    /** Who tokens must have been issued for: this service. Required. */
    public Builder audience(String audience) {
      settings.audience = Objects.requireNonNull(audience, "audience");
      return this;
    }

    /** As {@link Client.Builder#credential}. */
    public Builder credential(String credential) {
      settings.credential = credential;
      return this;
    }

    /** As {@link Client.Builder#tls}. */
    public Builder tls(TlsOptions tls) {
      settings.tls = tls;
      return this;
    }

    /** What {@link Verifier#check} does while nothing is heard; refuse. */
    public Builder onSilence(OnSilence onSilence) {
      settings.onSilence = Objects.requireNonNull(onSilence, "onSilence");
      return this;
    }

    /** How long no sign of life is borne; 5 s, heartbeats come each second. */
    public Builder silence(Duration silence) {
      settings.silence = silence;
      return this;
    }

    /** What an expired token is forgiven, 0 to 30 s; 0. */
    public Builder leeway(Duration leeway) {
      settings.leeway = leeway;
      return this;
    }

    /** How many verified tokens are remembered at most, some 1 KB each; 32,768. */
    public Builder cacheSize(int cacheSize) {
      settings.cacheSize = cacheSize;
      return this;
    }

    /** How long calls and waits may take; 5 s. */
    public Builder deadline(Duration deadline) {
      settings.deadline = deadline;
      return this;
    }

    /** As {@link Client.Builder#userAgent}. */
    public Builder userAgent(String userAgent) {
      settings.userAgent = userAgent;
      return this;
    }

    /** What tells the time that tokens are judged by; the system's. */
    public Builder clock(InstantSource clock) {
      settings.clock = Objects.requireNonNull(clock, "clock");
      return this;
    }

    /** What tells nanoseconds that only go on, for silence; {@link System#nanoTime}. */
    public Builder ticker(LongSupplier ticker) {
      settings.ticker = Objects.requireNonNull(ticker, "ticker");
      return this;
    }

    /**
     * Makes the verifier, for {@link Verifier#start()}.
     *
     * @throws IllegalArgumentException where a value makes no sense, and for plain text beyond
     *     loopback
     */
    public Verifier build() {
      return new Verifier(settings);
    }

    /**
     * Makes the verifier, starts it and returns it once it can verify.
     *
     * <p>Throws what {@link #build()} and {@link Verifier#awaitReady()} throw, and leaves nothing
     * open then.
     */
    public Verifier open() {
      Verifier verifier = build();
      try {
        verifier.start();
        verifier.awaitReady();
        return verifier;
      } catch (RuntimeException | Error e) {
        verifier.close();
        throw e;
      }
    }
  }
}
