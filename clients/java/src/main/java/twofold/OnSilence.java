package twofold;

/** What {@link Verifier#check} does while nothing is heard of what is revoked. */
public enum OnSilence {
  /** Refuse: {@link VerifierNotReadyException}. */
  REFUSE,
  /** Ask CheckSession for each token. */
  ASK
}
