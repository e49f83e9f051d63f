package twofold

import "google.golang.org/grpc/codes"

// Kind tells what to do about a failed call. Compare with [errors.Is]:
//
//	if errors.Is(err, twofold.ErrSessionExpired) { ... }
//
// Some kinds are special cases of others, and match those too: whoever asks for both asks for the special one first.
type Kind string

// The kinds of errors.
const (
	// ErrInvalidFields: correct the request; FieldViolations names every bad field.
	ErrInvalidFields Kind = "InvalidFields"
	// ErrUnauthenticated: somebody has not proven who they are: the calling service (CALLER_UNKNOWN) or, mostly by a
	// special case, the user.
	ErrUnauthenticated Kind = "Unauthenticated"
	// ErrInvalidCredentials: ask the user again for address and password. An ErrUnauthenticated.
	ErrInvalidCredentials Kind = "InvalidCredentials"
	// ErrInvalidSecondFactor: ask the user for a new code. An ErrUnauthenticated.
	ErrInvalidSecondFactor Kind = "InvalidSecondFactor"
	// ErrSessionEnded: have the user sign in again; the session is over, or the token was never good. An
	// ErrUnauthenticated.
	ErrSessionEnded Kind = "SessionEnded"
	// ErrSessionExpired: the access token is too old; call RefreshSession, then again. An ErrSessionEnded.
	ErrSessionExpired Kind = "SessionExpired"
	// ErrPermissionDenied: the caller or the account may not do this.
	ErrPermissionDenied Kind = "PermissionDenied"
	// ErrRecentProofRequired: call StepUp first; this needs a proof of the last 10 min. An ErrPermissionDenied.
	ErrRecentProofRequired Kind = "RecentProofRequired"
	// ErrNotFound: there is no such thing, or not for this caller; a used or expired link or step has to begin anew.
	ErrNotFound Kind = "NotFound"
	// ErrFailedPrecondition: the state of the account forbids it; PreconditionViolations says which.
	ErrFailedPrecondition Kind = "FailedPrecondition"
	// ErrResourceExhausted: wait as long as RetryAfter says; too many attempts, too soon, or too much load.
	ErrResourceExhausted Kind = "ResourceExhausted"
	// ErrAborted: the account changed meanwhile and nothing was done; call again from the start.
	ErrAborted Kind = "Aborted"
	// ErrUnavailable: call again later; no server could answer. A call that writes may have been done all the same,
	// unless Code is Canceled and RequestID is empty.
	ErrUnavailable Kind = "Unavailable"
	// ErrVerifierNotReady: a Verifier can't judge now, so it vouches for nobody. An ErrUnavailable.
	ErrVerifierNotReady Kind = "VerifierNotReady"
	// ErrDeadlineExceeded: time ran out. A call that writes may have been done, unless the reason is
	// DEADLINE_TOO_SHORT. Matches context.DeadlineExceeded too.
	ErrDeadlineExceeded Kind = "DeadlineExceeded"
	// ErrCanceled: the context of the call was cancelled on this side. Matches context.Canceled too.
	ErrCanceled Kind = "Canceled"
	// ErrInternal: a fault of the server's own; report RequestID.
	ErrInternal Kind = "InternalError"
	// ErrOther: a status that Twofold never gives, such as that of a proxy.
	ErrOther Kind = "TwofoldError"
)

// Error gives the kind's name, the same in every client of Twofold.
func (k Kind) Error() string { return string(k) }

var baseKinds = map[Kind]Kind{
	ErrInvalidCredentials:  ErrUnauthenticated,
	ErrInvalidSecondFactor: ErrUnauthenticated,
	ErrSessionEnded:        ErrUnauthenticated,
	ErrSessionExpired:      ErrSessionEnded,
	ErrRecentProofRequired: ErrPermissionDenied,
	ErrVerifierNotReady:    ErrUnavailable,
}

func (k Kind) is(other Kind) bool {
	for ; k != ""; k = baseKinds[k] {
		if k == other {
			return true
		}
	}
	return false
}

var kindsByCode = map[codes.Code]Kind{
	codes.InvalidArgument:    ErrInvalidFields,
	codes.Unauthenticated:    ErrUnauthenticated,
	codes.PermissionDenied:   ErrPermissionDenied,
	codes.NotFound:           ErrNotFound,
	codes.FailedPrecondition: ErrFailedPrecondition,
	codes.ResourceExhausted:  ErrResourceExhausted,
	codes.Aborted:            ErrAborted,
	codes.Unavailable:        ErrUnavailable,
	// Of the server's side, as when it stops; what this side cancels is ErrCanceled.
	codes.Canceled:         ErrUnavailable,
	codes.DeadlineExceeded: ErrDeadlineExceeded,
	codes.Internal:         ErrInternal,
	codes.Unknown:          ErrInternal,
	codes.DataLoss:         ErrInternal,
}

var kindsByReason = map[string]Kind{
	"INVALID_CREDENTIALS":        ErrInvalidCredentials,
	"INVALID_SECOND_FACTOR":      ErrInvalidSecondFactor,
	"SESSION_INVALID":            ErrSessionEnded,
	"SESSION_EXPIRED":            ErrSessionExpired,
	"SESSION_ENDED":              ErrSessionEnded,
	"SESSION_REUSED":             ErrSessionEnded,
	"SESSION_USER_AGENT_CHANGED": ErrSessionEnded,
	"RECENT_PASSWORD_REQUIRED":   ErrRecentProofRequired,
	"RECENT_TWO_FACTOR_REQUIRED": ErrRecentProofRequired,
}

func kindOf(code codes.Code, reason string) Kind {
	if kind, known := kindsByReason[reason]; known {
		return kind
	}
	if kind, known := kindsByCode[code]; known {
		return kind
	}
	return ErrOther
}
