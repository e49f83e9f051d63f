package twofold.runner;

/** A step of the story did not end as it must; the text says how. */
final class StepFailed extends RuntimeException {
  private static final long serialVersionUID = 1L;

  StepFailed(String why) {
    super(why);
  }
}
