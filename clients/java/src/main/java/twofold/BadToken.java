package twofold;

/** Why a token is not taken; its text is fixed and quotes nothing of the token. */
class BadToken extends Exception {
  private static final long serialVersionUID = 1L;

  BadToken(String why) {
    // No stack trace: anybody can send bad tokens, and it would be most of their cost.
    super(why, null, false, false);
  }

  /** The token was good in everything and has expired. */
  static final class Expired extends BadToken {
    private static final long serialVersionUID = 1L;

    Expired() {
      super("expired");
    }
  }

  /** The token names a key that is not in the set that is held. */
  static final class UnknownKey extends BadToken {
    private static final long serialVersionUID = 1L;

    final String kid;

    UnknownKey(String kid) {
      super("unknown key");
      this.kid = kid;
    }
  }
}
