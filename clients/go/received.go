package twofold

import (
	"sync"
	"sync/atomic"
	"time"

	twofoldv1 "twofold.example/go/v1"
)

// streamBroken: the stream is not to be trusted any more; the text says why.
type streamBroken string

func (s streamBroken) Error() string { return "the stream of revocations is broken: " + string(s) }

// received is what was received so far, over every stream. One goroutine writes, any number may ask meanwhile.
type received struct {
	realmID string
	// Rises with each change of what is held. A token that was found alive at a generation is alive while it lasts, so
	// most askers need neither lock nor look-up.
	generation atomic.Uint64

	mutex sync.RWMutex
	held  *revocationSet
	// From where the next stream goes on; empty: it begins with a snapshot. The writer's own.
	resumeToken string
}

func newReceived(realmID string) *received {
	made := &received{realmID: realmID, held: newRevocationSet(realmID)}
	made.generation.Store(1)
	return made
}

// isDead tells whether a verified token is revoked.
func (r *received) isDead(of *verified) bool {
	// Read before what is held, so that a change in between makes the next one look again.
	generation := r.generation.Load()
	if of.aliveAt.Load() == generation {
		return false
	}
	r.mutex.RLock()
	dead := r.held.isDead(&of.session, of.kid)
	r.mutex.RUnlock()
	if !dead {
		of.aliveAt.Store(generation)
	}
	return dead
}

func (r *received) isKeyDead(kid string) bool {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	return r.held.isKeyDead(kid)
}

// change replaces or alters what is held.
func (r *received) change(alter func()) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	alter()
	r.generation.Add(1)
}

// receivedStream is one stream, from its opening to its end.
type receivedStream struct {
	received   *received
	silence    time.Duration
	serverTime time.Time
	heardFirst bool
	// The least that this clock was ahead of the server's so far.
	lag      time.Duration
	complete bool
	snapshot *revocationSet
	// told: it has told all, once at least.
	told bool
}

// stream begins to take the messages of a stream that was opened with resumeToken.
func (r *received) stream(silence time.Duration) *receivedStream {
	return &receivedStream{received: r, silence: silence, complete: r.resumeToken != ""}
}

// take takes a message in at a time of this clock.
//
// current: with it everything is known. withdrawn: a signing key was revoked. It fails with streamBroken for a stream
// whose clock goes back or falls behind: what it says may be old. elapsed is the time of a clock that nobody sets.
func (s *receivedStream) take(
	message *twofoldv1.WatchRevocationsResponse, elapsed time.Duration, wall time.Time,
) (current, withdrawn bool, err error) {
	if err := s.judgeTime(message.GetServerTime().AsTime(), elapsed); err != nil {
		return false, false, err
	}
	received := s.received
	if message.GetReset_() {
		s.snapshot, s.complete = newRevocationSet(received.realmID), true
	}
	if !s.complete {
		return false, false, streamBroken("it began without a snapshot")
	}
	if revocations := message.GetRevocations(); len(revocations) > 0 {
		received.change(func() {
			for _, revocation := range revocations {
				if received.held.concerns(revocation) && isKey(revocation) && !received.held.isKeyDead(revocation.GetSubject()) {
					withdrawn = true
				}
				// At once, even where its snapshot is not complete: it is as true before.
				received.held.add(revocation)
				if s.snapshot != nil {
					s.snapshot.add(revocation)
				}
			}
		})
	}
	if !message.GetCurrent() {
		if s.snapshot == nil {
			s.keepPlace(message)
		}
		return false, withdrawn, nil
	}
	if s.snapshot != nil {
		received.change(func() { received.held = s.snapshot })
		s.snapshot = nil
	}
	s.keepPlace(message)
	s.forget(wall)
	s.told = true
	return true, withdrawn, nil
}

func (s *receivedStream) judgeTime(serverTime time.Time, elapsed time.Duration) error {
	if s.heardFirst && serverTime.Before(s.serverTime) {
		return streamBroken("its time went back")
	}
	lag := elapsed - time.Duration(serverTime.UnixNano())
	if !s.heardFirst || lag < s.lag {
		s.lag = lag
	}
	s.heardFirst, s.serverTime = true, serverTime
	// Held up somewhere, each message a little more than the one before, a stream can be old and never silent.
	if lag-s.lag > s.silence {
		return streamBroken("it fell behind")
	}
	return nil
}

func (s *receivedStream) keepPlace(message *twofoldv1.WatchRevocationsResponse) {
	if token := message.GetResumeToken(); token != "" {
		s.received.resumeToken = token
	}
}

// forget goes by the earlier of two clocks: one that jumped ahead must not make anything forgotten.
func (s *receivedStream) forget(wall time.Time) {
	if s.serverTime.Before(wall) {
		wall = s.serverTime
	}
	s.received.mutex.Lock()
	defer s.received.mutex.Unlock()
	// No new generation: what is forgotten concerns no token that is still good.
	s.received.held.forget(wall)
}

func isKey(revocation *twofoldv1.Revocation) bool {
	return revocation.GetKind() == twofoldv1.RevocationKind_REVOCATION_KIND_SIGNING_KEY
}
