package twofold;

import twofold.v1.AccountServiceGrpc;
import twofold.v1.ActivateAccountRequest;
import twofold.v1.ActivateAccountResponse;
import twofold.v1.ChangeEmailRequest;
import twofold.v1.ChangeEmailResponse;
import twofold.v1.ChangePasswordRequest;
import twofold.v1.ChangePasswordResponse;
import twofold.v1.ChangePhoneNumberRequest;
import twofold.v1.ChangePhoneNumberResponse;
import twofold.v1.ConfirmEmailChangeRequest;
import twofold.v1.ConfirmEmailChangeResponse;
import twofold.v1.ConfirmPhoneNumberRequest;
import twofold.v1.ConfirmPhoneNumberResponse;
import twofold.v1.DeleteAccountRequest;
import twofold.v1.DeleteAccountResponse;
import twofold.v1.GetAccountRequest;
import twofold.v1.GetAccountResponse;
import twofold.v1.ListSignInsRequest;
import twofold.v1.ListSignInsResponse;
import twofold.v1.ResendActivationRequest;
import twofold.v1.ResendActivationResponse;
import twofold.v1.SignInRequest;
import twofold.v1.SignInResponse;
import twofold.v1.SignUpRequest;
import twofold.v1.SignUpResponse;
import twofold.v1.UndoEmailChangeRequest;
import twofold.v1.UndoEmailChangeResponse;
import twofold.v1.UpdateAccountRequest;
import twofold.v1.UpdateAccountResponse;

/** AccountService of a {@link Client}. Rendered from descriptors; not edited. */
public final class Accounts {
  private final Calls calls;

  Accounts(Calls calls) {
    this.calls = calls;
  }

  /** {@code SignUp}. */
  public SignUpResponse signUp(SignUpRequest request) {
    return signUp(request, RequestOptions.NONE);
  }

  /** {@code SignUp}, with options. */
  public SignUpResponse signUp(SignUpRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getSignUpMethod(), request, options);
  }

  /** {@code ResendActivation}. */
  public ResendActivationResponse resendActivation(ResendActivationRequest request) {
    return resendActivation(request, RequestOptions.NONE);
  }

  /** {@code ResendActivation}, with options. */
  public ResendActivationResponse resendActivation(
      ResendActivationRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getResendActivationMethod(), request, options);
  }

  /** {@code ActivateAccount}. */
  public ActivateAccountResponse activateAccount(ActivateAccountRequest request) {
    return activateAccount(request, RequestOptions.NONE);
  }

  /** {@code ActivateAccount}, with options. */
  public ActivateAccountResponse activateAccount(
      ActivateAccountRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getActivateAccountMethod(), request, options);
  }

  /** {@code SignIn}. */
  public SignInResponse signIn(SignInRequest request) {
    return signIn(request, RequestOptions.NONE);
  }

  /** {@code SignIn}, with options. */
  public SignInResponse signIn(SignInRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getSignInMethod(), request, options);
  }

  /** {@code GetAccount}. */
  public GetAccountResponse getAccount(GetAccountRequest request) {
    return getAccount(request, RequestOptions.NONE);
  }

  /** {@code GetAccount}, with options. */
  public GetAccountResponse getAccount(GetAccountRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getGetAccountMethod(), request, options);
  }

  /** {@code UpdateAccount}. */
  public UpdateAccountResponse updateAccount(UpdateAccountRequest request) {
    return updateAccount(request, RequestOptions.NONE);
  }

  /** {@code UpdateAccount}, with options. */
  public UpdateAccountResponse updateAccount(UpdateAccountRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getUpdateAccountMethod(), request, options);
  }

  /** {@code ChangePassword}. */
  public ChangePasswordResponse changePassword(ChangePasswordRequest request) {
    return changePassword(request, RequestOptions.NONE);
  }

  /** {@code ChangePassword}, with options. */
  public ChangePasswordResponse changePassword(
      ChangePasswordRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getChangePasswordMethod(), request, options);
  }

  /** {@code ChangeEmail}. */
  public ChangeEmailResponse changeEmail(ChangeEmailRequest request) {
    return changeEmail(request, RequestOptions.NONE);
  }

  /** {@code ChangeEmail}, with options. */
  public ChangeEmailResponse changeEmail(ChangeEmailRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getChangeEmailMethod(), request, options);
  }

  /** {@code ConfirmEmailChange}. */
  public ConfirmEmailChangeResponse confirmEmailChange(ConfirmEmailChangeRequest request) {
    return confirmEmailChange(request, RequestOptions.NONE);
  }

  /** {@code ConfirmEmailChange}, with options. */
  public ConfirmEmailChangeResponse confirmEmailChange(
      ConfirmEmailChangeRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getConfirmEmailChangeMethod(), request, options);
  }

  /** {@code UndoEmailChange}. */
  public UndoEmailChangeResponse undoEmailChange(UndoEmailChangeRequest request) {
    return undoEmailChange(request, RequestOptions.NONE);
  }

  /** {@code UndoEmailChange}, with options. */
  public UndoEmailChangeResponse undoEmailChange(
      UndoEmailChangeRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getUndoEmailChangeMethod(), request, options);
  }

  /** {@code ChangePhoneNumber}. */
  public ChangePhoneNumberResponse changePhoneNumber(ChangePhoneNumberRequest request) {
    return changePhoneNumber(request, RequestOptions.NONE);
  }

  /** {@code ChangePhoneNumber}, with options. */
  public ChangePhoneNumberResponse changePhoneNumber(
      ChangePhoneNumberRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getChangePhoneNumberMethod(), request, options);
  }

  /** {@code ConfirmPhoneNumber}. */
  public ConfirmPhoneNumberResponse confirmPhoneNumber(ConfirmPhoneNumberRequest request) {
    return confirmPhoneNumber(request, RequestOptions.NONE);
  }

  /** {@code ConfirmPhoneNumber}, with options. */
  public ConfirmPhoneNumberResponse confirmPhoneNumber(
      ConfirmPhoneNumberRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getConfirmPhoneNumberMethod(), request, options);
  }

  /** {@code DeleteAccount}. */
  public DeleteAccountResponse deleteAccount(DeleteAccountRequest request) {
    return deleteAccount(request, RequestOptions.NONE);
  }

  /** {@code DeleteAccount}, with options. */
  public DeleteAccountResponse deleteAccount(DeleteAccountRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getDeleteAccountMethod(), request, options);
  }

  /** {@code ListSignIns}. */
  public ListSignInsResponse listSignIns(ListSignInsRequest request) {
    return listSignIns(request, RequestOptions.NONE);
  }

  /** {@code ListSignIns}, with options. */
  public ListSignInsResponse listSignIns(ListSignInsRequest request, RequestOptions options) {
    return calls.unary(AccountServiceGrpc.getListSignInsMethod(), request, options);
  }
}
