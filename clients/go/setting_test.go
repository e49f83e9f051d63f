package twofold

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

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
