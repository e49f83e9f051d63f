package twofold;

import twofold.v1.CheckSessionRequest;
import twofold.v1.CheckSessionResponse;
import twofold.v1.GetSigningKeysRequest;
import twofold.v1.GetSigningKeysResponse;
import twofold.v1.ListSessionsRequest;
import twofold.v1.ListSessionsResponse;
import twofold.v1.RefreshSessionRequest;
import twofold.v1.RefreshSessionResponse;
import twofold.v1.RevokeOtherSessionsRequest;
import twofold.v1.RevokeOtherSessionsResponse;
import twofold.v1.RevokeSessionRequest;
import twofold.v1.RevokeSessionResponse;
import twofold.v1.SessionServiceGrpc;
import twofold.v1.SignOutRequest;
import twofold.v1.SignOutResponse;
import twofold.v1.StepUpRequest;
import twofold.v1.StepUpResponse;
import twofold.v1.WatchRevocationsRequest;
import twofold.v1.WatchRevocationsResponse;

/** SessionService of a {@link Client}. Rendered from descriptors; not edited. */
public final class Sessions {
  private final Calls calls;

  Sessions(Calls calls) {
    this.calls = calls;
  }

  /** {@code RefreshSession}. */
  public RefreshSessionResponse refreshSession(RefreshSessionRequest request) {
    return refreshSession(request, RequestOptions.NONE);
  }

  /** {@code RefreshSession}, with options. */
  public RefreshSessionResponse refreshSession(
      RefreshSessionRequest request, RequestOptions options) {
    return calls.unary(SessionServiceGrpc.getRefreshSessionMethod(), request, options);
  }

  /** {@code CheckSession}. */
  public CheckSessionResponse checkSession(CheckSessionRequest request) {
    return checkSession(request, RequestOptions.NONE);
  }

  /** {@code CheckSession}, with options. */
  public CheckSessionResponse checkSession(CheckSessionRequest request, RequestOptions options) {
    return calls.unary(SessionServiceGrpc.getCheckSessionMethod(), request, options);
  }

  /** {@code StepUp}. */
  public StepUpResponse stepUp(StepUpRequest request) {
    return stepUp(request, RequestOptions.NONE);
  }

  /** {@code StepUp}, with options. */
  public StepUpResponse stepUp(StepUpRequest request, RequestOptions options) {
    return calls.unary(SessionServiceGrpc.getStepUpMethod(), request, options);
  }

  /** {@code SignOut}. */
  public SignOutResponse signOut(SignOutRequest request) {
    return signOut(request, RequestOptions.NONE);
  }

  /** {@code SignOut}, with options. */
  public SignOutResponse signOut(SignOutRequest request, RequestOptions options) {
    return calls.unary(SessionServiceGrpc.getSignOutMethod(), request, options);
  }

  /** {@code ListSessions}. */
  public ListSessionsResponse listSessions(ListSessionsRequest request) {
    return listSessions(request, RequestOptions.NONE);
  }

  /** {@code ListSessions}, with options. */
  public ListSessionsResponse listSessions(ListSessionsRequest request, RequestOptions options) {
    return calls.unary(SessionServiceGrpc.getListSessionsMethod(), request, options);
  }

  /** {@code RevokeSession}. */
  public RevokeSessionResponse revokeSession(RevokeSessionRequest request) {
    return revokeSession(request, RequestOptions.NONE);
  }

  /** {@code RevokeSession}, with options. */
  public RevokeSessionResponse revokeSession(RevokeSessionRequest request, RequestOptions options) {
    return calls.unary(SessionServiceGrpc.getRevokeSessionMethod(), request, options);
  }

  /** {@code RevokeOtherSessions}. */
  public RevokeOtherSessionsResponse revokeOtherSessions(RevokeOtherSessionsRequest request) {
    return revokeOtherSessions(request, RequestOptions.NONE);
  }

  /** {@code RevokeOtherSessions}, with options. */
  public RevokeOtherSessionsResponse revokeOtherSessions(
      RevokeOtherSessionsRequest request, RequestOptions options) {
    return calls.unary(SessionServiceGrpc.getRevokeOtherSessionsMethod(), request, options);
  }

  /** {@code WatchRevocations}. */
  public ServerStream<WatchRevocationsResponse> watchRevocations(WatchRevocationsRequest request) {
    return watchRevocations(request, RequestOptions.NONE);
  }

  /** {@code WatchRevocations}, with options. */
  public ServerStream<WatchRevocationsResponse> watchRevocations(
      WatchRevocationsRequest request, RequestOptions options) {
    return calls.stream(SessionServiceGrpc.getWatchRevocationsMethod(), request, options);
  }

  /** {@code GetSigningKeys}. */
  public GetSigningKeysResponse getSigningKeys(GetSigningKeysRequest request) {
    return getSigningKeys(request, RequestOptions.NONE);
  }

  /** {@code GetSigningKeys}, with options. */
  public GetSigningKeysResponse getSigningKeys(
      GetSigningKeysRequest request, RequestOptions options) {
    return calls.unary(SessionServiceGrpc.getGetSigningKeysMethod(), request, options);
  }
}
