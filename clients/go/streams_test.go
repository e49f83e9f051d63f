package twofold

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"twofold.example/go/internal/fake"
	twofoldv1 "twofold.example/go/v1"
)

// After silence nobody is vouched for, though what is revoked and bad is still told.
func TestSilence(t *testing.T) {
	s := set(t, WithSilence(20*time.Second))
	s.ready(t)
	token := s.minter.Token(nil)
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	s.clock.move(21 * time.Second)
	if _, err := s.Verify(token); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
	if _, err := s.Check(context.Background(), token); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
	if _, err := s.Verify(token + "x"); reasonOf(err) != "SESSION_INVALID" {
		t.Error(err)
	}
}

// A stream that says nothing is given up, and its connection with it; the next goes on from where it was.
func TestASilentStreamIsGivenUp(t *testing.T) {
	s := set(t, WithSilence(200*time.Millisecond))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	stream := <-s.service.Opened
	stream.Snapshot("1.7")
	<-stream.Context.Done()
	next := <-s.service.Opened
	if next.ResumeToken != "1.7" {
		t.Errorf("%q", next.ResumeToken)
	}
	before, _ := peer.FromContext(stream.Context)
	after, _ := peer.FromContext(next.Context)
	if before.Addr.String() == after.Addr.String() {
		t.Error("over the same connection")
	}
}

// A stream whose messages come ever later, or whose clock goes back, may be old: it is given up.
func TestAStreamThatFallsBehindIsGivenUp(t *testing.T) {
	for name, next := range map[string]func(*setting) *timestamppb.Timestamp{
		"behind": func(s *setting) *timestamppb.Timestamp {
			stamp := s.clock.stamp()
			s.clock.move(2 * time.Minute)
			return stamp
		},
		"back": func(s *setting) *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(-30 * time.Second)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := set(t)
			stream := s.ready(t)
			stream.Send(&twofoldv1.WatchRevocationsResponse{Current: true, ResumeToken: "1.2", ServerTime: next(s)})
			<-stream.Context.Done()
			if next := <-s.service.Opened; next.ResumeToken != "1.1" {
				t.Errorf("%q", next.ResumeToken)
			}
		})
	}
}

// A stream that ends or fails is opened again from where it was; tokens are vouched for meanwhile.
func TestAStreamThatEndsIsResumed(t *testing.T) {
	s := set(t)
	stream := s.ready(t)
	for i, end := range []error{
		nil, refusalOf(t, codes.Unavailable, "", reason("SERVER_DRAINING")), status.Error(codes.Internal, "broken"),
	} {
		place := []string{"2.1", "2.2", "2.3"}[i]
		stream.Revoke(place)
		stream.End(end)
		stream = <-s.service.Opened
		if stream.ResumeToken != place {
			t.Errorf("%q, not %q", stream.ResumeToken, place)
		}
		if _, err := s.Verify(s.minter.Token(nil)); err != nil {
			t.Error(err)
		}
	}
	stream.Revoke("2.4", sessionRevoked())
	s.untilRefused(t, s.minter.Token(nil), "SESSION_ENDED")
}

// With WithAskOnSilence Check asks the service while nothing is heard, with the token, and Verify refuses.
func TestAskOnSilence(t *testing.T) {
	s := set(t, WithAskOnSilence())
	s.ready(t)
	token := s.minter.Token(nil)
	var refuse atomic.Bool
	s.service.Check = func(
		ctx context.Context, request *twofoldv1.CheckSessionRequest,
	) (*twofoldv1.CheckSessionResponse, error) {
		got, _ := metadata.FromIncomingContext(ctx)
		if request.GetAudience() != fake.Audience || request.GetRealmId() != fake.Realm || first(got.Get("twofold-session")) != token {
			return nil, status.Error(codes.InvalidArgument, "another token")
		}
		if refuse.Load() {
			return nil, refusalOf(t, codes.Unauthenticated, "Over.", reason("SESSION_ENDED"), &errdetails.RequestInfo{RequestId: "1"})
		}
		return &twofoldv1.CheckSessionResponse{}, nil
	}
	s.clock.move(2 * time.Minute)
	if _, err := s.Verify(token); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
	if session, err := s.Check(context.Background(), token); err != nil || session.SessionID != fake.Session {
		t.Error(session, err)
	}
	refuse.Store(true)
	if _, err := s.Check(context.Background(), token); reasonOf(err) != "SESSION_ENDED" {
		t.Error(err)
	}
}
