package twofold

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	requestIDTrailer = "twofold-request-id"
	errorDomain      = "twofold"
)

// FieldViolation is a field of the request that the server refused.
type FieldViolation struct {
	// Field is its path in the request, such as client.ip_address; empty: the message as a whole.
	Field string
	// Description says what is wrong with it, in English.
	Description string
}

// PreconditionViolation is a state that forbids the call.
type PreconditionViolation struct {
	// Type is the kind of state, such as SECOND_FACTOR.
	Type string
	// Subject is what is in that state, such as account.
	Subject string
	// Description is the same in English; may be empty.
	Description string
}

// Error is what every failed call of a Client, and every refusal of a Verifier, returns. Get at it with [errors.As].
//
// Its text holds no part of the request and no token. The gRPC error that it came from is what it unwraps to, so
// status.Code and status.FromError understand it.
type Error struct {
	// Kind tells what to do; compare by errors.Is(err, kind), which knows special cases.
	Kind Kind
	// Code is the status code.
	Code codes.Code
	// Reason is the name of the ErrorReason without its prefix, such as INVALID_CREDENTIALS; empty if there is none.
	Reason string
	// Message is the text that came with it, in English. For people; it may change. Don't log that of an error
	// without Reason: something between you and the service wrote it.
	Message string
	// Metadata holds further facts, by reason.
	Metadata map[string]string
	// FieldViolations are all fields that were refused.
	FieldViolations []FieldViolation
	// PreconditionViolations are all states that forbid the call.
	PreconditionViolations []PreconditionViolation
	// RequestID is what the server's log has the call under; empty if the call never reached the service.
	RequestID string

	retryAfter *time.Duration
	cause      error
}

// RetryAfter tells how long to wait before the next call; false where the server did not say.
func (e *Error) RetryAfter() (time.Duration, bool) {
	if e.retryAfter == nil {
		return 0, false
	}
	return *e.retryAfter, true
}

// Error gives code, reason, message, bad fields and request id.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString(codeName(e.Code))
	if e.Reason != "" {
		text.WriteString(" " + e.Reason)
	}
	// A text without a reason is not the service's and may quote a request. What gRPC says of the connection quotes
	// none, and is needed to see what is wrong with it.
	if e.Message != "" && (e.Reason != "" || ofConnection(e.Code)) {
		text.WriteString(": " + e.Message)
	}
	if len(e.FieldViolations) > 0 {
		names := make([]string, len(e.FieldViolations))
		for i, violation := range e.FieldViolations {
			names[i] = violation.Field
			if violation.Field == "" {
				names[i] = "(message)"
			}
		}
		text.WriteString(" [" + strings.Join(names, ", ") + "]")
	}
	if e.RequestID != "" {
		text.WriteString(" (request " + e.RequestID + ")")
	}
	return text.String()
}

// GoString keeps the cause, whose text may quote a request, out of %#v.
func (e *Error) GoString() string { return "<" + string(e.Kind) + " " + e.Error() + ">" }

// Is makes errors.Is true for the kind of the error, for the kinds that it is a special case of, and for
// context.Canceled and context.DeadlineExceeded where they are meant.
func (e *Error) Is(target error) bool {
	switch target {
	case context.Canceled:
		return e.Kind == ErrCanceled
	case context.DeadlineExceeded:
		return e.Kind == ErrDeadlineExceeded
	}
	kind, isKind := target.(Kind)
	return isKind && e.Kind.is(kind)
}

// Unwrap gives the gRPC error that this one came from.
func (e *Error) Unwrap() error { return e.cause }

func ofConnection(code codes.Code) bool {
	return code == codes.Unavailable || code == codes.Canceled || code == codes.DeadlineExceeded
}

// codeName spells a code as the contract does: UNAVAILABLE, not Unavailable.
func codeName(of codes.Code) string { return code.Code(of).String() }

// errorFrom turns the error and trailers of a failed call into what the caller gets. Details that don't parse are left out.
func errorFrom(cause error, trailers metadata.MD) *Error {
	of := status.Convert(cause)
	made := &Error{Code: of.Code(), Message: of.Message(), cause: cause}
	made.RequestID = first(trailers.Get(requestIDTrailer))
	for _, detail := range of.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == errorDomain && made.Reason == "" {
				made.Reason, made.Metadata = detail.GetReason(), detail.GetMetadata()
			}
		case *errdetails.RequestInfo:
			if made.RequestID == "" {
				made.RequestID = detail.GetRequestId()
			}
		case *errdetails.RetryInfo:
			if made.retryAfter == nil {
				wait := max(detail.GetRetryDelay().AsDuration(), 0)
				made.retryAfter = &wait
			}
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				made.FieldViolations = append(
					made.FieldViolations, FieldViolation{violation.GetField(), violation.GetDescription()})
			}
		case *errdetails.PreconditionFailure:
			for _, violation := range detail.GetViolations() {
				made.PreconditionViolations = append(made.PreconditionViolations,
					PreconditionViolation{violation.GetType(), violation.GetSubject(), violation.GetDescription()})
			}
		}
	}
	made.Kind = kindOf(made.Code, made.Reason)
	return made
}

// newError makes the error of a refusal on this side.
func newError(kind Kind, code codes.Code, reason, message string) *Error {
	return &Error{Kind: kind, Code: code, Reason: reason, Message: message, cause: status.Error(code, message)}
}

func errClosed() *Error {
	return newError(ErrUnavailable, codes.Unavailable, "", "The client is closed.")
}

// reasonOf gives the reason of an error of this package, else nothing.
func reasonOf(err error) string {
	var failed *Error
	if errors.As(err, &failed) {
		return failed.Reason
	}
	return ""
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
