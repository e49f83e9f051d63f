"""The services of the contract and the types of their methods. Rendered from descriptors; not edited."""

from __future__ import annotations

from twofold.methods import (
    AsyncMethod,
    AsyncService,
    AsyncStreamMethod,
    SyncMethod,
    SyncService,
    SyncStreamMethod,
)
from twofold.v1 import account_pb2, recovery_pb2, session_pb2, support_pb2, two_factor_pb2


class Accounts(AsyncService):
    """AccountService, of a Client."""

    DESCRIPTOR = account_pb2.DESCRIPTOR.services_by_name["AccountService"]

    SignUp: AsyncMethod[account_pb2.SignUpRequest, account_pb2.SignUpResponse]
    ResendActivation: AsyncMethod[account_pb2.ResendActivationRequest, account_pb2.ResendActivationResponse]
    ActivateAccount: AsyncMethod[account_pb2.ActivateAccountRequest, account_pb2.ActivateAccountResponse]
    SignIn: AsyncMethod[account_pb2.SignInRequest, account_pb2.SignInResponse]
    GetAccount: AsyncMethod[account_pb2.GetAccountRequest, account_pb2.GetAccountResponse]
    UpdateAccount: AsyncMethod[account_pb2.UpdateAccountRequest, account_pb2.UpdateAccountResponse]
    ChangePassword: AsyncMethod[account_pb2.ChangePasswordRequest, account_pb2.ChangePasswordResponse]
    ChangeEmail: AsyncMethod[account_pb2.ChangeEmailRequest, account_pb2.ChangeEmailResponse]
    ConfirmEmailChange: AsyncMethod[account_pb2.ConfirmEmailChangeRequest, account_pb2.ConfirmEmailChangeResponse]
    UndoEmailChange: AsyncMethod[account_pb2.UndoEmailChangeRequest, account_pb2.UndoEmailChangeResponse]
    ChangePhoneNumber: AsyncMethod[account_pb2.ChangePhoneNumberRequest, account_pb2.ChangePhoneNumberResponse]
    ConfirmPhoneNumber: AsyncMethod[account_pb2.ConfirmPhoneNumberRequest, account_pb2.ConfirmPhoneNumberResponse]
    DeleteAccount: AsyncMethod[account_pb2.DeleteAccountRequest, account_pb2.DeleteAccountResponse]
    ListSignIns: AsyncMethod[account_pb2.ListSignInsRequest, account_pb2.ListSignInsResponse]


class SyncAccounts(SyncService):
    """AccountService, of a SyncClient."""

    DESCRIPTOR = account_pb2.DESCRIPTOR.services_by_name["AccountService"]

    SignUp: SyncMethod[account_pb2.SignUpRequest, account_pb2.SignUpResponse]
    ResendActivation: SyncMethod[account_pb2.ResendActivationRequest, account_pb2.ResendActivationResponse]
    ActivateAccount: SyncMethod[account_pb2.ActivateAccountRequest, account_pb2.ActivateAccountResponse]
    SignIn: SyncMethod[account_pb2.SignInRequest, account_pb2.SignInResponse]
    GetAccount: SyncMethod[account_pb2.GetAccountRequest, account_pb2.GetAccountResponse]
    UpdateAccount: SyncMethod[account_pb2.UpdateAccountRequest, account_pb2.UpdateAccountResponse]
    ChangePassword: SyncMethod[account_pb2.ChangePasswordRequest, account_pb2.ChangePasswordResponse]
    ChangeEmail: SyncMethod[account_pb2.ChangeEmailRequest, account_pb2.ChangeEmailResponse]
    ConfirmEmailChange: SyncMethod[account_pb2.ConfirmEmailChangeRequest, account_pb2.ConfirmEmailChangeResponse]
    UndoEmailChange: SyncMethod[account_pb2.UndoEmailChangeRequest, account_pb2.UndoEmailChangeResponse]
    ChangePhoneNumber: SyncMethod[account_pb2.ChangePhoneNumberRequest, account_pb2.ChangePhoneNumberResponse]
    ConfirmPhoneNumber: SyncMethod[account_pb2.ConfirmPhoneNumberRequest, account_pb2.ConfirmPhoneNumberResponse]
    DeleteAccount: SyncMethod[account_pb2.DeleteAccountRequest, account_pb2.DeleteAccountResponse]
    ListSignIns: SyncMethod[account_pb2.ListSignInsRequest, account_pb2.ListSignInsResponse]


class Recovery(AsyncService):
    """RecoveryService, of a Client."""

    DESCRIPTOR = recovery_pb2.DESCRIPTOR.services_by_name["RecoveryService"]

    RequestPasswordReset: AsyncMethod[
        recovery_pb2.RequestPasswordResetRequest, recovery_pb2.RequestPasswordResetResponse
    ]
    ResetPassword: AsyncMethod[recovery_pb2.ResetPasswordRequest, recovery_pb2.ResetPasswordResponse]
    BeginTwoFactorRecovery: AsyncMethod[
        recovery_pb2.BeginTwoFactorRecoveryRequest, recovery_pb2.BeginTwoFactorRecoveryResponse
    ]
    ConfirmTwoFactorRecovery: AsyncMethod[
        recovery_pb2.ConfirmTwoFactorRecoveryRequest, recovery_pb2.ConfirmTwoFactorRecoveryResponse
    ]
    SendTwoFactorRecoveryCode: AsyncMethod[
        recovery_pb2.SendTwoFactorRecoveryCodeRequest, recovery_pb2.SendTwoFactorRecoveryCodeResponse
    ]
    FinishTwoFactorRecovery: AsyncMethod[
        recovery_pb2.FinishTwoFactorRecoveryRequest, recovery_pb2.FinishTwoFactorRecoveryResponse
    ]
    CancelTwoFactorRecovery: AsyncMethod[
        recovery_pb2.CancelTwoFactorRecoveryRequest, recovery_pb2.CancelTwoFactorRecoveryResponse
    ]
    RequestSignInHint: AsyncMethod[recovery_pb2.RequestSignInHintRequest, recovery_pb2.RequestSignInHintResponse]
    CreateCaptcha: AsyncMethod[recovery_pb2.CreateCaptchaRequest, recovery_pb2.CreateCaptchaResponse]


class SyncRecovery(SyncService):
    """RecoveryService, of a SyncClient."""

    DESCRIPTOR = recovery_pb2.DESCRIPTOR.services_by_name["RecoveryService"]

    RequestPasswordReset: SyncMethod[
        recovery_pb2.RequestPasswordResetRequest, recovery_pb2.RequestPasswordResetResponse
    ]
    ResetPassword: SyncMethod[recovery_pb2.ResetPasswordRequest, recovery_pb2.ResetPasswordResponse]
    BeginTwoFactorRecovery: SyncMethod[
        recovery_pb2.BeginTwoFactorRecoveryRequest, recovery_pb2.BeginTwoFactorRecoveryResponse
    ]
    ConfirmTwoFactorRecovery: SyncMethod[
        recovery_pb2.ConfirmTwoFactorRecoveryRequest, recovery_pb2.ConfirmTwoFactorRecoveryResponse
    ]
    SendTwoFactorRecoveryCode: SyncMethod[
        recovery_pb2.SendTwoFactorRecoveryCodeRequest, recovery_pb2.SendTwoFactorRecoveryCodeResponse
    ]
    FinishTwoFactorRecovery: SyncMethod[
        recovery_pb2.FinishTwoFactorRecoveryRequest, recovery_pb2.FinishTwoFactorRecoveryResponse
    ]
    CancelTwoFactorRecovery: SyncMethod[
        recovery_pb2.CancelTwoFactorRecoveryRequest, recovery_pb2.CancelTwoFactorRecoveryResponse
    ]
    RequestSignInHint: SyncMethod[recovery_pb2.RequestSignInHintRequest, recovery_pb2.RequestSignInHintResponse]
    CreateCaptcha: SyncMethod[recovery_pb2.CreateCaptchaRequest, recovery_pb2.CreateCaptchaResponse]


class Sessions(AsyncService):
    """SessionService, of a Client."""

    DESCRIPTOR = session_pb2.DESCRIPTOR.services_by_name["SessionService"]

    RefreshSession: AsyncMethod[session_pb2.RefreshSessionRequest, session_pb2.RefreshSessionResponse]
    CheckSession: AsyncMethod[session_pb2.CheckSessionRequest, session_pb2.CheckSessionResponse]
    StepUp: AsyncMethod[session_pb2.StepUpRequest, session_pb2.StepUpResponse]
    SignOut: AsyncMethod[session_pb2.SignOutRequest, session_pb2.SignOutResponse]
    ListSessions: AsyncMethod[session_pb2.ListSessionsRequest, session_pb2.ListSessionsResponse]
    RevokeSession: AsyncMethod[session_pb2.RevokeSessionRequest, session_pb2.RevokeSessionResponse]
    RevokeOtherSessions: AsyncMethod[session_pb2.RevokeOtherSessionsRequest, session_pb2.RevokeOtherSessionsResponse]
    WatchRevocations: AsyncStreamMethod[session_pb2.WatchRevocationsRequest, session_pb2.WatchRevocationsResponse]
    GetSigningKeys: AsyncMethod[session_pb2.GetSigningKeysRequest, session_pb2.GetSigningKeysResponse]


class SyncSessions(SyncService):
    """SessionService, of a SyncClient."""

    DESCRIPTOR = session_pb2.DESCRIPTOR.services_by_name["SessionService"]

    RefreshSession: SyncMethod[session_pb2.RefreshSessionRequest, session_pb2.RefreshSessionResponse]
    CheckSession: SyncMethod[session_pb2.CheckSessionRequest, session_pb2.CheckSessionResponse]
    StepUp: SyncMethod[session_pb2.StepUpRequest, session_pb2.StepUpResponse]
    SignOut: SyncMethod[session_pb2.SignOutRequest, session_pb2.SignOutResponse]
    ListSessions: SyncMethod[session_pb2.ListSessionsRequest, session_pb2.ListSessionsResponse]
    RevokeSession: SyncMethod[session_pb2.RevokeSessionRequest, session_pb2.RevokeSessionResponse]
    RevokeOtherSessions: SyncMethod[session_pb2.RevokeOtherSessionsRequest, session_pb2.RevokeOtherSessionsResponse]
    WatchRevocations: SyncStreamMethod[session_pb2.WatchRevocationsRequest, session_pb2.WatchRevocationsResponse]
    GetSigningKeys: SyncMethod[session_pb2.GetSigningKeysRequest, session_pb2.GetSigningKeysResponse]


class Support(AsyncService):
    """SupportService, of a Client."""

    DESCRIPTOR = support_pb2.DESCRIPTOR.services_by_name["SupportService"]

    FindAccounts: AsyncMethod[support_pb2.FindAccountsRequest, support_pb2.FindAccountsResponse]
    OpenCase: AsyncMethod[support_pb2.OpenCaseRequest, support_pb2.OpenCaseResponse]
    ApproveCase: AsyncMethod[support_pb2.ApproveCaseRequest, support_pb2.ApproveCaseResponse]
    RejectCase: AsyncMethod[support_pb2.RejectCaseRequest, support_pb2.RejectCaseResponse]
    CancelCase: AsyncMethod[support_pb2.CancelCaseRequest, support_pb2.CancelCaseResponse]
    ConfirmCorrection: AsyncMethod[support_pb2.ConfirmCorrectionRequest, support_pb2.ConfirmCorrectionResponse]
    ExecuteCase: AsyncMethod[support_pb2.ExecuteCaseRequest, support_pb2.ExecuteCaseResponse]
    ListCases: AsyncMethod[support_pb2.ListCasesRequest, support_pb2.ListCasesResponse]
    ListDeliveries: AsyncMethod[support_pb2.ListDeliveriesRequest, support_pb2.ListDeliveriesResponse]
    LockAccount: AsyncMethod[support_pb2.LockAccountRequest, support_pb2.LockAccountResponse]
    UnlockAccount: AsyncMethod[support_pb2.UnlockAccountRequest, support_pb2.UnlockAccountResponse]
    ReviveActivation: AsyncMethod[support_pb2.ReviveActivationRequest, support_pb2.ReviveActivationResponse]


class SyncSupport(SyncService):
    """SupportService, of a SyncClient."""

    DESCRIPTOR = support_pb2.DESCRIPTOR.services_by_name["SupportService"]

    FindAccounts: SyncMethod[support_pb2.FindAccountsRequest, support_pb2.FindAccountsResponse]
    OpenCase: SyncMethod[support_pb2.OpenCaseRequest, support_pb2.OpenCaseResponse]
    ApproveCase: SyncMethod[support_pb2.ApproveCaseRequest, support_pb2.ApproveCaseResponse]
    RejectCase: SyncMethod[support_pb2.RejectCaseRequest, support_pb2.RejectCaseResponse]
    CancelCase: SyncMethod[support_pb2.CancelCaseRequest, support_pb2.CancelCaseResponse]
    ConfirmCorrection: SyncMethod[support_pb2.ConfirmCorrectionRequest, support_pb2.ConfirmCorrectionResponse]
    ExecuteCase: SyncMethod[support_pb2.ExecuteCaseRequest, support_pb2.ExecuteCaseResponse]
    ListCases: SyncMethod[support_pb2.ListCasesRequest, support_pb2.ListCasesResponse]
    ListDeliveries: SyncMethod[support_pb2.ListDeliveriesRequest, support_pb2.ListDeliveriesResponse]
    LockAccount: SyncMethod[support_pb2.LockAccountRequest, support_pb2.LockAccountResponse]
    UnlockAccount: SyncMethod[support_pb2.UnlockAccountRequest, support_pb2.UnlockAccountResponse]
    ReviveActivation: SyncMethod[support_pb2.ReviveActivationRequest, support_pb2.ReviveActivationResponse]


class TwoFactor(AsyncService):
    """TwoFactorService, of a Client."""

    DESCRIPTOR = two_factor_pb2.DESCRIPTOR.services_by_name["TwoFactorService"]

    GetTwoFactorStatus: AsyncMethod[two_factor_pb2.GetTwoFactorStatusRequest, two_factor_pb2.GetTwoFactorStatusResponse]
    BeginEnrollment: AsyncMethod[two_factor_pb2.BeginEnrollmentRequest, two_factor_pb2.BeginEnrollmentResponse]
    FinishEnrollment: AsyncMethod[two_factor_pb2.FinishEnrollmentRequest, two_factor_pb2.FinishEnrollmentResponse]
    ListFactors: AsyncMethod[two_factor_pb2.ListFactorsRequest, two_factor_pb2.ListFactorsResponse]
    UpdateFactor: AsyncMethod[two_factor_pb2.UpdateFactorRequest, two_factor_pb2.UpdateFactorResponse]
    RemoveFactor: AsyncMethod[two_factor_pb2.RemoveFactorRequest, two_factor_pb2.RemoveFactorResponse]
    DisableTwoFactor: AsyncMethod[two_factor_pb2.DisableTwoFactorRequest, two_factor_pb2.DisableTwoFactorResponse]
    GenerateBackupCodes: AsyncMethod[
        two_factor_pb2.GenerateBackupCodesRequest, two_factor_pb2.GenerateBackupCodesResponse
    ]
    StartChallenge: AsyncMethod[two_factor_pb2.StartChallengeRequest, two_factor_pb2.StartChallengeResponse]
    FinishChallenge: AsyncMethod[two_factor_pb2.FinishChallengeRequest, two_factor_pb2.FinishChallengeResponse]
    ListDevices: AsyncMethod[two_factor_pb2.ListDevicesRequest, two_factor_pb2.ListDevicesResponse]
    RevokeDevice: AsyncMethod[two_factor_pb2.RevokeDeviceRequest, two_factor_pb2.RevokeDeviceResponse]
    WatchChallenge: AsyncStreamMethod[two_factor_pb2.WatchChallengeRequest, two_factor_pb2.WatchChallengeResponse]
    PairApprover: AsyncMethod[two_factor_pb2.PairApproverRequest, two_factor_pb2.PairApproverResponse]
    WatchApprovals: AsyncStreamMethod[two_factor_pb2.WatchApprovalsRequest, two_factor_pb2.WatchApprovalsResponse]
    AnswerApproval: AsyncMethod[two_factor_pb2.AnswerApprovalRequest, two_factor_pb2.AnswerApprovalResponse]


class SyncTwoFactor(SyncService):
    """TwoFactorService, of a SyncClient."""

    DESCRIPTOR = two_factor_pb2.DESCRIPTOR.services_by_name["TwoFactorService"]

    GetTwoFactorStatus: SyncMethod[two_factor_pb2.GetTwoFactorStatusRequest, two_factor_pb2.GetTwoFactorStatusResponse]
    BeginEnrollment: SyncMethod[two_factor_pb2.BeginEnrollmentRequest, two_factor_pb2.BeginEnrollmentResponse]
    FinishEnrollment: SyncMethod[two_factor_pb2.FinishEnrollmentRequest, two_factor_pb2.FinishEnrollmentResponse]
    ListFactors: SyncMethod[two_factor_pb2.ListFactorsRequest, two_factor_pb2.ListFactorsResponse]
    UpdateFactor: SyncMethod[two_factor_pb2.UpdateFactorRequest, two_factor_pb2.UpdateFactorResponse]
    RemoveFactor: SyncMethod[two_factor_pb2.RemoveFactorRequest, two_factor_pb2.RemoveFactorResponse]
    DisableTwoFactor: SyncMethod[two_factor_pb2.DisableTwoFactorRequest, two_factor_pb2.DisableTwoFactorResponse]
    GenerateBackupCodes: SyncMethod[
        two_factor_pb2.GenerateBackupCodesRequest, two_factor_pb2.GenerateBackupCodesResponse
    ]
    StartChallenge: SyncMethod[two_factor_pb2.StartChallengeRequest, two_factor_pb2.StartChallengeResponse]
    FinishChallenge: SyncMethod[two_factor_pb2.FinishChallengeRequest, two_factor_pb2.FinishChallengeResponse]
    ListDevices: SyncMethod[two_factor_pb2.ListDevicesRequest, two_factor_pb2.ListDevicesResponse]
    RevokeDevice: SyncMethod[two_factor_pb2.RevokeDeviceRequest, two_factor_pb2.RevokeDeviceResponse]
    WatchChallenge: SyncStreamMethod[two_factor_pb2.WatchChallengeRequest, two_factor_pb2.WatchChallengeResponse]
    PairApprover: SyncMethod[two_factor_pb2.PairApproverRequest, two_factor_pb2.PairApproverResponse]
    WatchApprovals: SyncStreamMethod[two_factor_pb2.WatchApprovalsRequest, two_factor_pb2.WatchApprovalsResponse]
    AnswerApproval: SyncMethod[two_factor_pb2.AnswerApprovalRequest, two_factor_pb2.AnswerApprovalResponse]
