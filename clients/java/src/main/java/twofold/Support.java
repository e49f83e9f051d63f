package twofold;

import twofold.v1.ApproveCaseRequest;
import twofold.v1.ApproveCaseResponse;
import twofold.v1.CancelCaseRequest;
import twofold.v1.CancelCaseResponse;
import twofold.v1.ConfirmCorrectionRequest;
import twofold.v1.ConfirmCorrectionResponse;
import twofold.v1.ExecuteCaseRequest;
import twofold.v1.ExecuteCaseResponse;
import twofold.v1.FindAccountsRequest;
import twofold.v1.FindAccountsResponse;
import twofold.v1.ListCasesRequest;
import twofold.v1.ListCasesResponse;
import twofold.v1.ListDeliveriesRequest;
import twofold.v1.ListDeliveriesResponse;
import twofold.v1.LockAccountRequest;
import twofold.v1.LockAccountResponse;
import twofold.v1.OpenCaseRequest;
import twofold.v1.OpenCaseResponse;
import twofold.v1.RejectCaseRequest;
import twofold.v1.RejectCaseResponse;
import twofold.v1.ReviveActivationRequest;
import twofold.v1.ReviveActivationResponse;
import twofold.v1.SupportServiceGrpc;
import twofold.v1.UnlockAccountRequest;
import twofold.v1.UnlockAccountResponse;

/** SupportService of a {@link Client}. Rendered from descriptors; not edited. */
public final class Support {
  private final Calls calls;

  Support(Calls calls) {
    this.calls = calls;
  }

  /** {@code FindAccounts}. */
  public FindAccountsResponse findAccounts(FindAccountsRequest request) {
    return findAccounts(request, RequestOptions.NONE);
  }

  /** {@code FindAccounts}, with options. */
  public FindAccountsResponse findAccounts(FindAccountsRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getFindAccountsMethod(), request, options);
  }

  /** {@code OpenCase}. */
  public OpenCaseResponse openCase(OpenCaseRequest request) {
    return openCase(request, RequestOptions.NONE);
  }

  /** {@code OpenCase}, with options. */
  public OpenCaseResponse openCase(OpenCaseRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getOpenCaseMethod(), request, options);
  }

  /** {@code ApproveCase}. */
  public ApproveCaseResponse approveCase(ApproveCaseRequest request) {
    return approveCase(request, RequestOptions.NONE);
  }

  /** {@code ApproveCase}, with options. */
  public ApproveCaseResponse approveCase(ApproveCaseRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getApproveCaseMethod(), request, options);
  }

  /** {@code RejectCase}. */
  public RejectCaseResponse rejectCase(RejectCaseRequest request) {
    return rejectCase(request, RequestOptions.NONE);
  }

  /** {@code RejectCase}, with options. */
  public RejectCaseResponse rejectCase(RejectCaseRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getRejectCaseMethod(), request, options);
  }

  /** {@code CancelCase}. */
  public CancelCaseResponse cancelCase(CancelCaseRequest request) {
    return cancelCase(request, RequestOptions.NONE);
  }

  /** {@code CancelCase}, with options. */
  public CancelCaseResponse cancelCase(CancelCaseRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getCancelCaseMethod(), request, options);
  }

  /** {@code ConfirmCorrection}. */
  public ConfirmCorrectionResponse confirmCorrection(ConfirmCorrectionRequest request) {
    return confirmCorrection(request, RequestOptions.NONE);
  }

  /** {@code ConfirmCorrection}, with options. */
  public ConfirmCorrectionResponse confirmCorrection(
      ConfirmCorrectionRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getConfirmCorrectionMethod(), request, options);
  }

  /** {@code ExecuteCase}. */
  public ExecuteCaseResponse executeCase(ExecuteCaseRequest request) {
    return executeCase(request, RequestOptions.NONE);
  }

  /** {@code ExecuteCase}, with options. */
  public ExecuteCaseResponse executeCase(ExecuteCaseRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getExecuteCaseMethod(), request, options);
  }

  /** {@code ListCases}. */
  public ListCasesResponse listCases(ListCasesRequest request) {
    return listCases(request, RequestOptions.NONE);
  }

  /** {@code ListCases}, with options. */
  public ListCasesResponse listCases(ListCasesRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getListCasesMethod(), request, options);
  }

  /** {@code ListDeliveries}. */
  public ListDeliveriesResponse listDeliveries(ListDeliveriesRequest request) {
    return listDeliveries(request, RequestOptions.NONE);
  }

  /** {@code ListDeliveries}, with options. */
  public ListDeliveriesResponse listDeliveries(
      ListDeliveriesRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getListDeliveriesMethod(), request, options);
  }

  /** {@code LockAccount}. */
  public LockAccountResponse lockAccount(LockAccountRequest request) {
    return lockAccount(request, RequestOptions.NONE);
  }

  /** {@code LockAccount}, with options. */
  public LockAccountResponse lockAccount(LockAccountRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getLockAccountMethod(), request, options);
  }

  /** {@code UnlockAccount}. */
  public UnlockAccountResponse unlockAccount(UnlockAccountRequest request) {
    return unlockAccount(request, RequestOptions.NONE);
  }

  /** {@code UnlockAccount}, with options. */
  public UnlockAccountResponse unlockAccount(UnlockAccountRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getUnlockAccountMethod(), request, options);
  }

  /** {@code ReviveActivation}. */
  public ReviveActivationResponse reviveActivation(ReviveActivationRequest request) {
    return reviveActivation(request, RequestOptions.NONE);
  }

  /** {@code ReviveActivation}, with options. */
  public ReviveActivationResponse reviveActivation(
      ReviveActivationRequest request, RequestOptions options) {
    return calls.unary(SupportServiceGrpc.getReviveActivationMethod(), request, options);
  }
}
