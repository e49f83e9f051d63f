package twofold;

import twofold.v1.BeginTwoFactorRecoveryRequest;
import twofold.v1.BeginTwoFactorRecoveryResponse;
import twofold.v1.CancelTwoFactorRecoveryRequest;
import twofold.v1.CancelTwoFactorRecoveryResponse;
import twofold.v1.ConfirmTwoFactorRecoveryRequest;
import twofold.v1.ConfirmTwoFactorRecoveryResponse;
import twofold.v1.CreateCaptchaRequest;
import twofold.v1.CreateCaptchaResponse;
import twofold.v1.FinishTwoFactorRecoveryRequest;
import twofold.v1.FinishTwoFactorRecoveryResponse;
import twofold.v1.RecoveryServiceGrpc;
import twofold.v1.RequestPasswordResetRequest;
import twofold.v1.RequestPasswordResetResponse;
import twofold.v1.RequestSignInHintRequest;
import twofold.v1.RequestSignInHintResponse;
import twofold.v1.ResetPasswordRequest;
import twofold.v1.ResetPasswordResponse;
import twofold.v1.SendTwoFactorRecoveryCodeRequest;
import twofold.v1.SendTwoFactorRecoveryCodeResponse;

/** RecoveryService of a {@link Client}. Rendered from descriptors; not edited. */
public final class Recovery {
  private final Calls calls;

  Recovery(Calls calls) {
    this.calls = calls;
  }

  /** {@code RequestPasswordReset}. */
  public RequestPasswordResetResponse requestPasswordReset(RequestPasswordResetRequest request) {
    return requestPasswordReset(request, RequestOptions.NONE);
  }

  /** {@code RequestPasswordReset}, with options. */
  public RequestPasswordResetResponse requestPasswordReset(
      RequestPasswordResetRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getRequestPasswordResetMethod(), request, options);
  }

  /** {@code ResetPassword}. */
  public ResetPasswordResponse resetPassword(ResetPasswordRequest request) {
    return resetPassword(request, RequestOptions.NONE);
  }

  /** {@code ResetPassword}, with options. */
  public ResetPasswordResponse resetPassword(ResetPasswordRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getResetPasswordMethod(), request, options);
  }

  /** {@code BeginTwoFactorRecovery}. */
  public BeginTwoFactorRecoveryResponse beginTwoFactorRecovery(
      BeginTwoFactorRecoveryRequest request) {
    return beginTwoFactorRecovery(request, RequestOptions.NONE);
  }

  /** {@code BeginTwoFactorRecovery}, with options. */
  public BeginTwoFactorRecoveryResponse beginTwoFactorRecovery(
      BeginTwoFactorRecoveryRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getBeginTwoFactorRecoveryMethod(), request, options);
  }

  /** {@code ConfirmTwoFactorRecovery}. */
  public ConfirmTwoFactorRecoveryResponse confirmTwoFactorRecovery(
      ConfirmTwoFactorRecoveryRequest request) {
    return confirmTwoFactorRecovery(request, RequestOptions.NONE);
  }

  /** {@code ConfirmTwoFactorRecovery}, with options. */
  public ConfirmTwoFactorRecoveryResponse confirmTwoFactorRecovery(
      ConfirmTwoFactorRecoveryRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getConfirmTwoFactorRecoveryMethod(), request, options);
  }

  /** {@code SendTwoFactorRecoveryCode}. */
  public SendTwoFactorRecoveryCodeResponse sendTwoFactorRecoveryCode(
      SendTwoFactorRecoveryCodeRequest request) {
    return sendTwoFactorRecoveryCode(request, RequestOptions.NONE);
  }

  /** {@code SendTwoFactorRecoveryCode}, with options. */
  public SendTwoFactorRecoveryCodeResponse sendTwoFactorRecoveryCode(
      SendTwoFactorRecoveryCodeRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getSendTwoFactorRecoveryCodeMethod(), request, options);
  }

  /** {@code FinishTwoFactorRecovery}. */
  public FinishTwoFactorRecoveryResponse finishTwoFactorRecovery(
      FinishTwoFactorRecoveryRequest request) {
    return finishTwoFactorRecovery(request, RequestOptions.NONE);
  }

  /** {@code FinishTwoFactorRecovery}, with options. */
  public FinishTwoFactorRecoveryResponse finishTwoFactorRecovery(
      FinishTwoFactorRecoveryRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getFinishTwoFactorRecoveryMethod(), request, options);
  }

  /** {@code CancelTwoFactorRecovery}. */
  public CancelTwoFactorRecoveryResponse cancelTwoFactorRecovery(
      CancelTwoFactorRecoveryRequest request) {
    return cancelTwoFactorRecovery(request, RequestOptions.NONE);
  }

  /** {@code CancelTwoFactorRecovery}, with options. */
  public CancelTwoFactorRecoveryResponse cancelTwoFactorRecovery(
      CancelTwoFactorRecoveryRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getCancelTwoFactorRecoveryMethod(), request, options);
  }

  /** {@code RequestSignInHint}. */
  public RequestSignInHintResponse requestSignInHint(RequestSignInHintRequest request) {
    return requestSignInHint(request, RequestOptions.NONE);
  }

  /** {@code RequestSignInHint}, with options. */
  public RequestSignInHintResponse requestSignInHint(
      RequestSignInHintRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getRequestSignInHintMethod(), request, options);
  }

  /** {@code CreateCaptcha}. */
  public CreateCaptchaResponse createCaptcha(CreateCaptchaRequest request) {
    return createCaptcha(request, RequestOptions.NONE);
  }

  /** {@code CreateCaptcha}, with options. */
  public CreateCaptchaResponse createCaptcha(CreateCaptchaRequest request, RequestOptions options) {
    return calls.unary(RecoveryServiceGrpc.getCreateCaptchaMethod(), request, options);
  }
}
