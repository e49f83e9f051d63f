package twofold

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"twofold.example/go/internal/fake"
	twofoldv1 "twofold.example/go/v1"
)

// movedClock runs as time.Now does, and can be moved ahead.
type movedClock struct{ ahead atomic.Int64 }

func (c *movedClock) now() time.Time                { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *movedClock) move(ahead time.Duration)      { c.ahead.Add(int64(ahead)) }
func (c *movedClock) stamp() *timestamppb.Timestamp { return timestamppb.New(c.now()) }

// setting is a verifier over a service that the test drives.
type setting struct {
	*Verifier
	minter  *fake.Minter
	service *fake.Service
	clock   *movedClock
}

func set(t *testing.T, options ...VerifierOption) *setting {
	t.Helper()
	made := &setting{minter: fake.NewMinter("key-1"), clock: &movedClock{}}
	made.service = fake.NewService(made.minter)
	address, stop, err := made.service.Serve()
	if err != nil {
		t.Fatal(err)
	}
	// Long ones, for machines that are busy: what a test is about, it moves the clock for.
	standing := []VerifierOption{WithClock(made.clock.now), WithSilence(time.Minute), WithDeadline(time.Minute)}
	made.Verifier, err = NewVerifier(address, fake.Realm, fake.Audience, append(standing, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = made.Close()
		stop()
	})
	return made
}

// ready starts it and sends its first snapshot.
func (s *setting) ready(t *testing.T, revocations ...*twofoldv1.Revocation) *fake.Stream {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	stream := <-s.service.Opened
	stream.Snapshot("1.1", revocations...)
	if err := s.WaitReady(context.Background()); err != nil {
		t.Fatal(err)
	}
	return stream
}

// until waits for what a message brings about.
func (s *setting) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		news := s.nextNews()
		if holds() {
			return
		}
		select {
		case <-news:
		case <-late:
			t.Fatal("not in a minute: ", what)
		}
	}
}

func (s *setting) untilRefused(t *testing.T, token string, reason string) {
	t.Helper()
	s.until(t, reason, func() bool {
		_, err := s.Verify(token)
		return reasonOf(err) == reason
	})
}

func revoked(kind twofoldv1.RevocationKind, subject string, epoch int32) *twofoldv1.Revocation {
	return &twofoldv1.Revocation{
		RealmId: fake.Realm, Kind: kind, Subject: subject, Epoch: epoch,
		ExpireTime: timestamppb.New(time.Now().Add(time.Hour)),
	}
}

func sessionRevoked() *twofoldv1.Revocation {
	return revoked(twofoldv1.RevocationKind_REVOCATION_KIND_SESSION, fake.Session, 0)
}

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

// A token is good no longer than its key, remembered or not.
func TestATokenIsGoodNoLongerThanItsKey(t *testing.T) {
	s := set(t)
	key := s.minter.SigningKey()
	key.RetireTime = timestamppb.New(time.Now().Add(100 * time.Second))
	s.service.AnswerKeys(func() (*twofoldv1.GetSigningKeysResponse, error) {
		keys := fake.Keys()
		keys.Keys = append(keys.Keys, key)
		return keys, nil
	})
	s.ready(t)
	token := s.minter.Token(nil)
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	s.clock.move(101 * time.Second)
	if _, err := s.Verify(token); reasonOf(err) != "SESSION_INVALID" {
		t.Error(err)
	}
}

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
	if next := <-s.service.Opened; next.ResumeToken != "1.7" {
		t.Errorf("%q", next.ResumeToken)
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
		"back": func(s *setting) *timestamppb.Timestamp { return timestamppb.New(s.clock.now().Add(-time.Hour)) },
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

// Tokens that name an unknown key cause one fetch in 30 s, however many they are; Check waits for it.
func TestUnknownKeys(t *testing.T) {
	s := set(t)
	stream := s.ready(t)
	s.until(t, "the first fetch is over", func() bool { return !s.judge.keysComing() })
	rotated := fake.NewMinter("key-2")
	s.service.Publish(s.minter, rotated)
	if _, err := s.Check(context.Background(), rotated.Token(nil)); err != nil {
		t.Error(err)
	}
	stranger := fake.NewMinter("key-3")
	for range 50 {
		if _, err := s.Verify(stranger.Token(nil)); reasonOf(err) != "SESSION_INVALID" {
			t.Error(err)
		}
		if _, err := s.Check(context.Background(), stranger.Token(nil)); reasonOf(err) != "SESSION_INVALID" {
			t.Error(err)
		}
	}
	if s.service.Fetches() != 2 {
		t.Error(s.service.Fetches())
	}
	s.clock.move(unknownKeyPause)
	if _, err := s.Verify(stranger.Token(nil)); !errors.Is(err, ErrVerifierNotReady) {
		t.Error(err)
	}
	s.until(t, "a fetch", func() bool { return s.service.Fetches() == 3 && !s.judge.keysComing() })
	stream.Revoke("1.2")
}

// A withdrawn key ends what it signed, in the set or out of it, and the keys are fetched at once.
func TestAWithdrawnKey(t *testing.T) {
	s := set(t)
	stream := s.ready(t)
	token, other := s.minter.Token(nil), s.minter.Token(map[string]any{"sid": "019cbf00-0000-7000-8000-0000000000a2"})
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	successor := fake.NewMinter("key-2")
	s.service.Publish(successor)
	withdrawn := revoked(twofoldv1.RevocationKind_REVOCATION_KIND_SIGNING_KEY, "key-1", 0)
	withdrawn.RealmId = ""
	stream.Revoke("1.2", withdrawn)
	s.until(t, "the successor", func() bool {
		_, err := s.Verify(successor.Token(nil))
		return err == nil
	})
	for _, dead := range []string{token, other} {
		if _, err := s.Verify(dead); reasonOf(err) != "SESSION_ENDED" {
			t.Error(err)
		}
	}
}

// The keys are fetched again and again, asked for or not.
func TestKeysAreFetchedAnyway(t *testing.T) {
	s := set(t)
	s.keysEvery = 10 * time.Millisecond
	s.ready(t)
	s.until(t, "three fetches", func() bool { return s.service.Fetches() >= 3 })
	if s := set(t); s.keysEvery != 300*time.Second {
		t.Error(s.keysEvery)
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
