package twofold;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;
import java.util.concurrent.TimeUnit;

/** The channel of a client, and its options. */
final class Channels {
  private static final String PRODUCT = "twofold-java/" + version();

  private Channels() {}

  static ManagedChannel open(String target, TlsOptions tls, String userAgent) {
    ChannelCredentials credentials =
        tls == null ? InsecureChannelCredentials.create() : tls.channelCredentials();
    ManagedChannelBuilder<?> builder =
        Grpc.newChannelBuilder(target, credentials)
            .userAgent(userAgent.isEmpty() ? PRODUCT : userAgent + " " + PRODUCT)
            // A service config, which a DNS record can bring, may make grpc resend any method,
            // SignIn
            // included. grpc's transparent retries stay on: they resend only what no server has
            // looked at.
            .disableServiceConfigLookUp()
            // Finds a connection that has gone silent while calls wait on it; an idle one is not
            // pinged,
            // so no server minds.
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .keepAliveWithoutCalls(false);
    if (tls == null) {
      // Or a proxy of the environment would take the plain text of a loopback connection elsewhere.
      builder.proxyDetector(address -> null);
    } else if (tls.serverName() != null) {
      builder.overrideAuthority(tls.serverName());
    }
    if (builder instanceof NettyChannelBuilder netty) {
      // Calls fail while a connection is attempted after one was lost, so one attempt must not take
      // long.
      netty.withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, 2_000);
    }
    return builder.build();
  }

  private static String version() {
    Properties properties = new Properties();
    try (InputStream in = Channels.class.getResourceAsStream("client.properties")) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return properties.getProperty("version");
  }
}
