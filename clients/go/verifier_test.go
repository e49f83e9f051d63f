package twofold

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"twofold.example/go/internal/fake"
	twofoldv1 "twofold.example/go/v1"
)

// Nobody is vouched for before the first snapshot is complete; then a token tells whose it is.
func TestAVerifierVouchesFromItsFirstSnapshotOn(t *testing.T) {
	s := set(t)
	token := s.minter.Token(nil)
	if _, err := s.Verify(token); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	stream := <-s.service.Opened
	stream.Send(&twofoldv1.WatchRevocationsResponse{Reset_: true, Revocations: []*twofoldv1.Revocation{sessionRevoked()}})
	s.untilRefused(t, token, "SESSION_ENDED")
	other := s.minter.Token(map[string]any{"sid": "019cbf00-0000-7000-8000-0000000000a2"})
	if _, err := s.Verify(other); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
	stream.Revoke("1.1")
	if err := s.WaitReady(context.Background()); err != nil {
		t.Fatal(err)
	}
	session, err := s.Verify(other)
	if err != nil || session.AccountID != fake.Account || session.AAL != 2 || !session.HasAMR("otp") {
		t.Error(session, err)
	}
	if _, err := s.Verify(token); reasonOf(err) != "SESSION_ENDED" {
		t.Error(err)
	}
}

// A revocation ends a token that has been seen, and an epoch those below it.
func TestARevocationCountsForTokensThatWereSeen(t *testing.T) {
	s := set(t)
	stream := s.ready(t)
	old, young := s.minter.Token(nil), s.minter.Token(map[string]any{"sid": "019cbf00-0000-7000-8000-0000000000a2", "epoch": 2})
	for _, token := range []string{old, young, old} {
		if _, err := s.Verify(token); err != nil {
			t.Fatal(err)
		}
	}
	stream.Revoke("1.2", revoked(twofoldv1.RevocationKind_REVOCATION_KIND_ACCOUNT, fake.Account, 2))
	s.untilRefused(t, old, "SESSION_ENDED")
	if _, err := s.Verify(young); err != nil {
		t.Error(err)
	}
}

// What is remembered of a token helps no copy with another signature, and not beyond its expiry.
func TestTheCacheVouchesForTheVeryTokenUntilItExpires(t *testing.T) {
	s := set(t)
	s.ready(t)
	token := s.minter.Token(nil)
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	forged := token[:len(token)-4] + strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'Q'
		}
		return 'A'
	}, token[len(token)-4:])
	if _, err := s.Verify(forged); reasonOf(err) != "SESSION_INVALID" {
		t.Error(err)
	}
	s.clock.move(301 * time.Second)
	if _, err := s.Verify(token); !errors.Is(err, ErrSessionExpired) {
		t.Error(err)
	}
}

// WaitReady fails at once with what waiting does not mend, and says why where it has waited.
func TestWaitReadyTellsWhatWaitingDoesNotMend(t *testing.T) {
	denied := set(t)
	if err := denied.Start(); err != nil {
		t.Fatal(err)
	}
	(<-denied.service.Opened).End(refusalOf(t, codes.PermissionDenied, "No role.", reason("CALLER_NOT_PERMITTED")))
	if err := denied.WaitReady(context.Background()); !errors.Is(err, ErrPermissionDenied) {
		t.Error(err)
	}
	misfit := set(t)
	misfit.service.AnswerKeys(func() (*twofoldv1.GetSigningKeysResponse, error) {
		keys := fake.Keys(misfit.minter)
		keys.Audiences = []string{"shipping"}
		return keys, nil
	})
	if err := misfit.Start(); err != nil {
		t.Fatal(err)
	}
	if err := misfit.WaitReady(context.Background()); err == nil || !strings.Contains(err.Error(), "billing") {
		t.Error(err)
	}
	late := set(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := late.WaitReady(ctx); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
}

// A closed verifier vouches for nobody, and its stream is over.
func TestCloseOfAVerifier(t *testing.T) {
	s := set(t)
	stream := s.ready(t)
	token := s.minter.Token(nil)
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-stream.Context.Done()
	if _, err := s.Verify(token); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
	if err := s.WaitReady(context.Background()); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
	if s.Start() == nil {
		t.Error("it starts again")
	}
}
