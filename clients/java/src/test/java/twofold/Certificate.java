package twofold;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import java.util.UUID;

/** A certificate that vouches for itself, and its key; PEM. */
record Certificate(byte[] pem, byte[] keyPem) {
  private static final char[] PASSWORD = "changeit".toCharArray();

  /** Makes one for a DNS name, by the keytool of the Java runtime. */
  static Certificate make(Path folder, String name) throws Exception {
    Path store = folder.resolve(UUID.randomUUID() + ".p12");
    Path keytool = Path.of(System.getProperty("java.home"), "bin", "keytool");
    Process process =
        new ProcessBuilder(
                keytool.toString(),
                "-genkeypair",
                "-alias",
                "own",
                "-keyalg",
                "EC",
                "-groupname",
                "secp256r1",
                "-dname",
                "CN=" + name,
                "-ext",
                "san=dns:" + name,
                "-ext",
                "bc=ca:true",
                "-validity",
                "2",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString(),
                "-storepass",
                new String(PASSWORD))
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new AssertionError(said);
    }
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, PASSWORD);
    }
    return new Certificate(
        pem("CERTIFICATE", keys.getCertificate("own").getEncoded()),
        pem("PRIVATE KEY", keys.getKey("own", PASSWORD).getEncoded()));
  }

  InputStream chain() {
    return new ByteArrayInputStream(pem);
  }

  InputStream key() {
    return new ByteArrayInputStream(keyPem);
  }

  private static byte[] pem(String type, byte[] der) {
    String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
    return "-----BEGIN %1$s-----\n%2$s\n-----END %1$s-----\n"
        .formatted(type, body)
        .getBytes(StandardCharsets.US_ASCII);
  }
}
