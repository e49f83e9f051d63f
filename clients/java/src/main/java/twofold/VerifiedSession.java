package twofold;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Who is signed in, and how that was proven. It holds no token.
 *
 * @param accountId the account; UUID
 * @param sessionId the session, as ListSessions names it; UUID
 * @param realmId the realm of the account
 * @param clientId the calling service that the token was issued to
 * @param audience who the token was issued for: the Verifier's own audience
 * @param amr how the user proved who they are (RFC 8176): {@code pwd}, {@code otp}, {@code mfa},
 *     and {@code backup} for a backup code
 * @param aal authenticator assurance level (NIST SP 800-63B): 1, or 2 with a second factor proven
 * @param authTime when the user last proved the first factor
 * @param secondFactorTime when the user last proved a second factor in this session; empty if never
 * @param epoch the account's epoch when the session was made or carried over
 * @param expireTime when the access token expires; the session may live on
 */
public record VerifiedSession(
    String accountId,
    String sessionId,
    String realmId,
    String clientId,
    String audience,
    List<String> amr,
    int aal,
    Instant authTime,
    Optional<Instant> secondFactorTime,
    int epoch,
    Instant expireTime) {}
