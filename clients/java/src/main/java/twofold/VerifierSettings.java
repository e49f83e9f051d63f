package twofold;

import java.time.Clock;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Objects;
import java.util.function.LongSupplier;

/** The settings of a Verifier, as its builder collects them. */
final class VerifierSettings {
  final String target;
  String realmId = "";
  String audience = "";
  String credential;
  TlsOptions tls;
  OnSilence onSilence = OnSilence.REFUSE;
  Duration silence = Duration.ofSeconds(5);
  Duration leeway = Duration.ZERO;
  int cacheSize = 32_768;
  Duration deadline = Duration.ofSeconds(5);
  String userAgent = "";
  InstantSource clock = Clock.systemUTC();
  LongSupplier ticker = System::nanoTime;

  VerifierSettings(String target) {
    this.target = Objects.requireNonNull(target, "target");
  }

  Client connect() {
    return Client.builder(target)
        .credential(credential)
        .tls(tls)
        .deadline(deadline)
        .userAgent(userAgent)
        .build();
  }

  Judge judge(Runnable fetchKeys) {
    return new Judge(realmId, audience, leeway, silence, cacheSize, clock, ticker, fetchKeys);
  }
}
