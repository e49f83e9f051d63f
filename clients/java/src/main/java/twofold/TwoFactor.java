package twofold;

import twofold.v1.AnswerApprovalRequest;
import twofold.v1.AnswerApprovalResponse;
import twofold.v1.BeginEnrollmentRequest;
import twofold.v1.BeginEnrollmentResponse;
import twofold.v1.DisableTwoFactorRequest;
import twofold.v1.DisableTwoFactorResponse;
import twofold.v1.FinishChallengeRequest;
import twofold.v1.FinishChallengeResponse;
import twofold.v1.FinishEnrollmentRequest;
import twofold.v1.FinishEnrollmentResponse;
import twofold.v1.GenerateBackupCodesRequest;
import twofold.v1.GenerateBackupCodesResponse;
import twofold.v1.GetTwoFactorStatusRequest;
import twofold.v1.GetTwoFactorStatusResponse;
import twofold.v1.ListDevicesRequest;
import twofold.v1.ListDevicesResponse;
import twofold.v1.ListFactorsRequest;
import twofold.v1.ListFactorsResponse;
import twofold.v1.PairApproverRequest;
import twofold.v1.PairApproverResponse;
import twofold.v1.RemoveFactorRequest;
import twofold.v1.RemoveFactorResponse;
import twofold.v1.RevokeDeviceRequest;
import twofold.v1.RevokeDeviceResponse;
import twofold.v1.StartChallengeRequest;
import twofold.v1.StartChallengeResponse;
import twofold.v1.TwoFactorServiceGrpc;
import twofold.v1.UpdateFactorRequest;
import twofold.v1.UpdateFactorResponse;
import twofold.v1.WatchApprovalsRequest;
import twofold.v1.WatchApprovalsResponse;
import twofold.v1.WatchChallengeRequest;
import twofold.v1.WatchChallengeResponse;

/** TwoFactorService of a {@link Client}. Rendered from descriptors; not edited. */
public final class TwoFactor {
  private final Calls calls;

  TwoFactor(Calls calls) {
    this.calls = calls;
  }

  /** {@code GetTwoFactorStatus}. */
  public GetTwoFactorStatusResponse getTwoFactorStatus(GetTwoFactorStatusRequest request) {
    return getTwoFactorStatus(request, RequestOptions.NONE);
  }

  /** {@code GetTwoFactorStatus}, with options. */
  public GetTwoFactorStatusResponse getTwoFactorStatus(
      GetTwoFactorStatusRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getGetTwoFactorStatusMethod(), request, options);
  }

  /** {@code BeginEnrollment}. */
  public BeginEnrollmentResponse beginEnrollment(BeginEnrollmentRequest request) {
    return beginEnrollment(request, RequestOptions.NONE);
  }

  /** {@code BeginEnrollment}, with options. */
  public BeginEnrollmentResponse beginEnrollment(
      BeginEnrollmentRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getBeginEnrollmentMethod(), request, options);
  }

  /** {@code FinishEnrollment}. */
  public FinishEnrollmentResponse finishEnrollment(FinishEnrollmentRequest request) {
    return finishEnrollment(request, RequestOptions.NONE);
  }

  /** {@code FinishEnrollment}, with options. */
  public FinishEnrollmentResponse finishEnrollment(
      FinishEnrollmentRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getFinishEnrollmentMethod(), request, options);
  }

  /** {@code ListFactors}. */
  public ListFactorsResponse listFactors(ListFactorsRequest request) {
    return listFactors(request, RequestOptions.NONE);
  }

  /** {@code ListFactors}, with options. */
  public ListFactorsResponse listFactors(ListFactorsRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getListFactorsMethod(), request, options);
  }

  /** {@code UpdateFactor}. */
  public UpdateFactorResponse updateFactor(UpdateFactorRequest request) {
    return updateFactor(request, RequestOptions.NONE);
  }

  /** {@code UpdateFactor}, with options. */
  public UpdateFactorResponse updateFactor(UpdateFactorRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getUpdateFactorMethod(), request, options);
  }

  /** {@code RemoveFactor}. */
  public RemoveFactorResponse removeFactor(RemoveFactorRequest request) {
    return removeFactor(request, RequestOptions.NONE);
  }

  /** {@code RemoveFactor}, with options. */
  public RemoveFactorResponse removeFactor(RemoveFactorRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getRemoveFactorMethod(), request, options);
  }

  /** {@code DisableTwoFactor}. */
  public DisableTwoFactorResponse disableTwoFactor(DisableTwoFactorRequest request) {
    return disableTwoFactor(request, RequestOptions.NONE);
  }

  /** {@code DisableTwoFactor}, with options. */
  public DisableTwoFactorResponse disableTwoFactor(
      DisableTwoFactorRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getDisableTwoFactorMethod(), request, options);
  }

  /** {@code GenerateBackupCodes}. */
  public GenerateBackupCodesResponse generateBackupCodes(GenerateBackupCodesRequest request) {
    return generateBackupCodes(request, RequestOptions.NONE);
  }

  /** {@code GenerateBackupCodes}, with options. */
  public GenerateBackupCodesResponse generateBackupCodes(
      GenerateBackupCodesRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getGenerateBackupCodesMethod(), request, options);
  }

  /** {@code StartChallenge}. */
  public StartChallengeResponse startChallenge(StartChallengeRequest request) {
    return startChallenge(request, RequestOptions.NONE);
  }

  /** {@code StartChallenge}, with options. */
  public StartChallengeResponse startChallenge(
      StartChallengeRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getStartChallengeMethod(), request, options);
  }

  /** {@code FinishChallenge}. */
  public FinishChallengeResponse finishChallenge(FinishChallengeRequest request) {
    return finishChallenge(request, RequestOptions.NONE);
  }

  /** {@code FinishChallenge}, with options. */
  public FinishChallengeResponse finishChallenge(
      FinishChallengeRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getFinishChallengeMethod(), request, options);
  }

  /** {@code ListDevices}. */
  public ListDevicesResponse listDevices(ListDevicesRequest request) {
    return listDevices(request, RequestOptions.NONE);
  }

  /** {@code ListDevices}, with options. */
  public ListDevicesResponse listDevices(ListDevicesRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getListDevicesMethod(), request, options);
  }

  /** {@code RevokeDevice}. */
  public RevokeDeviceResponse revokeDevice(RevokeDeviceRequest request) {
    return revokeDevice(request, RequestOptions.NONE);
  }

  /** {@code RevokeDevice}, with options. */
  public RevokeDeviceResponse revokeDevice(RevokeDeviceRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getRevokeDeviceMethod(), request, options);
  }

  /** {@code WatchChallenge}. */
  public ServerStream<WatchChallengeResponse> watchChallenge(WatchChallengeRequest request) {
    return watchChallenge(request, RequestOptions.NONE);
  }

  /** {@code WatchChallenge}, with options. */
  public ServerStream<WatchChallengeResponse> watchChallenge(
      WatchChallengeRequest request, RequestOptions options) {
    return calls.stream(TwoFactorServiceGrpc.getWatchChallengeMethod(), request, options);
  }

  /** {@code PairApprover}. */
  public PairApproverResponse pairApprover(PairApproverRequest request) {
    return pairApprover(request, RequestOptions.NONE);
  }

  /** {@code PairApprover}, with options. */
  public PairApproverResponse pairApprover(PairApproverRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getPairApproverMethod(), request, options);
  }

  /** {@code WatchApprovals}. */
  public ServerStream<WatchApprovalsResponse> watchApprovals(WatchApprovalsRequest request) {
    return watchApprovals(request, RequestOptions.NONE);
  }

  /** {@code WatchApprovals}, with options. */
  public ServerStream<WatchApprovalsResponse> watchApprovals(
      WatchApprovalsRequest request, RequestOptions options) {
    return calls.stream(TwoFactorServiceGrpc.getWatchApprovalsMethod(), request, options);
  }

  /** {@code AnswerApproval}. */
  public AnswerApprovalResponse answerApproval(AnswerApprovalRequest request) {
    return answerApproval(request, RequestOptions.NONE);
  }

  /** {@code AnswerApproval}, with options. */
  public AnswerApprovalResponse answerApproval(
      AnswerApprovalRequest request, RequestOptions options) {
    return calls.unary(TwoFactorServiceGrpc.getAnswerApprovalMethod(), request, options);
  }
}
