package twofold

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// refusalOf gives a status as the service sends it.
func refusalOf(t testing.TB, code codes.Code, text string, details ...protoadapt.MessageV1) error {
	t.Helper()
	made, err := status.New(code, text).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return made.Err()
}

func reason(name string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Domain: "twofold", Reason: name}
}

// Everything that a refusal carries is found in the error.
func TestAnErrorHasAllThatTheServerSays(t *testing.T) {
	failed := errorFrom(refusalOf(t, codes.InvalidArgument, "Bad fields.",
		&errdetails.ErrorInfo{Domain: "another.example", Reason: "NOT_OURS"},
		&errdetails.ErrorInfo{Domain: "twofold", Reason: "INVALID_FIELDS", Metadata: map[string]string{"limit": "3"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "email", Description: "Not an address."}, {Description: "Too much."},
		}},
		&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{
			{Type: "SECOND_FACTOR", Subject: "totp", Description: "Enrolled."},
		}},
		&errdetails.RequestInfo{RequestId: "from-details"},
	), metadata.Pairs(requestIDTrailer, "from-trailer"))
	if failed.Kind != ErrInvalidFields || failed.Code != codes.InvalidArgument || failed.Reason != "INVALID_FIELDS" ||
		failed.Message != "Bad fields." || failed.Metadata["limit"] != "3" || failed.RequestID != "from-trailer" {
		t.Errorf("%+v", *failed)
	}
	if wait, has := failed.RetryAfter(); !has || wait != 1500*time.Millisecond {
		t.Error(wait, has)
	}
	if len(failed.FieldViolations) != 2 || failed.FieldViolations[0] != (FieldViolation{"email", "Not an address."}) {
		t.Error(failed.FieldViolations)
	}
	if len(failed.PreconditionViolations) != 1 || failed.PreconditionViolations[0].Subject != "totp" {
		t.Error(failed.PreconditionViolations)
	}
	if text := failed.Error(); text != "INVALID_ARGUMENT INVALID_FIELDS: Bad fields. [email, (message)] (request from-trailer)" {
		t.Error(text)
	}
	if status.Code(failed) != codes.InvalidArgument || len(status.Convert(failed).Details()) != 6 {
		t.Error("the status is not to be had from the error")
	}
}

// Each reason has its kind, and a special kind matches those that it is a case of.
func TestKinds(t *testing.T) {
	for _, one := range []struct {
		code   codes.Code
		reason string
		is     []Kind
		not    Kind
	}{
		{codes.Unauthenticated, "SESSION_EXPIRED", []Kind{ErrSessionExpired, ErrSessionEnded, ErrUnauthenticated}, ErrInvalidCredentials},
		{codes.Unauthenticated, "SESSION_REUSED", []Kind{ErrSessionEnded, ErrUnauthenticated}, ErrSessionExpired},
		{codes.Unauthenticated, "INVALID_CREDENTIALS", []Kind{ErrInvalidCredentials, ErrUnauthenticated}, ErrSessionEnded},
		{codes.Unauthenticated, "INVALID_SECOND_FACTOR", []Kind{ErrInvalidSecondFactor, ErrUnauthenticated}, ErrInvalidCredentials},
		{codes.Unauthenticated, "CALLER_UNKNOWN", []Kind{ErrUnauthenticated}, ErrSessionEnded},
		{codes.PermissionDenied, "RECENT_PASSWORD_REQUIRED", []Kind{ErrRecentProofRequired, ErrPermissionDenied}, ErrUnauthenticated},
		{codes.NotFound, "REALM_NOT_FOUND", []Kind{ErrNotFound}, ErrPermissionDenied},
		{codes.FailedPrecondition, "SECOND_FACTOR_REQUIRED", []Kind{ErrFailedPrecondition}, ErrAborted},
		{codes.ResourceExhausted, "TOO_MANY_ATTEMPTS", []Kind{ErrResourceExhausted}, ErrUnavailable},
		{codes.Aborted, "CHANGED_MEANWHILE", []Kind{ErrAborted}, ErrInternal},
		{codes.Unavailable, "", []Kind{ErrUnavailable}, ErrVerifierNotReady},
		{codes.Canceled, "", []Kind{ErrUnavailable}, ErrCanceled},
		{codes.DeadlineExceeded, "", []Kind{ErrDeadlineExceeded}, ErrUnavailable},
		{codes.Unknown, "", []Kind{ErrInternal}, ErrUnavailable},
		{codes.Unimplemented, "", []Kind{ErrOther}, ErrInternal},
	} {
		failed := errorFrom(refusalOf(t, one.code, "", reason(one.reason)), nil)
		for _, kind := range one.is {
			if !errors.Is(failed, kind) {
				t.Errorf("%s %s is not %s", one.code, one.reason, kind)
			}
		}
		if errors.Is(failed, one.not) {
			t.Errorf("%s %s is %s", one.code, one.reason, one.not)
		}
	}
	if !errors.Is(newError(ErrDeadlineExceeded, codes.DeadlineExceeded, "", ""), context.DeadlineExceeded) {
		t.Error("a deadline is not context.DeadlineExceeded")
	}
	if !errors.Is(notReady("."), ErrUnavailable) {
		t.Error("a verifier that is not ready is not unavailable")
	}
}

// A text that the service did not write may quote a request: it is not shown, but for what is said of the connection.
func TestTheTextOfAnErrorHoldsNothingOfTheRequest(t *testing.T) {
	failed := errorFrom(status.Error(codes.Unknown, "boom: password=hunter2"), nil)
	for _, text := range []string{failed.Error(), fmt.Sprintf("%+v", failed), fmt.Sprintf("%#v", failed)} {
		if strings.Contains(text, "hunter2") {
			t.Error(text)
		}
	}
	lost := errorFrom(status.Error(codes.Unavailable, "connection refused"), nil)
	if !strings.Contains(lost.Error(), "connection refused") {
		t.Error(lost)
	}
}

// A client, a verifier and their options show neither credential, token nor key.
func TestNothingShowsASecret(t *testing.T) {
	client, err := NewClient("127.0.0.1:50051", WithCredential("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	verifier, err := NewVerifier("127.0.0.1:50051", "default", "billing", WithCredential("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	for _, shown := range []any{
		client, verifier, WithSession("hunter2"), WithApprover("hunter2"), TLS{ClientKey: []byte("hunter2")},
		&TLS{ClientKey: []byte("hunter2")},
	} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(format, shown); strings.Contains(text, "hunter2") {
				t.Errorf("%s of %T: %s", format, shown, text)
			}
		}
	}
}
