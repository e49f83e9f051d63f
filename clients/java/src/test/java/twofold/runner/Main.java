package twofold.runner;

import java.nio.file.Path;

/**
 * What drives this client from outside: {@code story CONFIG}, {@code sample CONFIG}, {@code bench
 * CONFIG}.
 */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    String command = arguments.length == 2 ? arguments[0] : "";
    switch (command) {
      case "story" -> System.exit(Story.play(Config.read(Path.of(arguments[1]))) ? 0 : 1);
      case "sample" -> Sample.serve(Config.read(Path.of(arguments[1])));
      case "bench" -> Bench.run();
      default -> {
        System.err.println("usage: runner story|sample|bench CONFIG");
        System.exit(2);
      }
    }
  }
}
