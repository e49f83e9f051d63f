package twofold

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"twofold.example/go/internal/fake"
	twofoldv1 "twofold.example/go/v1"
)

// Any number of goroutines may verify while revocations and keys change; what is told as revoked is refused from then on.
func TestVerifyingWhileEverythingChanges(t *testing.T) {
	s := set(t, WithCacheSize(16))
	stream := s.ready(t)
	const sessions = 40
	tokens, ids := make([]string, sessions), make([]string, sessions)
	for i := range tokens {
		ids[i] = fmt.Sprintf("019cbf00-0000-7000-8000-%012x", i)
		tokens[i] = s.minter.Token(map[string]any{"sid": ids[i]})
	}
	var revokedBelow atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			for i := worker; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				at := i % sessions
				dead := int64(at) < revokedBelow.Load()
				_, err := s.Verify(tokens[at])
				if dead && reasonOf(err) != "SESSION_ENDED" {
					t.Errorf("session %d is revoked: %v", at, err)
				}
				if err != nil && reasonOf(err) != "SESSION_ENDED" {
					t.Error(err)
				}
			}
		})
	}
	other := fake.NewMinter("key-2")
	for i := range sessions / 2 {
		stream.Revoke(fmt.Sprintf("1.%d", i+2), revoked(twofoldv1.RevocationKind_REVOCATION_KIND_SESSION, ids[i], 0))
		s.untilRefused(t, tokens[i], "SESSION_ENDED")
		revokedBelow.Store(int64(i + 1))
		minters := []*fake.Minter{s.minter, other}[:1+i%2]
		if err := s.judge.takeKeys(fake.Keys(minters...)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	running.Wait()
	for i := sessions / 2; i < sessions; i++ {
		if _, err := s.Verify(tokens[i]); err != nil {
			t.Error(err)
		}
	}
}

// The cache holds as many tokens as it may and no more, and keeps those that are asked for.
func TestTheCacheIsBounded(t *testing.T) {
	const size = 64
	held := newCache(size)
	now := time.Now()
	entry := func(i byte, j byte) *verified {
		made := &verified{until: now.Add(time.Minute)}
		made.digest[0], made.digest[1], made.digest[30] = i, j, 1
		return made
	}
	favourite := entry(3, 200)
	held.put(favourite, now)
	for i := range 40 {
		for j := range 10 {
			held.put(entry(byte(i), byte(j)), now)
			if held.get(&favourite.digest) == nil {
				t.Fatal("what is asked for all the time is lost")
			}
		}
	}
	count := 0
	for i := range held.sets {
		for j := range held.sets[i] {
			if held.sets[i][j].Load() != nil {
				count++
			}
		}
	}
	if count != size {
		t.Error(count)
	}
	late := now.Add(time.Hour)
	newcomer := entry(3, 100)
	held.put(newcomer, late)
	if held.get(&newcomer.digest) != newcomer {
		t.Error("a newcomer has no place")
	}
}
