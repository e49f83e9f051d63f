package twofold;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How the connection is secured; certificates and key are PEM. Immutable; its text shows no key.
 */
public final class TlsOptions {
  private static final TlsOptions DEFAULTS = new TlsOptions(null, null, null, null);

  private final byte[] rootCertificates;
  private final byte[] clientCertificate;
  private final byte[] clientKey;
  private final String serverName;

  private TlsOptions(
      byte[] rootCertificates, byte[] clientCertificate, byte[] clientKey, String serverName) {
    this.rootCertificates = rootCertificates;
    this.clientCertificate = clientCertificate;
    this.clientKey = clientKey;
    this.serverName = serverName;
  }

  /** TLS with the authorities that the Java runtime trusts, and no client certificate. */
  public static TlsOptions defaults() {
    return DEFAULTS;
  }

  /** The same with these authorities alone, which the server's certificate may come from. */
  public TlsOptions withRootCertificates(byte[] pem) {
    return new TlsOptions(pem.clone(), clientCertificate, clientKey, serverName);
  }

  /**
   * The same with authorities from a file.
   *
   * @throws IOException if it can't be read
   */
  public TlsOptions withRootCertificates(Path pem) throws IOException {
    return withRootCertificates(Files.readAllBytes(pem));
  }

  /**
   * The same with this service's own certificate chain and its private key (PKCS #8), where the
   * server knows its callers by certificate (mutual TLS).
   *
   * @throws IllegalArgumentException if the key is in another form than PKCS #8
   */
  public TlsOptions withClientCertificate(byte[] chain, byte[] key) {
    if (!new String(key, StandardCharsets.ISO_8859_1).contains("-----BEGIN PRIVATE KEY-----")) {
      throw new IllegalArgumentException(
          "the client's key is not an unencrypted PKCS #8 PEM; `openssl pkcs8 -topk8 -nocrypt`"
              + " makes one");
    }
    return new TlsOptions(rootCertificates, chain.clone(), key.clone(), serverName);
  }

  /**
   * The same with certificate chain and private key from files.
   *
   * @throws IOException if one can't be read
   * @throws IllegalArgumentException if the key is in another form than PKCS #8
   */
  public TlsOptions withClientCertificate(Path chain, Path key) throws IOException {
    return withClientCertificate(Files.readAllBytes(chain), Files.readAllBytes(key));
  }

  /** The same, but the server's certificate must carry this name instead of the target's host. */
  public TlsOptions withServerName(String name) {
    return new TlsOptions(rootCertificates, clientCertificate, clientKey, name);
  }

  String serverName() {
    return serverName;
  }

  /** Throws IllegalArgumentException for what is no PEM. */
  ChannelCredentials channelCredentials() {
    TlsChannelCredentials.Builder builder = TlsChannelCredentials.newBuilder();
    try {
      if (rootCertificates != null) {
        builder.trustManager(new ByteArrayInputStream(rootCertificates));
      }
      if (clientCertificate != null) {
        builder.keyManager(
            new ByteArrayInputStream(clientCertificate), new ByteArrayInputStream(clientKey));
      }
    } catch (IOException e) {
      throw new IllegalArgumentException("the certificates or the key are not PEM", e);
    }
    return builder.build();
  }

  @Override
  public String toString() {
    return "TlsOptions(serverName=" + serverName + ", mutual=" + (clientCertificate != null) + ")";
  }
}
