package twofold;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where a client connects. */
final class Targets {
  private static final Pattern HOST_AND_PORT =
      Pattern.compile("(?:\\[(?<v6>[0-9A-Fa-f:.]+)]|(?<host>[0-9A-Za-z.-]+))(?::\\d{1,5})?");
  private static final String OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
  private static final Pattern LOOPBACK_V4 = Pattern.compile("127(?:\\." + OCTET + "){3}");

  private Targets() {}

  /**
   * Refuses a target to which passwords and tokens would travel in the clear.
   *
   * <p>Throws IllegalArgumentException if there is neither TLS nor a loopback address or unix
   * socket.
   */
  static void requireSafe(String target, TlsOptions tls) {
    if (target.isEmpty()) {
      throw new IllegalArgumentException(
          "the target is empty; give one such as auth.example.com:443");
    }
    if (tls == null && !isLocal(target)) {
      throw new IllegalArgumentException(
          "\""
              + target
              + "\" is not a loopback address or unix socket: passwords and tokens would cross the"
              + " network in the clear, so tls(TlsOptions.defaults()) is required");
    }
  }

  /** Whether a grpc target is on this machine. What is not understood is not. */
  static boolean isLocal(String target) {
    if (target.startsWith("unix:")) {
      return true;
    }
    for (String scheme : new String[] {"dns:///", "dns:"}) {
      if (target.startsWith(scheme)) {
        return isLoopback(target.substring(scheme.length()));
      }
    }
    return isLoopback(target);
  }

  private static boolean isLoopback(String address) {
    Matcher matcher = HOST_AND_PORT.matcher(address);
    if (!matcher.matches()) {
      return false;
    }
    String v6 = matcher.group("v6");
    if (v6 != null) {
      return isLoopbackV6(v6);
    }
    String host = matcher.group("host");
    // RFC 6761: `localhost` is always this machine.
    return host.equalsIgnoreCase("localhost") || LOOPBACK_V4.matcher(host).matches();
  }

  private static boolean isLoopbackV6(String literal) {
    try {
      // With a colon in it, it is read as an address and never looked up.
      return literal.indexOf(':') >= 0 && InetAddress.getByName(literal).isLoopbackAddress();
    } catch (UnknownHostException e) {
      return false;
    }
  }
}
