package twofold

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"twofold.example/go/internal/fake"
	twofoldv1 "twofold.example/go/v1"
)

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
