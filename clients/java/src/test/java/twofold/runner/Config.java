package twofold.runner;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import twofold.Client;
import twofold.TlsOptions;
import twofold.Verifier;

/** The runner's configuration; its names are those of clients/scenario/README.md. */
record Config(JsonObject values) {
  static Config read(Path file) throws IOException {
    return new Config(JsonParser.parseString(Files.readString(file)).getAsJsonObject());
  }

  Client client() throws IOException {
    return Client.builder(text("target")).credential(text("credential")).tls(tls()).build();
  }

  /** A verifier that is ready; a busy machine may need longer for it than a service would wait. */
  Verifier verifier() throws IOException {
    return Verifier.builder(text("target"))
        .credential(text("credential"))
        .tls(tls())
        .realmId(text("realm_id"))
        .audience(text("audience"))
        .deadline(Duration.ofSeconds(30))
        .open();
  }

  /** A text; null if there is none. */
  String text(String name) {
    return values.has(name) && !values.get(name).isJsonNull()
        ? values.get(name).getAsString()
        : null;
  }

  private TlsOptions tls() throws IOException {
    String roots = text("root_certificates");
    if (roots == null) {
      return null;
    }
    TlsOptions tls = TlsOptions.defaults().withRootCertificates(Path.of(roots));
    String certificate = text("client_certificate");
    return certificate == null
        ? tls
        : tls.withClientCertificate(Path.of(certificate), Path.of(text("client_key")));
  }
}
