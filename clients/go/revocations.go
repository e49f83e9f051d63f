package twofold

import (
	"container/heap"
	"time"

	twofoldv1 "twofold.example/go/v1"
)

// No token outlives its revocation's expire_time by more than a verifier's leeway.
const keptOn = maxLeeway

type revocationKey struct {
	kind    twofoldv1.RevocationKind
	subject string
}

// expiry is when a revocation may be forgotten; zero: never.
type expiry struct {
	at  time.Time
	key revocationKey
}

// expiries is a heap, the earliest first.
type expiries []expiry

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *expiries) Push(one any)      { *e = append(*e, one.(expiry)) }
func (e *expiries) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// revocationSet is the revocations that concern one realm. Whoever holds it sees to locking.
type revocationSet struct {
	realmID string
	// By kind and subject: the epoch below which an account's tokens are dead; 0 for the other kinds.
	held    map[revocationKey]int32
	expires map[revocationKey]time.Time
	queue   expiries
}

func newRevocationSet(realmID string) *revocationSet {
	return &revocationSet{
		realmID: realmID,
		held:    map[revocationKey]int32{},
		expires: map[revocationKey]time.Time{},
	}
}

func (s *revocationSet) has(kind twofoldv1.RevocationKind, subject string) bool {
	_, held := s.held[revocationKey{kind, subject}]
	return held
}

// isDead tells whether a token of this session, account, epoch and key is revoked.
func (s *revocationSet) isDead(session *VerifiedSession, kid string) bool {
	return s.has(twofoldv1.RevocationKind_REVOCATION_KIND_SESSION, session.SessionID) ||
		int(s.held[revocationKey{twofoldv1.RevocationKind_REVOCATION_KIND_ACCOUNT, session.AccountID}]) > session.Epoch ||
		s.isKeyDead(kid) ||
		s.has(twofoldv1.RevocationKind_REVOCATION_KIND_REALM, s.realmID)
}

func (s *revocationSet) isKeyDead(kid string) bool {
	return s.has(twofoldv1.RevocationKind_REVOCATION_KIND_SIGNING_KEY, kid)
}

// concerns tells whether a revocation is one of this realm's access tokens.
func (s *revocationSet) concerns(revocation *twofoldv1.Revocation) bool {
	switch revocation.GetKind() {
	case twofoldv1.RevocationKind_REVOCATION_KIND_ACCOUNT, twofoldv1.RevocationKind_REVOCATION_KIND_SESSION,
		twofoldv1.RevocationKind_REVOCATION_KIND_SIGNING_KEY, twofoldv1.RevocationKind_REVOCATION_KIND_REALM:
		return revocation.GetRealmId() == "" || revocation.GetRealmId() == s.realmID
	}
	return false
}

// add holds a revocation, where it concerns this realm. The same may come again, in any order.
func (s *revocationSet) add(revocation *twofoldv1.Revocation) {
	if !s.concerns(revocation) {
		return
	}
	key := revocationKey{revocation.GetKind(), revocation.GetSubject()}
	before, again := s.held[key]
	s.held[key] = max(before, revocation.GetEpoch())
	if revocation.GetExpireTime() == nil {
		s.expires[key] = time.Time{}
		return
	}
	expires := revocation.GetExpireTime().AsTime()
	if known := s.expires[key]; again && (known.IsZero() || !expires.After(known)) {
		return
	}
	s.expires[key] = expires
	heap.Push(&s.queue, expiry{expires, key})
}

// forget lets go of what concerns no token that is still good at that time.
func (s *revocationSet) forget(now time.Time) {
	for len(s.queue) > 0 && !s.queue[0].at.Add(keptOn).After(now) {
		due := heap.Pop(&s.queue).(expiry)
		// Revoked again, for longer: its later entry is still to come.
		if s.expires[due.key].Equal(due.at) {
			delete(s.expires, due.key)
			delete(s.held, due.key)
		}
	}
}
