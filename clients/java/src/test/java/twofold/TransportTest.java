package twofold;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.ServerCredentials;
import io.grpc.TlsServerCredentials;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import twofold.v1.GetAccountRequest;

class TransportTest {
  private static final GetAccountRequest GET_ACCOUNT = GetAccountRequest.getDefaultInstance();
  private static final Duration LONG = Duration.ofSeconds(30);

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "auth.example.com:443",
        "10.0.0.1:50051",
        "localhost.example.com:1",
        "127.0.0.1.example.com:1",
        "dns:///auth.example.com",
        "[2001:db8::1]:1",
        "0.0.0.0:1",
        "128.0.0.1:1",
        "2130706433:1",
        "127.1:1",
        "127.0.0.256:1",
        "127.999.0.1:1",
        "xds:///localhost",
        "localhost:1,10.0.0.1:1",
        "user@localhost:1",
        ""
      })
  void plainTextBeyondThisMachineIsRefused(String target) {
    assertThrows(IllegalArgumentException.class, () -> Client.builder(target).build());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "localhost:1",
        "LOCALHOST",
        "127.0.0.1:50051",
        "127.9.8.7:1",
        "[::1]:1",
        "dns:///localhost:1"
      })
  void plainTextOnThisMachineIsTaken(String target) {
    assertDoesNotThrow(() -> Client.builder(target).build().close());
  }

  @Test
  void aServerIsKnownByItsCertificate() throws Exception {
    Certificate own = Certificate.make(folder, "localhost");
    Certificate other = Certificate.make(folder, "localhost");
    try (FakeTwofold server = new FakeTwofold(TlsServerCredentials.create(own.chain(), own.key()));
        Client client = client(server, TlsOptions.defaults().withRootCertificates(own.pem()));
        Client misled = client(server, TlsOptions.defaults().withRootCertificates(other.pem()))) {
      client.accounts().getAccount(GET_ACCOUNT);
      assertThrows(UnavailableException.class, () -> misled.accounts().getAccount(GET_ACCOUNT));
    }
  }

  @Test
  void aServerMayCarryAnotherName() throws Exception {
    Certificate own = Certificate.make(folder, "auth.internal");
    TlsOptions tls = TlsOptions.defaults().withRootCertificates(own.pem());
    try (FakeTwofold server = new FakeTwofold(TlsServerCredentials.create(own.chain(), own.key()));
        Client named = client(server, tls.withServerName("auth.internal"));
        Client unnamed = client(server, tls)) {
      named.accounts().getAccount(GET_ACCOUNT);
      assertThrows(UnavailableException.class, () -> unnamed.accounts().getAccount(GET_ACCOUNT));
    }
  }

  @Test
  void aCallerIsKnownByItsCertificate() throws Exception {
    Certificate own = Certificate.make(folder, "localhost");
    Certificate caller = Certificate.make(folder, "shop");
    ServerCredentials mutual =
        TlsServerCredentials.newBuilder()
            .keyManager(own.chain(), own.key())
            .trustManager(new ByteArrayInputStream(caller.pem()))
            .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
            .build();
    TlsOptions tls = TlsOptions.defaults().withRootCertificates(own.pem());
    try (FakeTwofold server = new FakeTwofold(mutual);
        Client known = client(server, tls.withClientCertificate(caller.pem(), caller.keyPem()));
        Client unknown = client(server, tls)) {
      known.accounts().getAccount(GET_ACCOUNT);
      assertThrows(UnavailableException.class, () -> unknown.accounts().getAccount(GET_ACCOUNT));
    }
  }

  @Test
  void noTextShowsASecret() throws Exception {
    Certificate own = Certificate.make(folder, "localhost");
    TlsOptions tls = TlsOptions.defaults().withClientCertificate(own.pem(), own.keyPem());
    assertFalse(tls.toString().contains("PRIVATE"));
    String bad = "secret with spaces";
    IllegalArgumentException error =
        assertThrows(
            IllegalArgumentException.class,
            () -> Client.builder("localhost:1").credential(bad).build());
    assertFalse(error.getMessage().contains("secret"));
    assertEquals("RequestOptions(timeout=null)", RequestOptions.session("abc").toString());
  }

  @Test
  void aKeyInAnotherFormIsRefusedWithTheRemedy() {
    byte[] key = "-----BEGIN EC PRIVATE KEY-----".getBytes(StandardCharsets.US_ASCII);
    IllegalArgumentException error =
        assertThrows(
            IllegalArgumentException.class,
            () -> TlsOptions.defaults().withClientCertificate(key, key));
    assertEquals(true, error.getMessage().contains("openssl pkcs8"));
  }

  private static Client client(FakeTwofold server, TlsOptions tls) {
    return Client.builder(server.target()).tls(tls).deadline(LONG).retries(1).build();
  }
}
